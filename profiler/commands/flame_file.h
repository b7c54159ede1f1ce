/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flame_file: a flame graph as a file, for `stoker flame` and for the one-shot `stoker SECONDS`.
 *
 * Nothing is logged here. A file is replaced as a whole or not at all (whole_file.h).
 */
#ifndef STOKER_FLAME_FILE_H
#define STOKER_FLAME_FILE_H

#include "profiler/profile/profile.h"
#include "profiler/render/svg.h"

/**
 * flame_file_draw() - write a finished tree
 * @profile: where the tree comes from: its facts become the footer; NULL for folded stacks
 * @options: its footer is not looked at
 * @path: "-" is standard output
 * Returns 0, -ENODATA where the tree has no counts, or what memory, open(2) or write(2) gave.
 */
int flame_file_draw(const struct call_tree *tree, const struct profile *profile, const struct svg_options *options,
		    const char *path);

/**
 * flame_file_write() - what the query asks for, with the looks of `stoker flame` without options
 * @path: "-" is standard output
 * Returns what flame_file_draw() does; -ENOENT or -EEXIST for a container that the query names and nobody is, or several.
 */
int flame_file_write(const struct profile *profile, const struct profile_query *query, const char *path);

/**
 * flame_file_palette() - for those who did not choose: first frames that are containers or pods get a hue each
 * @by: enum profile_grouping, or QUERY_BY_DEFAULT
 */
enum svg_palette flame_file_palette(const struct profile *profile, int by);

#endif
