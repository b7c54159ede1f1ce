/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_reader: chunks in, rows out. Nothing in the file is trusted: sizes are capped, checksums verified, and
 * every reference points to a row that is there (a stack's parent to an earlier one).
 */
#ifndef STOKER_RECORDING_READER_H
#define STOKER_RECORDING_READER_H

#include <stdio.h>

#include "profiler/recording/recording.h"

/*
 * Of rows in memory: what a small, hostile file could unfold into, and what a report may take on the host that it looks at.
 * docs/recording-format.md says how long a recording that is.
 */
#define RECORDING_MEMORY_BYTES_MAX (2ull << 30)

/* How far a recording was read. */
struct recording_end {
	bool whole;	    /* up to the end mark */
	bool beyond_memory; /* what comes then does not fit; not whole */
	bool left_out;	    /* calls, waits or locks are in it that were not wanted */
	uint64_t ignored;   /* bytes after the last chunk that was taken, or after the end mark */
};

/**
 * recording_read() - the rows up to the end mark, to the last whole chunk, or to the last flush that fits into memory
 * @file:   read to its end, in one go
 * @wants:  enum recording_wants. All else is checked and counted, and not there
 * @memory_bytes_max: RECORDING_MEMORY_BYTES_MAX, but for tests
 * @tables: initialised by the caller; rows defined again stand as defined last
 *
 * Without RECORDING_SAMPLE_CALLS, samples of one place (container, stack, and thread where these are wanted) are one row, of the
 * time of the last one: memory is that of the places, whatever the length. Of a container's accounts not all states need be there.
 * Kinds (enum container_kind, frame_kind, sample_kind, stack_end) may be of a later stoker: values beyond the known ones
 * are let through.
 * Returns 0, -ENODATA (empty file), -EBADMSG (not a recording), -EPROTO (a version that this reader does not know),
 * -EFBIG (not even its first flush fits), -EIO, -ENOMEM. The recording_tables are to be thrown away after an error, which leaves
 * @ret_end as it was.
 */
int recording_read(FILE *file, unsigned int wants, uint64_t memory_bytes_max, struct recording_tables *tables,
		   struct recording_end *ret_end);

#endif
