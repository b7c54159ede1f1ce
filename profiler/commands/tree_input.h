/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree_input: a call tree from whatever FILE names: a recording, folded stacks of any tool, or "-" for either of them.
 *
 * Folded stacks are text; a file with a recording's magic or a NUL among its first bytes is taken for a recording, and so is
 * one that holds nothing.
 */
#ifndef STOKER_TREE_INPUT_H
#define STOKER_TREE_INPUT_H

#include "profiler/commands/commands.h"
#include "profiler/commands/query_options.h"

struct tree_input {
	struct call_tree tree;	 /* finished */
	struct profile *profile; /* where the tree came from; NULL for folded stacks */
};

/**
 * tree_input_load() - read FILE and ask it
 * @settings: where it needs a recording, folded stacks are refused as EXIT_USAGE
 * @ret_input: initialised where this returns EXIT_OK, with at least one sample in the tree; else untouched
 * Every other status comes with one logged line. What was not readable of folded stacks is a warning.
 */
enum exit_status tree_input_load(const char *command, const char *path, const struct query_settings *settings,
				 struct tree_input *ret_input);
void tree_input_deinit(struct tree_input *input);

#endif
