/* SPDX-License-Identifier: BSD-2-Clause */
/* dwarf_index.h against files that are broken, hostile or large. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dwarf_programs.h"

/* All addresses of a program's text, for what they may do to the index rather than for their answers. */
static void look_everywhere(struct dwarf_index *index, uint64_t around)
{
	struct dwarf_frame frames[DWARF_FRAMES_MAX];
	size_t count;

	for (uint64_t at = around - 512; at < around + 512; at += 3)
		assert_int_equal(dwarf_index_find(index, at, EVERYTHING, frames, &count), 0);
}

static void test_dwarf_index__file_that_ends_anywhere_does_no_harm(void **state)
{
	static const char *const formats[] = {"gcc -gdwarf-4", "clang-14 -gdwarf-5"};

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		struct dwarf_files files = {-1, -1, -1, -1};
		struct dwarf_index *index;
		uint64_t address;
		off_t size;

		build(*state, formats[i], "program.c", "program");
		address = address_of(*state, "program", "spot_inner");
		files.elf = open(in_place(*state, "program"), O_RDWR | O_CLOEXEC);
		size = lseek(files.elf, 0, SEEK_END);
		assert_int_equal(dwarf_index_new(&files, &index), 0);
		for (off_t cut = size; cut > 0; cut -= 97) {
			/* Under a file that is open already, and for one that is opened. */
			assert_int_equal(ftruncate(files.elf, cut), 0);
			dwarf_index_trim(index);
			look_everywhere(index, address);
			dwarf_index_free(index);
			if (dwarf_index_new(&files, &index))
				index = NULL;
			else
				look_everywhere(index, address);
			if (!index)
				break;
		}
		dwarf_index_free(index);
		close(files.elf);
	}
}

static void test_dwarf_index__garbage_in_sections_does_no_harm(void **state)
{
	static const char *const sections[] = {".debug_info", ".debug_abbrev", ".debug_line", ".debug_str",
					       ".debug_rnglists"};
	struct place *place = *state;
	unsigned int seed = 1;
	uint64_t address;

	build(place, "g++ -gdwarf-5", "program.cc", "program");
	address = address_of(place, "program", "spot_inner");
	for (int i = 0; i < 30; i++) {
		struct dwarf_files files = {-1, -1, -1, -1};
		const char *section = sections[i % ARRAY_LENGTH(sections)];
		struct dwarf_index *index;
		unsigned char bytes[4096];
		FILE *part;
		size_t size;

		run("cd %s && objcopy --dump-section %s=part program", place->folder, section);
		part = fopen(in_place(place, "part"), "r+");
		size = fread(bytes, 1, sizeof(bytes), part);
		for (int change = 0; change < 20; change++)
			bytes[rand_r(&seed) % size] = (unsigned char)rand_r(&seed);
		rewind(part);
		assert_int_equal(fwrite(bytes, 1, size, part), size);
		assert_int_equal(fclose(part), 0);
		run("cd %s && objcopy --update-section %s=part program broken", place->folder, section);
		files.elf = open_in(place, "broken");
		if (!dwarf_index_new(&files, &index)) {
			look_everywhere(index, address);
			dwarf_index_free(index);
		}
		close(files.elf);
	}
}

/* DWARF by hand: a function whose name leads in a circle, and 100 functions inlined into each other. */
static void write_assembly(struct place *place)
{
	FILE *file = fopen(in_place(place, "hand.s"), "w");

	assert_non_null(file);
	fputs(".text\n.globl spot_start\nspot_start: .fill 64, 1, 0x90\nend:\n"
	      ".section .debug_abbrev,\"\",@progbits\n"
	      ".uleb128 1, 0x11\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0, 0\n"		 /* unit: low_pc, high_pc */
	      ".uleb128 2, 0x2e\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0x31, 0x13, 0, 0\n" /* subprogram, origin */
	      ".uleb128 3, 0x1d\n.byte 1\n.uleb128 0x11, 1, 0x12, 1, 0x31, 0x13, 0x59, 0xb, 0, 0\n" /* inlined */
	      ".uleb128 4, 0x2e\n.byte 0\n.uleb128 0x47, 0x13, 0, 0\n" /* specification only */
	      ".uleb128 5, 0x2e\n.byte 0\n.uleb128 3, 8, 0, 0\n"       /* name only */
	      ".byte 0\n"
	      ".section .debug_info,\"\",@progbits\n"
	      "unit: .long last - first\nfirst: .short 4\n.long 0\n.byte 8\n"
	      ".uleb128 1\n.quad spot_start, end\n"
	      "circle: .uleb128 4\n.long circle2 - unit\n"
	      "circle2: .uleb128 4\n.long circle - unit\n"
	      "named: .uleb128 5\n.asciz \"deep\"\n"
	      ".uleb128 2\n.quad spot_start, spot_start + 16\n.long circle - unit\n.byte 0\n"
	      ".uleb128 2\n.quad spot_start + 16, end\n.long named - unit\n",
	      file);
	for (int i = 1; i <= 100; i++)
		fprintf(file, ".uleb128 3\n.quad spot_start + 16, end\n.long named - unit\n.byte %d\n", i);
	for (int i = 0; i <= 101; i++)
		fputs(".byte 0\n", file);
	fputs("last:\n", file);
	assert_int_equal(fclose(file), 0);
	run("cd %s && gcc -nostdlib -static -Wl,-e,spot_start -o hand hand.s", place->folder);
}

static void test_dwarf_index__references_in_a_circle_give_no_name(void **state)
{
	struct opened opened;

	write_assembly(*state);
	opened = open_index(*state, "hand", NULL, NULL, NULL);
	assert_string_equal(frames_at(opened.index, address_of(*state, "hand", "spot_start"), EVERYTHING), "- -:0");
	close_index(&opened);
}

static void test_dwarf_index__chain_that_is_too_long_keeps_both_ends(void **state)
{
	struct dwarf_frame frames[DWARF_FRAMES_MAX];
	struct opened opened;
	size_t count;

	write_assembly(*state);
	opened = open_index(*state, "hand", NULL, NULL, NULL);
	assert_int_equal(dwarf_index_find(opened.index, address_of(*state, "hand", "spot_start") + 20, EVERYTHING,
					  frames, &count),
			 0);
	assert_int_equal(count, DWARF_FRAMES_MAX);
	assert_string_equal(frames[0].function, "deep");
	assert_int_equal(frames[1].line, 100);
	assert_int_equal(frames[DWARF_FRAMES_MAX - 2].line, 100 - (DWARF_FRAMES_MAX - 3));
	assert_int_equal(frames[DWARF_FRAMES_MAX - 1].line, 1);
	assert_false(frames[DWARF_FRAMES_MAX - 1].inlined);
	close_index(&opened);
}

static void test_dwarf_index__unit_without_ranges_is_found_by_the_table_of_addresses(void **state)
{
	FILE *file = fopen(in_place(*state, "bare.s"), "w");
	struct opened opened;

	assert_non_null(file);
	fputs(".text\n.globl spot_start, spot_other\n.fill 16, 1, 0x90\n"
	      "spot_start: .fill 64, 1, 0x90\nspot_other: .fill 16, 1, 0x90\nend:\n"
	      ".section .debug_abbrev,\"\",@progbits\n"
	      ".uleb128 1, 0x11\n.byte 1\n.uleb128 0, 0\n"
	      ".uleb128 2, 0x2e\n.byte 0\n.uleb128 0x11, 1, 0x12, 1, 3, 8, 0, 0\n"
	      ".byte 0\n"
	      ".section .debug_info,\"\",@progbits\n"
	      "unit: .long last - first\nfirst: .short 4\n.long 0\n.byte 8\n"
	      ".uleb128 1, 2\n.quad spot_start, end\n.asciz \"bare\"\n.byte 0\nlast:\n"
	      ".section .debug_aranges,\"\",@progbits\n"
	      "set: .long set_end - set_first\nset_first: .short 2\n.long 0\n.byte 8, 0\n.balign 16\n"
	      ".quad spot_start, spot_other - spot_start, 0, 0\nset_end:\n"
	      ".long wrong_end - wrong_first\nwrong_first: .short 2\n.long 3\n.byte 8, 0\n.balign 16\n"
	      ".quad spot_other, end - spot_other, 0, 0\nwrong_end:\n",
	      file);
	assert_int_equal(fclose(file), 0);
	run("cd %s && gcc -nostdlib -static -Wl,-e,spot_start -o bare bare.s", ((struct place *)*state)->folder);
	opened = open_index(*state, "bare", NULL, NULL, NULL);
	assert_string_equal(frames_at(opened.index, address_of(*state, "bare", "spot_start"), EVERYTHING), "bare -:0");
	/* That set belongs to no unit. */
	assert_string_equal(frames_at(opened.index, address_of(*state, "bare", "spot_other"), EVERYTHING), "");
	close_index(&opened);
}

/* Many units, so that there is something to drop. */
static void build_units(struct place *place, int units)
{
	run("cd %s && rm -f unit*.c && for i in $(seq %d); do { echo \"#line 1 \\\"unit$i.c\\\"\"; "
	    "for f in $(seq 50); do echo \"int u${i}_$f(int n) { return n * $f; }\"; done; } >unit$i.c; done && "
	    "echo 'int main(void) { return 0; }' >unit0.c && gcc -g -O1 -o units unit*.c",
	    place->folder, units);
}

static void test_dwarf_index__memory_stays_within_its_budget(void **state)
{
	struct opened opened = {{-1, -1, -1, -1}, NULL};
	struct opened free_one;
	char symbol[32], expected[64];
	size_t most = 0;

	build_units(*state, 40);
	free_one = open_index(*state, "units", NULL, NULL, NULL);
	opened.files.elf = open_in(*state, "units");
	opened.files.bytes_max = 32768;
	assert_int_equal(dwarf_index_new(&opened.files, &opened.index), 0);
	for (int round = 0; round < 2; round++)
		for (int i = 1; i <= 40; i++) {
			uint64_t address;

			snprintf(symbol, sizeof(symbol), "u%d_7", i);
			snprintf(expected, sizeof(expected), "u%d_7 unit%d.c:7", i, i);
			address = address_of(*state, "units", symbol);
			assert_string_equal(frames_at(opened.index, address, EVERYTHING), expected);
			if (dwarf_index_bytes(opened.index) > most)
				most = dwarf_index_bytes(opened.index);
			assert_string_equal(frames_at(free_one.index, address, EVERYTHING), expected);
		}
	assert_true(most <= 32768);
	assert_true(dwarf_index_bytes(free_one.index) > 4 * 32768);
	dwarf_index_trim(free_one.index);
	assert_int_equal(dwarf_index_bytes(free_one.index), 0);
	close_index(&opened);
	close_index(&free_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dwarf_index__file_that_ends_anywhere_does_no_harm),
		cmocka_unit_test(test_dwarf_index__garbage_in_sections_does_no_harm),
		cmocka_unit_test(test_dwarf_index__references_in_a_circle_give_no_name),
		cmocka_unit_test(test_dwarf_index__chain_that_is_too_long_keeps_both_ends),
		cmocka_unit_test(test_dwarf_index__unit_without_ranges_is_found_by_the_table_of_addresses),
		cmocka_unit_test(test_dwarf_index__memory_stays_within_its_budget),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
