/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_file: the file of a recording while it is written: the header, then whole chunks.
 *
 * What was written whole stays readable: where a write fails, the file is cut back to its last whole chunk. What is no
 * regular file (a pipe, /dev/null) keeps what it was given, and a reader passes over half a chunk at its end.
 */
#ifndef STOKER_CHUNK_FILE_H
#define STOKER_CHUNK_FILE_H

#include "profiler/recording/recording_format.h"

struct chunk_file {
	int fd;		/* -1: none */
	bool can_cut;	/* a regular file, and made by us */
	uint64_t bytes; /* of the header and of whole chunks */
};

/**
 * chunk_file_open() - make the file and write its header
 * @path: a file of that name becomes PATH.old; "-" is standard output
 * @ret_file: to be given to chunk_file_close()
 * Errors: what realpath(3), rename(2), open(2) or write(2) gave, -ENAMETOOLONG.
 */
int chunk_file_open(const char *path, struct chunk_file *ret_file);

/**
 * chunk_file_put() - one more chunk
 * @raw: [raw_bytes] as docs/recording-format.md says, not compressed
 * Errors: -EFBIG (more than CHUNK_RAW_BYTES_MAX), -ENOMEM, what write(2) gave. The file is as it was before.
 */
int chunk_file_put(struct chunk_file *file, enum chunk_type type, const void *raw, size_t raw_bytes);

/* 0, or what close(2) gave. Closes no second time. */
int chunk_file_close(struct chunk_file *file);

#endif
