/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * series_rows: from readings of a container, or of the host, to rows of what came between two of them.
 *
 * A container in which nothing happens has no rows: the last one is held back, and written when its container is let go,
 * so that it is known to have been quiet until then. Rows come into the recording at a flush, each container's together:
 * so they pack well.
 */
#ifndef STOKER_SERIES_ROWS_H
#define STOKER_SERIES_ROWS_H

#include <stdbool.h>

#include "profiler/recording/recording_writer.h"
#include "symbolizer/base/array.h"

/* A runtime has said by then what it made, and has made all of it. */
#define SERIES_YOUNG_NS 10000000000ull

/* What the next reading of one is compared with. All-zero: not read yet. */
struct series_past {
	uint64_t made_ns; /* monotonic; 0: it was there before */
	uint64_t read_ns; /* monotonic; 0: not yet */
	struct series_values before;
	struct recording_series last; /* what was last found out … */
	bool held;		      /* … and is not among the rows: nothing had happened */
};

/* All-zero but for @start_ns: none. */
struct series_rows {
	uint64_t start_ns; /* monotonic: times count from here */
	ARRAY(struct recording_series) list;
};

void series_rows_deinit(struct series_rows *rows);

/**
 * series_rows_add() - one reading
 * @container: row, or SERIES_HOST, of which every reading is a row
 * @values: as read at @now_ns
 * @unrelated: as for series_between()
 * What was made less than SERIES_YOUNG_NS ago counts from zero. Returns 0 or -ENOMEM.
 */
int series_rows_add(struct series_rows *rows, struct series_past *past, uint32_t container,
		    const struct series_values *values, uint64_t unrelated, uint64_t now_ns);

/* It is not read any more: its last row is one, where it was held. 0 or -ENOMEM. */
int series_rows_let_go(struct series_rows *rows, struct series_past *past);

/* Hands all rows to @writer, sorted by container and time. 0 or -ENOMEM. */
int series_rows_flush(struct series_rows *rows, struct recording_writer *writer);

/**
 * series_between() - what came between two readings of one thing, and what is now
 * @fresh: it was made after @before: what that one does not know was 0
 * @unrelated: SERIES_BIT() of each that @after counts of something else than @before did: what came is not known
 * Nor is it of a count that has become less: I/O wait may, by proc(5), and a sum over disks of which one is gone.
 */
void series_between(const struct series_values *before, const struct series_values *after, bool fresh,
		    uint64_t unrelated, struct series_values *ret_change);

#endif
