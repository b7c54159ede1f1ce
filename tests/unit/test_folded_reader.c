/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/profile/folded_reader.h"

struct read {
	struct call_tree tree;
	struct folded_read_report report;
};

/* Feeds @text in pieces of @piece bytes. */
static void read_pieces(struct read *read, const char *text, size_t length, size_t piece, bool reverse)
{
	struct folded_reader reader;

	assert_int_equal(call_tree_init(&read->tree), 0);
	folded_reader_init(&reader, &read->tree, reverse);
	for (size_t at = 0; at < length; at += piece) {
		/* A copy of its own, so that reading beyond the piece is seen by the sanitizers. */
		size_t bytes = length - at < piece ? length - at : piece;
		char *copy = malloc(bytes);

		assert_non_null(copy);
		memcpy(copy, text + at, bytes);
		assert_int_equal(folded_reader_feed(&reader, copy, bytes), 0);
		free(copy);
	}
	assert_int_equal(folded_reader_finish(&reader), 0);
	assert_int_equal(call_tree_finish(&read->tree), 0);
	read->report = reader.report;
	folded_reader_deinit(&reader);
}

static void read_text(struct read *read, const char *text)
{
	read_pieces(read, text, strlen(text), 4096, false);
}

/* "a/b=3 " for each node with counts of its own. */
static char *shown(const struct read *read)
{
	static char out[4096];
	const char *path[64] = {0};
	size_t used = 0;
	uint32_t depth = 0;

	out[0] = '\0';
	for (uint32_t node = 0; node != CALL_TREE_NONE; node = call_tree_next(&read->tree, node, true, &depth)) {
		path[depth] = call_tree_name(&read->tree, node);
		if (!read->tree.nodes.items[node].self)
			continue;
		for (uint32_t i = 1; i <= depth; i++)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s", i > 1 ? "/" : "", path[i]);
		used += (size_t)snprintf(out + used, sizeof(out) - used, "=%lu ",
					 (unsigned long)read->tree.nodes.items[node].self);
	}
	return out;
}

static uint8_t kind_of(const struct read *read, const char *name)
{
	for (size_t i = 0; i < read->tree.frames.count; i++)
		if (!strcmp(string_table_text(&read->tree.strings, read->tree.frames.items[i].name), name))
			return read->tree.frames.items[i].kind;
	fail_msg("no frame '%s'", name);
	return 0;
}

static void test_folded_reader__equal_stacks_add_up_and_prefixes_are_shared(void **state)
{
	struct read read;

	read_text(&read, "a;b;c 1\na;b 2\na;bc 4\na;b;c 8\na;b;c;d 16\nx 32\na 64\n");
	assert_string_equal(shown(&read), "a=64 a/b=2 a/b/c=9 a/b/c/d=16 a/bc=4 x=32 ");
	assert_int_equal(read.tree.nodes.count, 7);
	assert_int_equal(read.report.lines, 7);
	assert_int_equal(read.report.bad, 0);
	call_tree_deinit(&read.tree);
}

static void test_folded_reader__pieces_of_any_size_give_the_same_tree(void **state)
{
	static const char text[] = "main;read_[k] 3\r\nmain;write two 12.4\n\nbroken\nmain;x 5 7\nmain;last 9";

	for (size_t piece = 1; piece <= sizeof(text); piece++) {
		struct read read;

		read_pieces(&read, text, sizeof(text) - 1, piece, false);
		assert_string_equal(shown(&read), "main/last=9 main/read=3 main/write two=12 main/x=7 ");
		assert_int_equal(read.report.bad, 1);
		assert_int_equal(read.report.bad_line, 4);
		call_tree_deinit(&read.tree);
	}
}

static void test_folded_reader__fractions_are_rounded_and_counted(void **state)
{
	struct read read;

	read_text(&read, "a 12.5\nb 12.49\nc 3.0\nd 7.\n");
	assert_string_equal(shown(&read), "a=13 b=12 c=3 d=7 ");
	assert_int_equal(read.report.fractions, 2);
	call_tree_deinit(&read.tree);
}

static void test_folded_reader__of_two_columns_the_last_one_counts(void **state)
{
	struct read read;

	read_text(&read, "a;b 3 5\na;c 4 0\n12 5\n");
	assert_string_equal(shown(&read), "12=5 a/b=5 ");
	assert_int_equal(read.report.two_columns, 2);
	call_tree_deinit(&read.tree);
}

static void test_folded_reader__suffixes_become_kinds_and_leave_the_name(void **state)
{
	struct read read;

	read_text(&read, "main;Foo.bar_[j];inner_[i];app.py:f_[p];-;do_syscall_[k];--;wake_[w];_[k];[unknown] 1\n");
	assert_int_equal(kind_of(&read, "main"), FRAME_USER);
	assert_int_equal(kind_of(&read, "Foo.bar"), FRAME_JIT);
	assert_int_equal(kind_of(&read, "inner"), FRAME_INLINED);
	assert_int_equal(kind_of(&read, "app.py:f"), FRAME_PYTHON);
	assert_int_equal(kind_of(&read, "do_syscall"), FRAME_KERNEL);
	assert_int_equal(kind_of(&read, "-"), FRAME_DELIMITER);
	assert_int_equal(kind_of(&read, "--"), FRAME_DELIMITER);
	assert_int_equal(kind_of(&read, "wake_[w]"), FRAME_USER);
	assert_int_equal(kind_of(&read, "_[k]"), FRAME_USER);
	assert_false(read.tree.frames.items[read.tree.frames.count - 1].named);
	assert_true(read.tree.frames.items[0].named);
	call_tree_deinit(&read.tree);
}

static void test_folded_reader__what_has_no_count_is_counted_as_bad_and_not_lost_in_silence(void **state)
{
	static const char *const bad[] = {
		"a;b",
		"a;b x",
		"a;b 1x",
		"a;b -3",
		"a;b 1e3",
		"a;b .5",
		"a;b 1000000000000000001",
		"a;b 99999999999999999999999",
		"a;b3",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct read read;
		char text[128];

		snprintf(text, sizeof(text), "good 1\n%s\ngood 1\n", bad[i]);
		read_text(&read, text);
		assert_string_equal(shown(&read), "good=2 ");
		assert_int_equal(read.report.bad, 1);
		assert_int_equal(read.report.bad_line, 2);
		assert_int_equal(read.report.lines, 3);
		call_tree_deinit(&read.tree);
	}
}

static void test_folded_reader__empty_frames_are_shown_and_empty_stacks_keep_their_counts(void **state)
{
	struct read read;

	read_text(&read, "a;;b 1\n;c 2\nd; 4\n 8\n");
	assert_string_equal(shown(&read), "=8 [empty]/c=2 a/[empty]/b=1 d/[empty]=4 ");
	call_tree_deinit(&read.tree);
}

static void test_folded_reader__too_long_lines_are_skipped_whole_and_counted(void **state)
{
	size_t length = 2 * FOLDED_LINE_BYTES_MAX + 100;
	char *text = malloc(length);
	struct read read;

	assert_non_null(text);
	memset(text, 'x', length);
	memcpy(text, "a 1\n", 4);
	memcpy(text + length - 8, " 7\na;b 2", 8);
	for (size_t piece = 1000; piece <= length; piece *= 13) {
		read_pieces(&read, text, length, piece, false);
		assert_string_equal(shown(&read), "a=1 a/b=2 ");
		assert_int_equal(read.report.too_long, 1);
		assert_int_equal(read.report.bad_line, 2);
		assert_int_equal(read.report.lines, 3);
		call_tree_deinit(&read.tree);
	}
	free(text);
}

static void test_folded_reader__a_line_just_below_the_cap_is_taken(void **state)
{
	size_t length = FOLDED_LINE_BYTES_MAX;
	char *text = malloc(length + 1);
	struct read read;

	assert_non_null(text);
	for (size_t i = 0; i < length; i++)
		text[i] = i & 1 ? ';' : 'x';
	memcpy(text + length - 5, "end 3", 5);
	text[length - 1] = '\n';
	text[length - 2] = '3';
	text[length - 3] = ' ';
	read_pieces(&read, text, length, 100000, false);
	assert_int_equal(read.report.too_long, 0);
	assert_int_equal(read.tree.nodes.items[0].total, 3);
	assert_true(read.tree.nodes.count > FOLDED_LINE_BYTES_MAX / 2 - 10);
	call_tree_deinit(&read.tree);
	free(text);
}

static void test_folded_reader__reverse_merges_from_the_leaf(void **state)
{
	struct read read;

	read_pieces(&read, "a;b;c 1\nx;b;c 2\nc 4\n", 20, 7, true);
	assert_string_equal(shown(&read), "c=4 c/b/a=1 c/b/x=2 ");
	call_tree_deinit(&read.tree);
}

static void test_folded_reader__bytes_that_are_no_text_are_read_to_the_end(void **state)
{
	static const char text[] = "a\xff\xc3;b\x01 2\n\x00\x00 3\n;;;;; 1\n\x80 4\n";
	struct read read;

	read_pieces(&read, text, sizeof(text) - 1, 5, false);
	assert_int_equal(read.tree.nodes.items[0].total, 10);
	call_tree_deinit(&read.tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_folded_reader__##name)
		T(equal_stacks_add_up_and_prefixes_are_shared),
		T(pieces_of_any_size_give_the_same_tree),
		T(fractions_are_rounded_and_counted),
		T(of_two_columns_the_last_one_counts),
		T(suffixes_become_kinds_and_leave_the_name),
		T(what_has_no_count_is_counted_as_bad_and_not_lost_in_silence),
		T(empty_frames_are_shown_and_empty_stacks_keep_their_counts),
		T(too_long_lines_are_skipped_whole_and_counted),
		T(a_line_just_below_the_cap_is_taken),
		T(reverse_merges_from_the_leaf),
		T(bytes_that_are_no_text_are_read_to_the_end),
	};

	return cmocka_run_group_tests_name("folded_reader", tests, NULL, NULL);
}
