/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/new_mappings.h"

static struct new_mappings *mappings;
static const struct new_mapping *list;
static size_t count;

static int set_up(void **state)
{
	return new_mappings_new(&mappings);
}

static int tear_down(void **state)
{
	new_mappings_free(mappings);
	return 0;
}

static void follow(uint32_t tgid)
{
	assert_int_equal(new_mappings_follow(mappings, tgid), 0);
}

static void add(uint32_t tgid, uint64_t start, bool anonymous)
{
	new_mappings_add(mappings, &(struct new_mapping){start, start + 1, start, tgid, anonymous});
}

/* Returns how many ranges are told. */
static size_t take(void)
{
	assert_int_equal(new_mappings_take(mappings, &list, &count), 0);
	return count;
}

static bool is_told(uint32_t tgid, uint64_t start, bool anonymous)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].tgid == tgid && list[i].start <= start && list[i].end > start && list[i].time_ns >= start &&
		    list[i].anonymous == anonymous)
			return true;
	return false;
}

static void test_new_mappings__what_is_followed_is_told_once(void **state)
{
	follow(4711);
	add(4711, 5, false);
	add(4712, 6, false);
	assert_int_equal(take(), 1);
	assert_true(is_told(4711, 5, false));
	assert_int_equal(take(), 0);
	add(4711, 7, false);
	assert_int_equal(take(), 1);
	assert_int_equal(list[0].start, 7);
}

static void test_new_mappings__who_maps_on_and_on_takes_no_room_and_nothing_is_missed(void **state)
{
	/* Those of the first two would share any place by a remainder. */
	for (uint32_t i = 0; i < 1000; i++)
		follow(7 + 65536 * i);
	for (uint64_t i = 0; i < 100000; i++) {
		add(7, 10 * i, false);
		add(7 + 65536, 10 * i, false);
	}
	for (uint32_t i = 2; i < 1000; i++)
		add(7 + 65536 * i, 5, false);
	assert_int_equal(take(), 2 * NEW_MAPPINGS_RANGES_MAX + 998);
	for (size_t i = 1; i < count; i++)
		assert_true(list[i].tgid >= list[i - 1].tgid);
	for (uint64_t i = 0; i < 100000; i += 99) {
		assert_true(is_told(7, 10 * i, false));
		assert_true(is_told(7 + 65536, 10 * i, false));
	}
	for (uint32_t i = 2; i < 1000; i++)
		assert_true(is_told(7 + 65536 * i, 5, false));
}

static void test_new_mappings__code_that_is_made_hides_no_library(void **state)
{
	follow(4711);
	for (uint64_t i = 0; i < 100000; i++)
		add(4711, 1000000 + i, true);
	add(4711, 5, false);
	assert_int_equal(take(), 2);
	assert_true(is_told(4711, 5, false));
	assert_true(is_told(4711, 1000000, true));
	assert_false(is_told(4711, 5, true));
}

static void test_new_mappings__what_lies_apart_stays_apart(void **state)
{
	follow(4711);
	for (uint64_t i = 0; i < 1000; i++)
		for (uint64_t place = 0; place < NEW_MAPPINGS_RANGES_MAX; place++)
			add(4711, place * 1000000 + i * 7, true);
	assert_int_equal(take(), NEW_MAPPINGS_RANGES_MAX);
	assert_true(is_told(4711, 5 * 1000000, true));
	assert_false(is_told(4711, 5 * 1000000 - 1, true));
}

static void test_new_mappings__who_is_forgotten_is_not_followed_any_more(void **state)
{
	follow(4711);
	follow(4711);
	new_mappings_unfollow(mappings, 4711);
	add(4711, 5, false);
	assert_int_equal(take(), 1);
	add(4711, 5, false);
	new_mappings_unfollow(mappings, 4711);
	add(4711, 6, false);
	assert_int_equal(take(), 0);
	follow(4711);
	assert_int_equal(take(), 0);
}

static void test_new_mappings__lost_records_may_be_of_anybody_who_is_followed(void **state)
{
	follow(4711);
	follow(4712);
	add(4711, 5, false);
	add(4711, 2000, false);
	for (int i = 0; i < 3; i++)
		new_mappings_lost(mappings, 1000);
	assert_int_equal(take(), 3);
	for (uint64_t start = 0; start <= 1000; start += 100) {
		assert_true(is_told(4711, start, false));
		assert_true(is_told(4712, start, false));
	}
	assert_true(is_told(4711, 2000, false));
	assert_int_equal(take(), 0);
	follow(4713);
	assert_int_equal(take(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_new_mappings__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_followed_is_told_once),
		TEST(who_maps_on_and_on_takes_no_room_and_nothing_is_missed),
		TEST(code_that_is_made_hides_no_library),
		TEST(what_lies_apart_stays_apart),
		TEST(who_is_forgotten_is_not_followed_any_more),
		TEST(lost_records_may_be_of_anybody_who_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
