/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/elf_symbols.h"
#include "symbolizer/parse_records.h"
#include "symbolizer/parsed_file.h"
#include "tests/unit/elf_files.h"

/* One answer; the name is "" where there is none. */
struct answer {
	char name[64];
	uint64_t start, end;
};

static int open_file(struct place *place, const char *name)
{
	int fd = open(in_place(place, name), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct answer ask(struct parsed_file *file, uint64_t address, uint32_t flags)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	struct worker_bytes bytes = {0};
	struct answer answer = {0};
	struct parse_reader reader;
	int count;

	assert_int_equal(parsed_file_find(file, address, flags, &bytes), 0);
	reader = (struct parse_reader){bytes.list.items, bytes.list.items + bytes.list.count};
	count = parse_records_next(&reader, &answer.start, &answer.end, names);
	assert_in_range(count, 0, 1);
	if (count)
		snprintf(answer.name, sizeof(answer.name), "%.*s", (int)names[0].bytes, names[0].text);
	assert_int_equal(parse_records_next(&reader, &answer.start, &answer.end, names), -ENODATA);
	array_deinit(&bytes.list);
	return answer;
}

/* Where a function of a file starts and ends, and where that is in the file. */
static struct elf_function function_of(struct place *place, const char *file, const char *name, uint64_t *ret_offset)
{
	struct elf_symbols *symbols;
	struct elf_function function;
	unsigned long long start;
	char command[256];
	uint64_t address;
	FILE *pipe;

	snprintf(command, sizeof(command), "nm %s/%s | grep ' %s$'", place->folder, file, name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%llx", &start), 1);
	pclose(pipe);
	address = start;
	assert_int_equal(elf_symbols_new(open_file(place, file), &symbols), 0);
	elf_symbols_functions(symbols, &address, 1, &function);
	assert_true(function.end);
	assert_true(elf_symbols_file_offset(symbols, address, ret_offset));
	elf_symbols_free(symbols);
	return function;
}

static void test_parsed_file__names_come_with_the_range_that_they_hold_for(void **state)
{
	struct elf_function function;
	struct parsed_file *file;
	struct answer answer;
	uint64_t offset;

	compile(*state, "program", "-no-pie");
	function = function_of(*state, "program", "exported_two", &offset);
	assert_int_equal(parsed_file_new(open_file(*state, "program"), &file), 0);
	answer = ask(file, function.start + 1, PARSE_VIRTUAL);
	assert_string_equal(answer.name, "exported_two");
	assert_int_equal(answer.start, function.start);
	assert_int_equal(answer.end, function.end);
	answer = ask(file, offset + 1, 0);
	assert_string_equal(answer.name, "exported_two");
	assert_int_equal(answer.start, offset);
	assert_int_equal(answer.end, offset + function.end - function.start);
	answer = ask(file, UINT64_MAX, 0);
	assert_string_equal(answer.name, "");
	assert_int_equal(answer.end, 0);
	parsed_file_free(file);
}

static void test_parsed_file__tables_are_made_when_asked_for_and_again_after_they_were_dropped(void **state)
{
	struct parsed_file *file;
	uint64_t offset;

	compile(*state, "program", "");
	function_of(*state, "program", "local_one", &offset);
	assert_int_equal(parsed_file_new(open_file(*state, "program"), &file), 0);
	assert_int_equal(parsed_file_bytes(file), 0);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(ask(file, offset, 0).name, "local_one");
		assert_true(parsed_file_bytes(file) > 0);
		parsed_file_trim(file);
		assert_int_equal(parsed_file_bytes(file), 0);
	}
	parsed_file_free(file);
}

static void test_parsed_file__what_was_missing_for_a_moment_is_asked_for_again(void **state)
{
	struct rlimit before, none;
	struct worker_bytes bytes = {0};
	struct parsed_file *file;
	uint64_t offset;

	compile(*state, "program", "");
	function_of(*state, "program", "local_one", &offset);
	assert_int_equal(parsed_file_new(open_file(*state, "program"), &file), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(parsed_file_find(file, offset, 0, &bytes), -ENOMEM);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_string_equal(ask(file, offset, 0).name, "local_one");

	/* Twice in a row, as when nobody else holds anything any more. */
	parsed_file_trim(file);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(parsed_file_find(file, offset, 0, &bytes), -ENOMEM);
	assert_int_equal(parsed_file_find(file, offset, 0, &bytes), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(parsed_file_find(file, offset, 0, &bytes), -EFBIG);
	array_deinit(&bytes.list);
	parsed_file_free(file);
}

static void test_parsed_file__only_its_own_debug_file_names_it(void **state)
{
	struct parse_facts facts;
	struct parsed_file *file;
	uint64_t offset;

	compile(*state, "other", "-O2");
	compile(*state, "program", "-g");
	function_of(*state, "program", "local_one", &offset);
	run("cd %s && for i in program other; do objcopy --only-keep-debug $i $i.debug; done && strip program && "
	    "objcopy --add-gnu-debuglink=program.debug program",
	    ((struct place *)*state)->folder);
	assert_int_equal(parsed_file_new(open_file(*state, "program"), &file), 0);
	parsed_file_facts(file, &facts);
	assert_string_equal(facts.debug_link, "program.debug");
	assert_false(facts.has_symbols || facts.has_lines);
	assert_string_equal(ask(file, offset, 0).name, "");
	assert_int_equal(parsed_file_add_debug(file, open_file(*state, "other.debug")), -ENOENT);
	assert_int_equal(parsed_file_add_debug(file, open_file(*state, "program.c")), -ENOENT);
	assert_string_equal(ask(file, offset, 0).name, "");
	assert_int_equal(parsed_file_add_debug(file, open_file(*state, "program.debug")), 0);
	assert_string_equal(ask(file, offset, 0).name, "local_one");
	parsed_file_facts(file, &facts);
	assert_true(facts.has_symbols && facts.has_lines);
	parsed_file_free(file);
}

static void test_parsed_file__debug_file_of_other_code_under_the_same_build_id_is_not_taken(void **state)
{
	struct parsed_file *file;
	uint64_t offset;

	compile(*state, "other", "-O2 -g -Wl,--build-id=0x1234567812345678");
	compile(*state, "program", "-g -Wl,--build-id=0x1234567812345678");
	function_of(*state, "program", "local_one", &offset);
	run("cd %s && for i in program other; do objcopy --only-keep-debug $i $i.debug; done && strip program",
	    ((struct place *)*state)->folder);
	assert_int_equal(parsed_file_new(open_file(*state, "program"), &file), 0);
	assert_int_equal(parsed_file_add_debug(file, open_file(*state, "other.debug")), -ENOENT);
	assert_string_equal(ask(file, offset, 0).name, "");
	assert_int_equal(parsed_file_add_debug(file, open_file(*state, "program.debug")), 0);
	assert_string_equal(ask(file, offset, 0).name, "local_one");
	parsed_file_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed_file__names_come_with_the_range_that_they_hold_for),
		cmocka_unit_test(test_parsed_file__tables_are_made_when_asked_for_and_again_after_they_were_dropped),
		cmocka_unit_test(test_parsed_file__what_was_missing_for_a_moment_is_asked_for_again),
		cmocka_unit_test(test_parsed_file__only_its_own_debug_file_names_it),
		cmocka_unit_test(test_parsed_file__debug_file_of_other_code_under_the_same_build_id_is_not_taken),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
