/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/map_changes.h"

static struct map_changes changes;
static uint32_t read_tgid, readings;

static int set_up(void **state)
{
	changes = (struct map_changes){0};
	read_tgid = readings = 0;
	return 0;
}

static void note_reading(void *data, uint32_t tgid)
{
	read_tgid = tgid;
	readings++;
	map_changes_made(&changes, tgid, 2049);
}

static void sweep(void)
{
	map_changes_sweep(&changes, note_reading, NULL);
}

static void map_library(uint32_t tgid, uint32_t mapped)
{
	assert_true(map_changes_at_once(&changes, tgid));
	map_changes_made(&changes, tgid, mapped + 1);
}

static void test_map_changes__a_program_with_150_libraries_is_followed_at_once(void **state)
{
	for (uint32_t i = 0; i < 150; i++)
		map_library(4711, i);
	sweep();
	assert_int_equal(readings, 0);
}

static void test_map_changes__what_maps_on_and_on_is_read_ever_more_rarely(void **state)
{
	uint32_t at_once = 0, first = 0, last = 0;

	for (uint32_t second = 1; second <= 400; second++) {
		for (int i = 0; i < 10000; i++)
			if (map_changes_at_once(&changes, 4711)) {
				map_changes_made(&changes, 4711, 2049);
				at_once++;
			}
		sweep();
		if (readings && !first)
			first = second;
		if (second == 200)
			last = readings;
	}
	assert_int_equal(first, 1);
	assert_int_equal(read_tgid, 4711);
	assert_in_range(readings - last, 3, 4);
	assert_in_range(at_once, 1, 10 * (readings + 1));
}

static void test_map_changes__others_are_not_kept_waiting(void **state)
{
	for (int i = 0; i < 100; i++)
		map_changes_made(&changes, 4711, 2049);
	assert_false(map_changes_at_once(&changes, 4711));
	assert_true(map_changes_at_once(&changes, 4712));
}

static void test_map_changes__what_has_calmed_down_or_runs_another_program_is_followed_again(void **state)
{
	for (int i = 0; i < 100; i++)
		map_changes_made(&changes, 4711, 2049);
	assert_false(map_changes_at_once(&changes, 4711));
	for (int i = 0; i < 4; i++)
		sweep();
	assert_int_equal(readings, 1);
	assert_true(map_changes_at_once(&changes, 4711));

	for (int i = 0; i < 100; i++)
		map_changes_made(&changes, 4711, 2049);
	map_changes_forget(&changes, 4711);
	assert_true(map_changes_at_once(&changes, 4711));
}

#define TEST(name) cmocka_unit_test_setup(test_map_changes__##name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_program_with_150_libraries_is_followed_at_once),
		TEST(what_maps_on_and_on_is_read_ever_more_rarely),
		TEST(others_are_not_kept_waiting),
		TEST(what_has_calmed_down_or_runs_another_program_is_followed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
