/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_debug: the rows that a file lacks and its debug file has.
 *
 * That is musl's C library: its unwind data is in a debug file, if anywhere. The places are those where names are looked
 * for (debug_files.h), on the host first, then in the root of a process that maps the file; the parser's child decides by
 * build-id or CRC whether what is there is right. What lies inside of a root is its container's word: it is not good for
 * a file that another root maps too, which the caller knows.
 *
 * Paths inside are walked by children that can be left behind (path_lookup.h). For one thread.
 */
#ifndef SYMBOLIZER_UNWIND_DEBUG_H
#define SYMBOLIZER_UNWIND_DEBUG_H

#include "symbolizer/unwind_files.h"
#include "symbolizer/unwind_parser.h"

struct unwind_debug;

/* @parser: stays the caller's, and must live longer. Returns 0 or -ENOMEM. */
int unwind_debug_new(struct unwind_parser *parser, struct unwind_debug **ret_debug);
void unwind_debug_free(struct unwind_debug *debug);

/**
 * unwind_debug_rows() - those of a file together with its debug file's
 * @path_fd: the file
 * @root: in which it may be looked for beside the host; pid 0: in none
 * @rows: of the file alone, which lacks some; replaced where there is a debug file that has more
 * @ret_inside: it was found inside of @root, which is not the host's
 * Returns 0, or -ENOENT.
 */
int unwind_debug_rows(struct unwind_debug *debug, int path_fd, const struct unwind_root *root, struct unwind_rows *rows,
		      bool *ret_inside);

#endif
