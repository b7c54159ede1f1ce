/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_waits: rows for where time goes when it is not on a CPU, and what system calls cost. Part of recording.h.
 *
 * Counts are differences: each row says what came since the row of the same things before it, and time_ns (from the
 * start of the recording) when it was read. Sums over all rows are the whole; rows of a stretch of time are that stretch.
 */
#ifndef STOKER_RECORDING_WAITS_H
#define STOKER_RECORDING_WAITS_H

#include <stdint.h>

#include "symbolizer/base/string_table.h"

/*
 * System calls of one container that returned (exit and exit_group: that began). @timed of them were seen to begin, too;
 * times are of these. wall = oncpu + blocked + queued.
 */
struct recording_call {
	uint32_t container; /* row */
	uint16_t number;    /* the kernel's; RECORDING_CALL_32_BIT for all of 32-bit programs */
	string_id name;	    /* never empty */
	uint64_t time_ns;
	uint64_t count;
	uint64_t errors;
	uint64_t timed;
	uint64_t wall_ns;
	uint64_t wall_max_ns; /* of all until then */
	uint64_t oncpu_ns;
	uint64_t blocked_ns;
	uint64_t uninterruptible_ns; /* of blocked_ns: in state D */
	uint64_t queued_ns;	     /* ready to run, waiting for a CPU */
	uint64_t lock_ns;	     /* waits for kernel locks: part of the others, no addend */
};
#define RECORDING_CALL_32_BIT 511

/* What a histogram is of. Values are on disk: append only. */
enum histogram_kind {
	HISTOGRAM_CALL = 0, /* wall time of a call: a row of the calls */
};

/* One bucket of a histogram: so many more since the row before. */
struct recording_bucket {
	uint8_t kind;	/* enum histogram_kind */
	uint32_t row;	/* of the table that @kind tells; not checked by the reader */
	uint8_t bucket; /* see recording_bucket_ns() */
	uint64_t count;
};

#define RECORDING_BUCKETS 120

/*
 * Where a bucket begins, in ns: 16 ns wide up to 64 ns, then four to an octave. The last one, from 30 s on, has no
 * end. For @bucket = RECORDING_BUCKETS: where a next one would begin.
 */
static inline uint64_t recording_bucket_ns(unsigned int bucket)
{
	if (bucket < 4)
		return (uint64_t)bucket << 4;
	return (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1 + 4);
}

#endif
