/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folded: stacks as lines of text, `frame;frame;frame COUNT`, in the form that every reader takes.
 *
 * The order is the tree's, so equal trees give equal bytes. There is no way to escape anything in this format, hence
 * what would break a reader is replaced: white space by '_' (flamegraph.pl takes a leaf that ends in " 12" for a
 * differential column), ';' by ':', "->" by "=>" (palette files split there), control characters by '?', invalid UTF-8
 * by U+FFFD (a reader that decodes drops the whole line). An empty name is "[empty]".
 *
 * Kinds are suffixes: _[k] kernel, _[j] JIT, _[i] inlined, _[p] Python. A name that ends like one gets round brackets instead.
 * Lines stay below 64 KiB, where Go's line scanner (Pyroscope) stops without a word: a name is cut at 4 KiB, and a
 * stack loses frames in its middle, with a frame "[123_frames_cut]" in their place.
 */
#ifndef STOKER_RENDER_FOLDED_H
#define STOKER_RENDER_FOLDED_H

#include <stdbool.h>
#include <stdio.h>

#include "profiler/profile/call_tree.h"

struct folded_report {
	uint64_t lines;
	uint64_t stacks_cut; /* lines that lost frames in their middle */
	uint64_t names_cut;  /* names in the tree that were longer than 4 KiB */
};

struct folded_options {
	bool no_annotations;	      /* leave out _[k], _[j], _[i], _[p] */
	struct folded_report *report; /* filled in, also on failure; may be NULL */
};

/**
 * render_folded() - write a finished tree
 * @options: may be NULL
 * Returns 0, -ENOMEM, or what write(2) gave; -EPIPE where the reader went away. @out is flushed, not closed.
 */
int render_folded(const struct call_tree *tree, const struct folded_options *options, FILE *out);

#endif
