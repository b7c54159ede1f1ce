/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: a recording on one screen of a terminal: a line for each container, and where every sample went.
 *
 *	CONTAINER   CPU  KERNEL  SAMPLES  WHOLE  NAMED  TOP FUNCTION
 *	web-1      0.92     38%   18,211  99.9%  99.2%  __d_lookup_rcu
 *
 * CPU is in cores, on average over the recording. KERNEL is the part of the samples that were in the kernel, WHOLE
 * the part of the user stacks that reached their thread's first frame, NAMED the part of all frames that have a
 * function's name; percentages are rounded down, so that 100% is all. Text is made safe for terminals.
 */
#ifndef STOKER_RENDER_TABLE_H
#define STOKER_RENDER_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "profiler/profile/profile.h"

#define TABLE_ROWS 30

struct table_options {
	uint32_t rows_max; /* containers beyond are summed in one line; 0: TABLE_ROWS */
};

/* Returns 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_table(const struct profile *profile, const struct table_options *options, FILE *out);

/*
 * The account alone, as the last lines of every report: "26,928 samples taken = 26,928 kept + 0 filtered + 0 lost.",
 * idle ticks, each cause of loss, what stoker itself took, and whether the recording was cut. Flushes @out.
 * Returns 0, or -EIO and the like where the report could not be written.
 */
int render_accounting(const struct profile *profile, FILE *out);

#endif
