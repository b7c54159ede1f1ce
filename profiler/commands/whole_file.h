/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whole_file: an output file that is either all there or not touched at all.
 *
 * It is written without a name (O_TMPFILE; under a temporary one where the file system cannot do that) and takes its
 * place when it is complete: a full disk, an error or a kill leaves the older file as it was. What is no regular file
 * (a pipe, /dev/stdout) is written to directly, and so is "-", standard output.
 */
#ifndef STOKER_WHOLE_FILE_H
#define STOKER_WHOLE_FILE_H

#include <stdio.h>

struct whole_file {
	FILE *out;	 /* write here */
	char *path;	 /* NULL where it is written to directly */
	char *temporary; /* NULL where it has no name yet */
};

/* Returns 0, -ENOMEM, or what open(2) gave, the place being unwritable or not there. */
int whole_file_open(struct whole_file *file, const char *path);

/**
 * whole_file_commit() - close, and give it its name
 * Returns 0 or what write(2), linkat(2) or rename(2) gave: then the older file is still there.
 */
int whole_file_commit(struct whole_file *file);

/* Throws away what was not committed. */
void whole_file_deinit(struct whole_file *file);

#endif
