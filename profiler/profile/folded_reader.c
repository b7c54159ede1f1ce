/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/folded_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"

#define BLOCK_BYTES (256u << 10)

void folded_reader_init(struct folded_reader *reader, struct call_tree *tree, bool reverse)
{
	memset(reader, 0, sizeof(*reader));
	reader->tree = tree;
	reader->reverse = reverse;
}

void folded_reader_deinit(struct folded_reader *reader)
{
	array_deinit(&reader->carry);
	array_deinit(&reader->previous);
	array_deinit(&reader->path);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t trimmed(const char *text, size_t length)
{
	while (length && (is_space(text[length - 1]) || text[length - 1] == '\r'))
		length--;
	return length;
}

/* The last word of the text, where it is digits with an optional fraction; returns where it starts, or @length. */
static size_t number_start(const char *text, size_t length)
{
	size_t at = length;
	bool point = false;

	while (at && (is_digit(text[at - 1]) || (text[at - 1] == '.' && !point)))
		point |= text[--at] == '.';
	return at < length && is_digit(text[at]) ? at : length;
}

/* Rounds half up; false where it is more than any machine counts. */
static bool number_value(const char *text, size_t length, uint64_t *ret, bool *ret_fraction)
{
	uint64_t value = 0;
	size_t at = 0;

	for (; at < length && is_digit(text[at]); at++) {
		value = value * 10 + (uint64_t)(text[at] - '0');
		if (value > FOLDED_COUNT_MAX)
			return false;
	}
	*ret_fraction = false;
	for (size_t i = at + 1; i < length; i++)
		*ret_fraction |= text[i] != '0';
	*ret = value + (at + 1 < length && text[at + 1] >= '5');
	return true;
}

/* Splits "stack COUNT" or "stack BEFORE COUNT". False where there is no count. */
static bool split_line(struct folded_reader *reader, const char *line, size_t length, size_t *ret_stack,
		       uint64_t *ret_count)
{
	size_t start, stack, before;
	bool fraction;

	length = trimmed(line, length);
	start = number_start(line, length);
	if (start == length || !start || !is_space(line[start - 1]) ||
	    !number_value(line + start, length - start, ret_count, &fraction))
		return false;
	stack = trimmed(line, start);
	before = number_start(line, stack);
	/* A line "12 5" is five samples of a function called 12. */
	if (before < stack && before && is_space(line[before - 1]) && trimmed(line, before)) {
		stack = trimmed(line, before);
		reader->report.two_columns++;
	}
	reader->report.fractions += fraction;
	*ret_stack = stack;
	return true;
}

static enum frame_kind kind_of(const char *name, size_t *length)
{
	size_t n = *length;

	if (name[n - 1] == '-' && (n == 1 || (n == 2 && name[0] == '-')))
		return FRAME_DELIMITER;
	if (n < 5 || name[n - 1] != ']' || name[n - 3] != '[' || name[n - 4] != '_')
		return FRAME_USER;
	switch (name[n - 2]) {
	case 'k':
		*length -= 4;
		return FRAME_KERNEL;
	case 'j':
		*length -= 4;
		return FRAME_JIT;
	case 'i':
		*length -= 4;
		return FRAME_INLINED;
	case 'p':
		*length -= 4;
		return FRAME_PYTHON;
	}
	return FRAME_USER;
}

static int step(struct call_tree *tree, const char *name, size_t length, uint32_t parent, uint32_t *ret_node)
{
	enum frame_kind kind;
	uint32_t frame;
	int err;

	if (!length) {
		name = "[empty]";
		length = strlen(name);
	}
	kind = kind_of(name, &length);
	err = call_tree_frame(tree, name, length, kind, &frame);
	if (err)
		return err;
	if (name[0] == '[' && name[length - 1] == ']')
		tree->frames.items[frame].named = false;
	return call_tree_child(tree, parent, frame, ret_node);
}

static size_t common_bytes(const char *a, const char *b, size_t length)
{
	size_t at = 0;

	for (; at + 8 <= length; at += 8) {
		uint64_t left, right;

		memcpy(&left, a + at, 8);
		memcpy(&right, b + at, 8);
		if (left != right)
			return at + (size_t)__builtin_ctzll(left ^ right) / 8;
	}
	while (at < length && a[at] == b[at])
		at++;
	return at;
}

/* How many steps of the previous path are the beginning of this stack too. */
static size_t common_steps(const struct folded_reader *reader, const char *stack, size_t length)
{
	size_t shorter = length < reader->previous.count ? length : reader->previous.count;
	size_t common = common_bytes(stack, reader->previous.items, shorter), steps = 0;

	for (; steps < reader->path.count; steps++) {
		size_t end = reader->path.items[steps].end;

		if (end > common || (end < length && stack[end] != ';'))
			break;
	}
	return steps;
}

static int remember(struct folded_reader *reader, const char *stack, size_t length)
{
	reader->previous.count = 0;
	if (array_reserve(&reader->previous, length))
		return -ENOMEM;
	memcpy(reader->previous.items, stack, length);
	reader->previous.count = length;
	return 0;
}

/* Files are usually sorted: most of a stack is the stack of the line before, whose nodes are at hand. */
static int walk_down(struct folded_reader *reader, const char *stack, size_t length, uint32_t *ret_leaf)
{
	size_t kept = common_steps(reader, stack, length), at;
	uint32_t node = 0;
	int err = 0;

	reader->path.count = kept;
	if (kept)
		node = reader->path.items[kept - 1].node;
	at = kept ? reader->path.items[kept - 1].end + 1 : 0;
	for (; !err && at <= length; at++) {
		const char *semicolon = memchr(stack + at, ';', length - at);
		size_t end = semicolon ? (size_t)(semicolon - stack) : length;
		struct folded_path_step *next;

		err = array_reserve(&reader->path, 1);
		if (!err)
			err = step(reader->tree, stack + at, end - at, node, &node);
		if (err)
			break;
		next = &reader->path.items[reader->path.count++];
		next->node = node;
		next->end = (uint32_t)end;
		at = end;
	}
	if (!err)
		err = remember(reader, stack, length);
	if (err)
		reader->path.count = reader->previous.count = 0;
	*ret_leaf = node;
	return err;
}

static int walk_up(struct folded_reader *reader, const char *stack, size_t length, uint32_t *ret_root)
{
	uint32_t node = 0;
	size_t end = length;

	for (;;) {
		const char *semicolon = memrchr(stack, ';', end);
		size_t start = semicolon ? (size_t)(semicolon - stack) + 1 : 0;
		int err = step(reader->tree, stack + start, end - start, node, &node);

		if (err)
			return err;
		if (!semicolon)
			break;
		end = start - 1;
	}
	*ret_root = node;
	return 0;
}

static int take_line(struct folded_reader *reader, const char *line, size_t length)
{
	uint64_t count;
	uint32_t node = 0;
	size_t stack;
	int err = 0;

	reader->line_number++;
	if (!trimmed(line, length))
		return 0;
	reader->report.lines++;
	if (!split_line(reader, line, length, &stack, &count)) {
		reader->report.bad++;
		if (!reader->report.bad_line)
			reader->report.bad_line = reader->line_number;
		return 0;
	}
	if (!count)
		return 0;
	if (stack)
		err = reader->reverse ? walk_up(reader, line, stack, &node) : walk_down(reader, line, stack, &node);
	if (err)
		return err;
	call_tree_count(reader->tree, node, count);
	return 0;
}

static void too_long(struct folded_reader *reader)
{
	reader->line_number++;
	reader->report.lines++;
	reader->report.too_long++;
	if (!reader->report.bad_line)
		reader->report.bad_line = reader->line_number;
}

static int carry_on(struct folded_reader *reader, const char *text, size_t length)
{
	if (reader->skipping || !length)
		return 0;
	if (reader->carry.count + length >= FOLDED_LINE_BYTES_MAX) {
		reader->skipping = true;
		reader->carry.count = 0;
		too_long(reader);
		return 0;
	}
	if (array_reserve(&reader->carry, length))
		return -ENOMEM;
	memcpy(reader->carry.items + reader->carry.count, text, length);
	reader->carry.count += length;
	return 0;
}

static int end_line(struct folded_reader *reader, const char *text, size_t length)
{
	int err = 0;

	if (!reader->skipping && !reader->carry.count && length < FOLDED_LINE_BYTES_MAX)
		return take_line(reader, text, length);
	err = carry_on(reader, text, length);
	if (!err && !reader->skipping)
		err = take_line(reader, reader->carry.items, reader->carry.count);
	reader->carry.count = 0;
	reader->skipping = false;
	return err;
}

int folded_reader_feed(struct folded_reader *reader, const char *text, size_t length)
{
	while (length) {
		const char *newline = memchr(text, '\n', length);
		size_t line = newline ? (size_t)(newline - text) : length;
		int err = newline ? end_line(reader, text, line) : carry_on(reader, text, line);

		if (err)
			return err;
		line += newline != NULL;
		text += line;
		length -= line;
	}
	return 0;
}

int folded_reader_feed_fd(struct folded_reader *reader, int fd)
{
	_cleanup_free_ char *block = malloc(BLOCK_BYTES);

	if (!block)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, block, BLOCK_BYTES);
		int err;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return 0;
		err = folded_reader_feed(reader, block, (size_t)got);
		if (err)
			return err;
	}
}

int folded_reader_finish(struct folded_reader *reader)
{
	return reader->carry.count && !reader->skipping ? end_line(reader, "", 0) : 0;
}
