/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/render/folded.h"

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

static uint32_t add(struct call_tree *tree, uint32_t parent, const char *name, size_t length, enum frame_kind kind)
{
	uint32_t frame, node;

	assert_int_equal(call_tree_frame(tree, name, length, kind, &frame), 0);
	assert_int_equal(call_tree_child(tree, parent, frame, &node), 0);
	return node;
}

static uint32_t child(struct call_tree *tree, uint32_t parent, const char *name, enum frame_kind kind)
{
	return add(tree, parent, name, strlen(name), kind);
}

/* The rendered text; to be freed. */
static char *rendered(struct call_tree *tree, const struct folded_options *options, size_t *ret_length)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	assert_int_equal(call_tree_finish(tree), 0);
	assert_int_equal(render_folded(tree, options, out), 0);
	fclose(out);
	if (ret_length)
		*ret_length = length;
	return text;
}

static void check(struct call_tree *tree, const struct folded_options *options, const char *wanted)
{
	char *text = rendered(tree, options, NULL);

	assert_string_equal(text, wanted);
	free(text);
}

static void test_render_folded__lines_are_root_first_in_the_order_of_names(void **state)
{
	struct call_tree *tree = *state;
	uint32_t b = child(tree, 0, "b", FRAME_DELIMITER);

	call_tree_count(tree, child(tree, b, "z", FRAME_USER), 1);
	call_tree_count(tree, child(tree, b, "c", FRAME_USER), 2);
	call_tree_count(tree, b, 3);
	call_tree_count(tree, child(tree, 0, "a", FRAME_DELIMITER), 18446744073709551615u);
	check(tree, NULL, "a 18446744073709551615\nb 3\nb;c 2\nb;z 1\n");
}

static void test_render_folded__kinds_are_suffixes_unless_they_are_not_wanted(void **state)
{
	const struct folded_options plain = {.no_annotations = true};
	struct call_tree *tree = *state;
	uint32_t node = child(tree, 0, "web", FRAME_DELIMITER);

	node = child(tree, node, "main", FRAME_USER);
	node = child(tree, node, "run", FRAME_JIT);
	node = child(tree, node, "get", FRAME_INLINED);
	node = child(tree, node, "app.py:f", FRAME_PYTHON);
	call_tree_count(tree, child(tree, node, "read", FRAME_KERNEL), 1);
	check(tree, NULL, "web;main;run_[j];get_[i];app.py:f_[p];read_[k] 1\n");
	check(tree, &plain, "web;main;run;get;app.py:f;read 1\n");
}

static void test_render_folded__nothing_in_a_name_breaks_a_line_or_passes_for_a_column(void **state)
{
	static const struct {
		const char *raw, *safe;
	} names[] = {
		{"leaf 12", "leaf_12"},
		{"a;b", "a:b"},
		{"a\nb\r\tc\v\fd", "a_b__c__d"},
		{"\x01\x1b[31m\x7f", "??[31m?"},
		{"", "[empty]"},
		{"\xff"
		 "x",
		 "\xef\xbf\xbd"
		 "x"},
		{"cut \xe2\x82", "cut_\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"fn() -> int", "fn()_=>_int"},
		{"-->", "-=>"},
		{"a\xc2\xa0"
		 "1",
		 "a_1"},
		{"a\xe2\x80\xa8"
		 "1",
		 "a_1"},
		{"a\xe3\x80\x80"
		 "1",
		 "a_1"},
		{"a\xc2\x85"
		 "1",
		 "a_1"},
		{"\xe2\x80\xaetxet", "?txet"},
		{"mine_[k]", "mine_(k)"},
		{"mine_[j]", "mine_(j)"},
		{"caf\xc3\xa9 \xf0\x9f\x94\xa5", "caf\xc3\xa9_\xf0\x9f\x94\xa5"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct call_tree tree;
		char wanted[64];

		assert_int_equal(call_tree_init(&tree), 0);
		call_tree_count(&tree, child(&tree, child(&tree, 0, "web", FRAME_USER), names[i].raw, FRAME_USER), 5);
		snprintf(wanted, sizeof(wanted), "web;%s 5\n", names[i].safe);
		check(&tree, NULL, wanted);
		call_tree_deinit(&tree);
	}
}

static void test_render_folded__counts_without_a_stack_keep_a_line(void **state)
{
	struct call_tree *tree = *state;

	call_tree_count(tree, 0, 4);
	check(tree, NULL, "[no_stack] 4\n");
}

static void test_render_folded__deep_stacks_stay_below_64_KiB_with_root_and_leaf(void **state)
{
	struct folded_report report = {0};
	const struct folded_options options = {.report = &report};
	struct call_tree *tree = *state;
	uint32_t node = child(tree, 0, "container", FRAME_DELIMITER);
	char name[64], *text, *marker;
	size_t length, cut;

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "function_number_%d", i);
		node = child(tree, node, name, FRAME_USER);
	}
	call_tree_count(tree, child(tree, node, "leaf", FRAME_KERNEL), 9);
	text = rendered(tree, &options, &length);
	assert_true(length < 65536);
	assert_true(length > 60000);
	assert_memory_equal(text, "container;function_number_0;", 28);
	assert_string_equal(strrchr(text, ';'), ";leaf_[k] 9\n");
	marker = strstr(text, ";[");
	assert_non_null(marker);
	assert_int_equal(sscanf(marker, ";[%zu_frames_cut];function_number_", &cut), 1);
	for (char *c = text; *c; c++)
		cut += *c == ';';
	/* 5002 frames are the ones left out, and as many as there are ';', and one more, less the marker. */
	assert_int_equal(cut, 5002);
	assert_int_equal(report.stacks_cut, 1);
	assert_int_equal(report.lines, 1);
	free(text);
}

static void test_render_folded__huge_names_are_cut_at_a_character(void **state)
{
	static char name[100000];
	struct folded_report report = {0};
	const struct folded_options options = {.report = &report};
	struct call_tree *tree = *state;
	uint32_t node = 0;
	char *text;
	size_t length;

	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa9", 2);
	for (int i = 0; i < 40; i++) {
		name[0] = 'a' + i % 26;
		name[1] = 'a' + i / 26;
		node = add(tree, node, name, sizeof(name), FRAME_JIT);
	}
	call_tree_count(tree, node, 1);
	text = rendered(tree, &options, &length);
	assert_true(length < 65536);
	assert_int_equal(report.names_cut, 40);
	assert_int_equal(report.stacks_cut, 1);
	assert_string_equal(text + length - 13, "\xa9\xc3\xa9..._[j] 1\n");
	free(text);
}

static void test_render_folded__a_reader_that_left_is_EPIPE_and_no_signal_kills(void **state)
{
	struct call_tree *tree = *state;
	int ends[2];
	FILE *out;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	out = fdopen(ends[1], "w");
	assert_non_null(out);
	call_tree_count(tree, child(tree, 0, "a", FRAME_USER), 1);
	assert_int_equal(call_tree_finish(tree), 0);
	assert_int_equal(render_folded(tree, NULL, out), -EPIPE);
	fclose(out);
}

static void test_render_folded__a_full_disk_is_an_error(void **state)
{
	struct call_tree *tree = *state;
	FILE *out = fopen("/dev/full", "w");

	assert_non_null(out);
	call_tree_count(tree, child(tree, 0, "a", FRAME_USER), 1);
	assert_int_equal(call_tree_finish(tree), 0);
	assert_int_equal(render_folded(tree, NULL, out), -ENOSPC);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_render_folded__##name, set_up, tear_down)
		T(lines_are_root_first_in_the_order_of_names),
		T(kinds_are_suffixes_unless_they_are_not_wanted),
		T(nothing_in_a_name_breaks_a_line_or_passes_for_a_column),
		T(counts_without_a_stack_keep_a_line),
		T(deep_stacks_stay_below_64_KiB_with_root_and_leaf),
		T(huge_names_are_cut_at_a_character),
		T(a_reader_that_left_is_EPIPE_and_no_signal_kills),
		T(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests_name("render_folded", tests, NULL, NULL);
}
