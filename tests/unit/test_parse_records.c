/* SPDX-License-Identifier: BSD-2-Clause */
/* What the child may say: what was asked for, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "symbolizer/parse_records.h"

static const uint64_t addresses[] = {0x1010, 0x2000};
static struct worker_bytes answer;

static int tear_down(void **state)
{
	array_deinit(&answer.list);
	return 0;
}

static void add(uint64_t start, uint64_t end, size_t count)
{
	const struct parse_name names[] = {{.text = "inner", .bytes = 5, .file = "a.c", .file_bytes = 3, .line = 7},
					   {.text = "outer", .bytes = 5}};

	assert_int_equal(parse_records_add(&answer, start, end, names, count), 0);
}

static struct parse_reader reader(size_t bytes)
{
	return (struct parse_reader){answer.list.items, answer.list.items + bytes};
}

static bool makes_sense(size_t frames_max)
{
	return parse_records_make_sense(reader(answer.list.count), addresses, 2, frames_max);
}

static void test_parse_records__what_was_written_is_read(void **state)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	struct parse_reader at;
	uint64_t start, end;

	add(0x1000, 0x1020, 2);
	at = reader(answer.list.count);
	assert_int_equal(parse_records_next(&at, &start, &end, names), 2);
	assert_int_equal(start, 0x1000);
	assert_int_equal(end, 0x1020);
	assert_memory_equal(names[0].text, "inner", 5);
	assert_int_equal(names[0].line, 7);
	assert_memory_equal(names[1].text, "outer", 5);
	assert_int_equal(parse_records_next(&at, &start, &end, names), -ENODATA);
}

static void test_parse_records__every_cut_is_no_record(void **state)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	uint64_t start, end;

	add(0x1000, 0x1020, 2);
	for (size_t bytes = 1; bytes < answer.list.count; bytes++) {
		struct parse_reader at = reader(bytes);

		assert_int_equal(parse_records_next(&at, &start, &end, names), -EBADMSG);
	}
}

static void test_parse_records__one_for_each_address_makes_sense(void **state)
{
	add(0x1000, 0x1020, 1);
	assert_false(makes_sense(1));
	add(0, 0, 0);
	assert_true(makes_sense(1));
	add(0, 0, 0);
	assert_false(makes_sense(1));
}

static void test_parse_records__names_that_were_not_asked_for_make_none(void **state)
{
	add(0x1000, 0x1020, 2);
	add(0, 0, 1);
	assert_false(makes_sense(1));
	assert_true(makes_sense(PARSE_FRAMES_MAX));
}

/* A range is remembered: one beside its address would name what nobody asked about. */
static void test_parse_records__a_range_beside_its_address_makes_none(void **state)
{
	add(0x1000, 0x1020, 1);
	add(0x2001, 0x3000, 1);
	assert_false(makes_sense(1));
}

static void test_parse_records__splits_with_names_beyond_a_path_are_none(void **state)
{
	struct parse_split record = {.number = 3, .name_bytes = 2, .directory_bytes = 1};
	char name[PATH_MAX], directory[PATH_MAX], long_name[PATH_MAX] = {0};
	struct parse_reader at;

	assert_int_equal(worker_bytes_add(&answer, &record, sizeof(record)), 0);
	assert_int_equal(worker_bytes_add(&answer, "ab/", 3), 0);
	at = reader(answer.list.count);
	assert_true(parse_splits_next(&at, &record, name, directory));
	assert_string_equal(name, "ab");
	assert_string_equal(directory, "/");
	assert_false(parse_splits_next(&at, &record, name, directory));

	answer.list.count = 0;
	record.name_bytes = PATH_MAX;
	assert_int_equal(worker_bytes_add(&answer, &record, sizeof(record)), 0);
	assert_int_equal(worker_bytes_add(&answer, long_name, sizeof(long_name)), 0);
	at = reader(answer.list.count);
	assert_false(parse_splits_next(&at, &record, name, directory));
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_parse_records__what_was_written_is_read),
		TEST(test_parse_records__every_cut_is_no_record),
		TEST(test_parse_records__one_for_each_address_makes_sense),
		TEST(test_parse_records__names_that_were_not_asked_for_make_none),
		TEST(test_parse_records__a_range_beside_its_address_makes_none),
		TEST(test_parse_records__splits_with_names_beyond_a_path_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
