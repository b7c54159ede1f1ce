/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dwarf_programs.h"

#define INNER_C "inner spots.c:12 < middle spots.c:17 < outer spots.c:22"
#define OUTER_C "outer spots.c:21"
/* What is local to a file has no linkage name of gcc's. */
#define INNER_GXX                                                  \
	"inner spots.cc:12 < _ZN6shapes3Box4growEi spots.cc:18 < " \
	"_ZN6shapes3Box7measureEi spots.cc:23"
#define INNER_CLANGXX                                                                  \
	"_ZN12_GLOBAL__N_15innerEi spots.cc:12 < _ZN6shapes3Box4growEi spots.cc:18 < " \
	"_ZN6shapes3Box7measureEi spots.cc:23"

static void check_spots(struct place *place, struct opened *opened, const char *program, const char *inner,
			const char *outer)
{
	uint64_t address = address_of(place, program, "spot_inner");

	assert_string_equal(frames_at(opened->index, address, EVERYTHING), inner);
	assert_string_equal(frames_at(opened->index, address_of(place, program, "spot_outer"), EVERYTHING), outer);
}

static void check_c(struct place *place, const char *compiler)
{
	struct opened opened;

	build(place, compiler, "program.c", "program");
	opened = open_index(place, "program", NULL, NULL, NULL);
	check_spots(place, &opened, "program", INNER_C, OUTER_C);
	close_index(&opened);
}

static void check_cc(struct place *place, const char *compiler)
{
	struct opened opened;

	build(place, compiler, "program.cc", "program");
	opened = open_index(place, "program", NULL, NULL, NULL);
	check_spots(place, &opened, "program", strstr(compiler, "clang") ? INNER_CLANGXX : INNER_GXX,
		    "_ZN6shapes3Box7measureEi spots.cc:22");
	close_index(&opened);
}

static void test_dwarf_index__dwarf_4_names_inlined_functions_and_their_lines(void **state)
{
	check_c(*state, "gcc -gdwarf-4");
	check_c(*state, "clang-14 -gdwarf-4");
}

static void test_dwarf_index__dwarf_5_names_inlined_functions_and_their_lines(void **state)
{
	check_c(*state, "gcc -gdwarf-5");
	check_c(*state, "clang-14 -gdwarf-5");
}

static void test_dwarf_index__old_and_wide_formats_are_read(void **state)
{
	check_c(*state, "gcc -gdwarf-2");
	check_c(*state, "gcc -gdwarf-3");
	check_c(*state, "gcc -gdwarf64 -gdwarf-5");
	check_c(*state, "gcc -gdwarf64 -gdwarf-4");
}

static void test_dwarf_index__functions_of_cxx_have_their_linkage_names(void **state)
{
	check_cc(*state, "g++ -gdwarf-4");
	check_cc(*state, "g++ -gdwarf-5");
	check_cc(*state, "clang++-14 -gdwarf-4");
	check_cc(*state, "clang++-14 -gdwarf-5");
}

static void test_dwarf_index__link_time_optimisation_is_seen_through(void **state)
{
	check_c(*state, "gcc -g -flto");
	check_cc(*state, "g++ -g -flto -ffunction-sections -Wl,--gc-sections");
}

static void test_dwarf_index__compressed_sections_are_read(void **state)
{
	static const char *const ways[] = {"zlib", "zlib-gnu", "zstd"};
	struct opened opened;

	build(*state, "gcc -g", "program.c", "program");
	for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
		run("cd %s && objcopy --compress-debug-sections=%s program packed && readelf -t packed | "
		    "grep -qiE 'zlib|zstd|zdebug'",
		    ((struct place *)*state)->folder, ways[i]);
		opened = open_index(*state, "packed", NULL, NULL, NULL);
		check_spots(*state, &opened, "program", INNER_C, OUTER_C);
		close_index(&opened);
	}
}

static void test_dwarf_index__separate_debug_file_is_used(void **state)
{
	struct opened opened;

	build(*state, "gcc -g", "program.c", "program");
	run("cd %s && objcopy --only-keep-debug program program.debug && strip -o stripped program",
	    ((struct place *)*state)->folder);
	opened = open_index(*state, "stripped", "program.debug", NULL, NULL);
	check_spots(*state, &opened, "program", INNER_C, OUTER_C);
	close_index(&opened);
}

static void test_dwarf_index__without_inlines_the_function_that_was_compiled_is_named(void **state)
{
	struct opened opened;
	uint64_t address;

	build(*state, "gcc -g", "program.c", "program");
	opened = open_index(*state, "program", NULL, NULL, NULL);
	address = address_of(*state, "program", "spot_inner");
	assert_string_equal(frames_at(opened.index, address, DWARF_LINES), "outer spots.c:12");
	assert_string_equal(frames_at(opened.index, address, 0), "outer -:0");
	assert_string_equal(frames_at(opened.index, address, DWARF_INLINES), "inner -:0 < middle -:0 < outer -:0");
	close_index(&opened);
}

static void test_dwarf_index__address_of_no_unit_has_no_frames(void **state)
{
	struct opened opened;

	build(*state, "gcc -g", "program.c", "program");
	opened = open_index(*state, "program", NULL, NULL, NULL);
	assert_string_equal(frames_at(opened.index, 0, EVERYTHING), "");
	assert_string_equal(frames_at(opened.index, address_of(*state, "program", "_start"), EVERYTHING), "");
	assert_string_equal(frames_at(opened.index, UINT64_MAX, EVERYTHING), "");
	close_index(&opened);
}

static void test_dwarf_index__file_without_debug_information_says_so(void **state)
{
	struct dwarf_files files = {-1, -1, -1, -1};
	struct dwarf_index *index = NULL;

	build(*state, "gcc -s", "program.c", "program");
	files.elf = open_in(*state, "program");
	assert_int_equal(dwarf_index_new(&files, &index), -ENODATA);
	close(files.elf);
	files.elf = open_in(*state, "program.c");
	assert_int_equal(dwarf_index_new(&files, &index), -ENOEXEC);
	close(files.elf);
	assert_null(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dwarf_index__dwarf_4_names_inlined_functions_and_their_lines),
		cmocka_unit_test(test_dwarf_index__dwarf_5_names_inlined_functions_and_their_lines),
		cmocka_unit_test(test_dwarf_index__old_and_wide_formats_are_read),
		cmocka_unit_test(test_dwarf_index__functions_of_cxx_have_their_linkage_names),
		cmocka_unit_test(test_dwarf_index__link_time_optimisation_is_seen_through),
		cmocka_unit_test(test_dwarf_index__compressed_sections_are_read),
		cmocka_unit_test(test_dwarf_index__separate_debug_file_is_used),
		cmocka_unit_test(test_dwarf_index__without_inlines_the_function_that_was_compiled_is_named),
		cmocka_unit_test(test_dwarf_index__address_of_no_unit_has_no_frames),
		cmocka_unit_test(test_dwarf_index__file_without_debug_information_says_so),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
