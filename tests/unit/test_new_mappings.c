/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/new_mappings.h"

static struct new_mappings *mappings;
static const struct new_mapping *list;
static bool lost;

static int set_up(void **state)
{
	return new_mappings_new(&mappings);
}

static int tear_down(void **state)
{
	new_mappings_free(mappings);
	return 0;
}

static void add(uint32_t tgid, uint64_t start)
{
	new_mappings_add(mappings, &(struct new_mapping){.start = start, .end = start + 1, .tgid = tgid});
}

static void test_new_mappings__what_is_followed_is_told_once(void **state)
{
	new_mappings_follow(mappings, 4711);
	add(4711, 5);
	add(4712, 6);
	assert_int_equal(new_mappings_take(mappings, &list, &lost), 1);
	assert_int_equal(list[0].tgid, 4711);
	assert_int_equal(list[0].start, 5);
	assert_false(lost);
	assert_int_equal(new_mappings_take(mappings, &list, &lost), 0);
	add(4711, 7);
	assert_int_equal(new_mappings_take(mappings, &list, &lost), 1);
	assert_int_equal(list[0].start, 7);
}

static void test_new_mappings__who_maps_on_and_on_leaves_room_for_others(void **state)
{
	size_t count;

	new_mappings_follow(mappings, 4712);
	new_mappings_follow(mappings, 4711);
	for (uint64_t i = 0; i < 100000; i++)
		add(4712, 5);
	add(4711, 6);
	count = new_mappings_take(mappings, &list, &lost);
	assert_int_equal(count, NEW_MAPPINGS_OF_ONE_MAX + 1);
	assert_false(lost);
	assert_int_equal(list[0].tgid, 4711);
	/* One stands for all that were not noted: anything, at any time. */
	for (size_t i = 1; i < count; i++)
		if (list[i].end == UINT64_MAX && list[i].time_ns == UINT64_MAX)
			return;
	fail_msg("what was left out is not told");
}

static void test_new_mappings__what_has_no_room_is_said(void **state)
{
	for (uint32_t tgid = 0; tgid <= NEW_MAPPINGS_MAX; tgid++) {
		new_mappings_follow(mappings, tgid);
		add(tgid, 5);
	}
	assert_int_equal(new_mappings_take(mappings, &list, &lost), NEW_MAPPINGS_MAX);
	assert_true(lost);
	assert_int_equal(new_mappings_take(mappings, &list, &lost), 0);
	assert_false(lost);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_new_mappings__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_followed_is_told_once),
		TEST(who_maps_on_and_on_leaves_room_for_others),
		TEST(what_has_no_room_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
