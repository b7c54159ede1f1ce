/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/profile/call_tree.h"

static uint32_t frame(struct call_tree *tree, const char *name, enum frame_kind kind)
{
	uint32_t number;

	assert_int_equal(call_tree_frame(tree, name, strlen(name), kind, &number), 0);
	return number;
}

static uint32_t child(struct call_tree *tree, uint32_t parent, const char *name)
{
	uint32_t node;

	assert_int_equal(call_tree_child(tree, parent, frame(tree, name, FRAME_USER), &node), 0);
	return node;
}

static int set_up(void **state)
{
	static struct call_tree tree;

	*state = &tree;
	return call_tree_init(&tree);
}

static int tear_down(void **state)
{
	call_tree_deinit(*state);
	return 0;
}

static void test_call_tree__frames_are_the_same_when_name_and_kind_are(void **state)
{
	struct call_tree *tree = *state;
	uint32_t user = frame(tree, "read", FRAME_USER);

	assert_int_equal(frame(tree, "read", FRAME_USER), user);
	assert_int_not_equal(frame(tree, "read", FRAME_KERNEL), user);
	assert_int_not_equal(frame(tree, "write", FRAME_USER), user);
	assert_int_equal(tree->frames.count, 3);
	assert_true(tree->frames.items[user].named);
	assert_int_equal(tree->frames.items[user].module, 0);
}

static void test_call_tree__too_long_names_are_refused_and_leave_the_tree_as_it_was(void **state)
{
	static char name[1 << 20];
	struct call_tree *tree = *state;
	uint32_t number = 77;

	memset(name, 'x', sizeof(name));
	assert_int_equal(call_tree_frame(tree, name, sizeof(name), FRAME_USER, &number), -E2BIG);
	assert_int_equal(number, 77);
	assert_int_equal(tree->frames.count, 0);
}

static void test_call_tree__each_child_of_a_wide_node_is_found_again(void **state)
{
	struct call_tree *tree = *state;
	uint32_t parent = child(tree, 0, "dispatch"), nodes[500];
	char name[16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 500; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			if (!round)
				nodes[i] = child(tree, parent, name);
			assert_int_equal(child(tree, parent, name), nodes[i]);
		}
	}
	assert_int_equal(tree->nodes.count, 502);
}

static void test_call_tree__totals_are_own_counts_and_all_below(void **state)
{
	struct call_tree *tree = *state;
	uint32_t a = child(tree, 0, "a"), b = child(tree, a, "b"), c = child(tree, a, "c");

	call_tree_count(tree, a, 1);
	call_tree_count(tree, b, 10);
	call_tree_count(tree, c, 100);
	call_tree_count(tree, c, 100);
	assert_int_equal(call_tree_finish(tree), 0);
	assert_int_equal(tree->nodes.items[c].total, 200);
	assert_int_equal(tree->nodes.items[a].total, 211);
	assert_int_equal(tree->nodes.items[a].self, 1);
	assert_int_equal(tree->nodes.items[0].total, 211);
}

static void test_call_tree__sums_stop_at_the_largest_number(void **state)
{
	struct call_tree *tree = *state;

	call_tree_count(tree, child(tree, 0, "a"), UINT64_MAX - 1);
	call_tree_count(tree, child(tree, 0, "a"), 5);
	call_tree_count(tree, child(tree, 0, "b"), 7);
	assert_int_equal(call_tree_finish(tree), 0);
	assert_true(tree->nodes.items[child(tree, 0, "a")].self == UINT64_MAX);
	assert_true(tree->nodes.items[0].total == UINT64_MAX);
}

static void test_call_tree__siblings_are_in_the_order_of_their_names_however_they_came(void **state)
{
	static const char *const came[] = {"m", "z", "a", "q", "c", "y", "b", "x"};
	struct call_tree *tree = *state;
	char order[16] = "";
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(came); i++)
		child(tree, 0, came[i]);
	assert_int_equal(call_tree_finish(tree), 0);
	for (uint32_t node = tree->nodes.items[0].first_child; node != CALL_TREE_NONE;
	     node = tree->nodes.items[node].next_sibling)
		order[used++] = *call_tree_name(tree, node);
	assert_string_equal(order, "abcmqxyz");
}

static void test_call_tree__walk_visits_parents_first_and_can_skip_what_is_below(void **state)
{
	struct call_tree *tree = *state;
	uint32_t b = child(tree, 0, "b"), depth = 0, node;
	char path[64] = "";
	size_t used = 0;

	child(tree, child(tree, b, "c"), "d");
	child(tree, child(tree, 0, "a"), "skipped");
	child(tree, b, "e");
	assert_int_equal(call_tree_finish(tree), 0);
	for (node = 0; node != CALL_TREE_NONE;) {
		const char *name = call_tree_name(tree, node);

		used += (size_t)snprintf(path + used, sizeof(path) - used, "%s%u ", name, depth);
		node = call_tree_next(tree, node, strcmp(name, "a") != 0, &depth);
	}
	assert_string_equal(path, "all0 a1 b1 c2 d3 e2 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_call_tree__##name, set_up, tear_down)
		T(frames_are_the_same_when_name_and_kind_are),
		T(too_long_names_are_refused_and_leave_the_tree_as_it_was),
		T(each_child_of_a_wide_node_is_found_again),
		T(totals_are_own_counts_and_all_below),
		T(sums_stop_at_the_largest_number),
		T(siblings_are_in_the_order_of_their_names_however_they_came),
		T(walk_visits_parents_first_and_can_skip_what_is_below),
	};

	return cmocka_run_group_tests_name("call_tree", tests, NULL, NULL);
}
