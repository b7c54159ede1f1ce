/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folded_reader: folded stacks from any tool, into a call tree.
 *
 * One line is `frame;frame;frame COUNT`, root first. What tools write is wider than that, and is taken too: counts with
 * a fraction (rounded to the nearest whole one), the two columns of differential stacks (the last one counts), CR before
 * the newline, a last line without one. Suffixes _[k] kernel, _[j] JIT, _[i] inlined, _[p] Python become the frame's kind and leave
 * its name; "-" and "--" are delimiters; a name in square brackets is a reason, not a name. An empty frame is kept as
 * "[empty]", a line without frames counts on the root.
 *
 * Text is read as it comes, in pieces of any size; memory is the tree, one line, and its frames. What does not parse is
 * counted in the report, never dropped in silence.
 */
#ifndef STOKER_FOLDED_READER_H
#define STOKER_FOLDED_READER_H

#include <stdbool.h>

#include "profiler/profile/call_tree.h"

#define FOLDED_LINE_BYTES_MAX (1u << 20)
#define FOLDED_COUNT_MAX 1000000000000000000ull

struct folded_read_report {
	uint64_t lines;	      /* all but empty ones */
	uint64_t bad;	      /* … without a count, or with one above FOLDED_COUNT_MAX: not in the tree */
	uint64_t too_long;    /* … of FOLDED_LINE_BYTES_MAX or more: not in the tree */
	uint64_t bad_line;    /* number of the first line that was not taken, from 1; 0 where all were */
	uint64_t fractions;   /* lines whose count was rounded */
	uint64_t two_columns; /* lines with two counts, of which the last was taken */
};

struct folded_path_step {
	uint32_t node;
	uint32_t end; /* offset in the previous line's stack of the ';' or of the end */
};

struct folded_reader {
	struct call_tree *tree; /* the caller's */
	bool reverse;
	struct folded_read_report report;
	uint64_t line_number;
	ARRAY(char) carry;		     /* a line whose end is still to come */
	bool skipping;			     /* in a line that is too long */
	ARRAY(char) previous;		     /* stack of the line before */
	ARRAY(struct folded_path_step) path; /* its nodes */
};

/**
 * folded_reader_init() - ready to fill @tree, which stays the caller's and must outlive the reader
 * @reverse: leaf first
 */
void folded_reader_init(struct folded_reader *reader, struct call_tree *tree, bool reverse);
void folded_reader_deinit(struct folded_reader *reader);

/* Takes the next @length bytes of the text. Returns 0 or -ENOMEM. */
int folded_reader_feed(struct folded_reader *reader, const char *text, size_t length);

/* Feeds from @fd until its end. Returns 0, -ENOMEM, or what read(2) gave. */
int folded_reader_feed_fd(struct folded_reader *reader, int fd);

/* Takes a last line without a newline. The tree still needs call_tree_finish(). Returns 0 or -ENOMEM. */
int folded_reader_finish(struct folded_reader *reader);

#endif
