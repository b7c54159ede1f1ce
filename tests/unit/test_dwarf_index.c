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
/* What is local to a file has no linkage name of gcc's; where it is declared is seen within one unit only. */
#define OUTER_CC "_ZN6shapes3Box4growEi spots.cc:18 < _ZN6shapes3Box7measureEi spots.cc:23"
#define INNER_GXX "(anonymous namespace)::inner spots.cc:12 < " OUTER_CC
#define INNER_ELSEWHERE "inner spots.cc:12 < " OUTER_CC
#define INNER_CLANGXX "_ZN12_GLOBAL__N_15innerEi spots.cc:12 < " OUTER_CC

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

static void check_cc(struct place *place, const char *compiler, const char *inner)
{
	struct opened opened;

	build(place, compiler, "program.cc", "program");
	opened = open_index(place, "program", NULL, NULL, NULL);
	check_spots(place, &opened, "program", inner, "_ZN6shapes3Box7measureEi spots.cc:22");
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

static void test_dwarf_index__functions_of_cxx_have_linkage_names_or_their_scopes(void **state)
{
	check_cc(*state, "g++ -gdwarf-4", INNER_GXX);
	check_cc(*state, "g++ -gdwarf-5", INNER_GXX);
	check_cc(*state, "clang++-14 -gdwarf-4", INNER_CLANGXX);
	check_cc(*state, "clang++-14 -gdwarf-5", INNER_CLANGXX);
}

static void test_dwarf_index__link_time_optimisation_is_seen_through(void **state)
{
	check_c(*state, "gcc -g -flto");
	check_cc(*state, "g++ -g -flto -ffunction-sections -Wl,--gc-sections", INNER_ELSEWHERE);
}

static void test_dwarf_index__relocations_that_were_applied_and_kept_do_no_harm(void **state)
{
	check_c(*state, "gcc -g -Wl,--emit-relocs");
	run("readelf -SW %s | grep -q rela.debug_info", in_place(*state, "program"));
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

static const char *const split_compilers[] = {"gcc -gsplit-dwarf -gdwarf-4", "gcc -gsplit-dwarf -gdwarf-5",
					      "clang-14 -gsplit-dwarf -gdwarf-4", "clang-14 -gsplit-dwarf -gdwarf-5"};

/* Leaves program, and program.dwo. */
static void build_split(struct place *place, const char *compiler)
{
	char compile[256];

	snprintf(compile, sizeof(compile), "%s -c", compiler);
	build(place, compile, "program.c", "program.o");
	run("cd %s && gcc -o program program.o && test -e program.dwo && ! readelf -S program | grep -q debug_str_dwo",
	    place->folder);
}

static void test_dwarf_index__split_units_are_opened_by_the_caller(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(split_compilers); i++) {
		struct opened opened;

		build_split(*state, split_compilers[i]);
		opened = open_index(*state, "program", NULL, NULL, NULL);
		check_spots(*state, &opened, "program", INNER_C, OUTER_C);
		close_index(&opened);
	}
}

/* binutils' dwp knows DWARF 4 only, and LLVM's does not come to an end on gcc's DWARF 5. */
static void test_dwarf_index__split_units_in_a_package_are_found(void **state)
{
	static const struct {
		const char *compiler, *packager;
	} ways[] = {{"gcc -gsplit-dwarf -gdwarf-4", "dwp"},
		    {"gcc -gsplit-dwarf -gdwarf-4", "llvm-dwp-14"},
		    {"clang-14 -gsplit-dwarf -gdwarf-4", "dwp"},
		    {"clang-14 -gsplit-dwarf -gdwarf-5", "llvm-dwp-14"}};

	for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
		struct place *place = *state;
		struct opened opened;

		/* A second unit, so that not all offsets in the package are 0. */
		run("cd %s && echo 'int other(void) { return 7; }' >other.c && %s -c other.c", place->folder,
		    ways[i].compiler);
		build_split(place, ways[i].compiler);
		run("cd %s && rm -f program.dwp && timeout 30 %s -o program.dwp other.dwo program.dwo && "
		    "rm other.dwo program.dwo",
		    place->folder, ways[i].packager);
		opened = open_index(place, "program", NULL, NULL, "program.dwp");
		check_spots(place, &opened, "program", INNER_C, OUTER_C);
		close_index(&opened);
	}
}

static void test_dwarf_index__without_its_split_half_a_unit_has_lines(void **state)
{
	struct opened opened;

	build_split(*state, "gcc -gsplit-dwarf -gdwarf-5");
	run("rm %s", in_place(*state, "program.dwo"));
	opened = open_index(*state, "program", NULL, NULL, NULL);
	check_spots(*state, &opened, "program", "- spots.c:12", "- spots.c:21");
	close_index(&opened);
}

static void test_dwarf_index__split_half_of_another_build_is_not_taken(void **state)
{
	struct opened opened;

	build_split(*state, "gcc -gsplit-dwarf -gdwarf-5 -DOTHER");
	run("cd %s && cp program.dwo other.dwo", ((struct place *)*state)->folder);
	run("cd %s && sed -i 's/inner/another/' program.c && gcc -gsplit-dwarf -gdwarf-5 -O2 -c program.c -o program.o "
	    "&& "
	    "gcc -o program program.o && mv other.dwo program.dwo",
	    ((struct place *)*state)->folder);
	opened = open_index(*state, "program", NULL, NULL, NULL);
	assert_string_equal(frames_at(opened.index, address_of(*state, "program", "spot_outer"), EVERYTHING),
			    "- spots.c:21");
	close_index(&opened);
}

struct later {
	struct place *place;
	int calls;
};

static int open_split_later(void *data, const char *name, const char *directory)
{
	struct later *later = data;

	assert_string_equal(name, "program.dwo");
	assert_string_equal(directory, later->place->folder);
	return later->calls++ ? open_split_in(later->place, name, directory) : -EAGAIN;
}

static void test_dwarf_index__split_half_that_comes_later_is_asked_for_again(void **state)
{
	struct later later = {*state, 0};
	struct dwarf_files files = {-1, -1, -1, -1, open_split_later, &later};
	struct dwarf_index *index;
	uint64_t address;

	build_split(*state, "gcc -gsplit-dwarf -gdwarf-5");
	files.elf = open_in(*state, "program");
	assert_int_equal(dwarf_index_new(&files, &index), 0);
	address = address_of(*state, "program", "spot_inner");
	assert_string_equal(frames_at(index, address, EVERYTHING), "- spots.c:12");
	assert_string_equal(frames_at(index, address, EVERYTHING), INNER_C);
	assert_string_equal(frames_at(index, address, EVERYTHING), INNER_C);
	assert_int_equal(later.calls, 2);
	dwarf_index_free(index);
	close(files.elf);
}

static void test_dwarf_index__alternate_file_of_dwz_is_used(void **state)
{
	static const char *const formats[] = {"-gdwarf-4", "-gdwarf-5"};

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		struct place *place = *state;
		struct opened opened;
		char compiler[64];

		snprintf(compiler, sizeof(compiler), "g++ %s", formats[i]);
		build(place, compiler, "program.cc", "program");
		build(place, compiler, "program.cc", "twin");
		run("cd %s && dwz -m common.debug program twin && readelf -S program | grep -q debugaltlink",
		    place->folder);
		opened = open_index(place, "program", NULL, "common.debug", NULL);
		check_spots(place, &opened, "program", INNER_ELSEWHERE, "_ZN6shapes3Box7measureEi spots.cc:22");
		close_index(&opened);

		opened = open_index(place, "program", NULL, NULL, NULL);
		check_spots(place, &opened, "program", "- spots.cc:12 < - spots.cc:18 < - spots.cc:23",
			    "- spots.cc:22");
		close_index(&opened);
	}
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
	build(*state, "gcc -g -c", "program.c", "program.o");
	files.elf = open_in(*state, "program.o");
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
		cmocka_unit_test(test_dwarf_index__functions_of_cxx_have_linkage_names_or_their_scopes),
		cmocka_unit_test(test_dwarf_index__link_time_optimisation_is_seen_through),
		cmocka_unit_test(test_dwarf_index__relocations_that_were_applied_and_kept_do_no_harm),
		cmocka_unit_test(test_dwarf_index__compressed_sections_are_read),
		cmocka_unit_test(test_dwarf_index__separate_debug_file_is_used),
		cmocka_unit_test(test_dwarf_index__split_units_are_opened_by_the_caller),
		cmocka_unit_test(test_dwarf_index__split_units_in_a_package_are_found),
		cmocka_unit_test(test_dwarf_index__without_its_split_half_a_unit_has_lines),
		cmocka_unit_test(test_dwarf_index__split_half_of_another_build_is_not_taken),
		cmocka_unit_test(test_dwarf_index__split_half_that_comes_later_is_asked_for_again),
		cmocka_unit_test(test_dwarf_index__alternate_file_of_dwz_is_used),
		cmocka_unit_test(test_dwarf_index__without_inlines_the_function_that_was_compiled_is_named),
		cmocka_unit_test(test_dwarf_index__address_of_no_unit_has_no_frames),
		cmocka_unit_test(test_dwarf_index__file_without_debug_information_says_so),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
