/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_reader: chunks in, rows out. Nothing in the file is trusted: sizes are capped, checksums verified, and
 * every reference points to a row that is there (a stack's parent to an earlier one).
 */
#ifndef STOKER_RECORDING_READER_H
#define STOKER_RECORDING_READER_H

#include <stdio.h>

#include "profiler/recording/recording.h"

/* Of rows in memory: what a small, hostile file could unfold into. A week at 99 Hz on 16 CPUs takes less. */
#define RECORDING_MEMORY_BYTES_MAX (2ull << 30)

/**
 * recording_read() - all rows up to the end mark or to the last whole chunk
 * @file:       read to its end, in one go
 * @tables:     initialised by the caller; rows defined again stand as defined last
 * @ret_whole:  the end mark was there
 * @ret_ignored: bytes after the last chunk that was taken, or after the end mark
 *
 * Kinds (enum container_kind, frame_kind, sample_kind, stack_end) may be of a later stoker: values beyond the known ones
 * are let through.
 * Returns 0, -ENODATA (empty file), -EBADMSG (not a recording), -EPROTO (a version that this reader does not know),
 * -EFBIG (beyond RECORDING_MEMORY_BYTES_MAX), -EIO, -ENOMEM. The recording_tables are to be thrown away after an error.
 */
int recording_read(FILE *file, struct recording_tables *tables, bool *ret_whole, uint64_t *ret_ignored);

/**
 * recording_read_samples() - the same of samples on a CPU alone, in as much memory as there are places where they were taken
 * @ret_others: it holds calls, waits or locks, too
 * Samples of one container and stack are one row, of no thread and of the time of the last one. All other rows are checked and
 * counted, and not there; so are processes and threads.
 */
int recording_read_samples(FILE *file, struct recording_tables *tables, bool *ret_others, bool *ret_whole,
			   uint64_t *ret_ignored);

#endif
