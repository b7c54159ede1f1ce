/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hot_calls: on-CPU samples in the kernel by the system call that they were taken in, and by what ran there.
 *
 * The call is what the task's registers say, not what the stack looks like: a stack that was cut has its call, too. The
 * function is that of kernel_entry.h; an interrupt's on top of a call is within the call's time, and among its functions.
 */
#ifndef STOKER_HOT_CALLS_H
#define STOKER_HOT_CALLS_H

#include "profiler/profile/profile_calls.h"

struct hot_call {
	uint32_t container; /* row; CALLS_ALL where containers are summed up */
	string_id call;	    /* in the profile's strings; 0 where calls are summed up */
	string_id function; /* in hot_calls.strings */
	uint64_t samples;
	uint64_t of_call; /* samples of all rows with the same container and call */
};

struct hot_calls {
	struct string_table strings;
	ARRAY(struct hot_call) rows; /* those of a call together: the largest call first, its largest function first */
	/* Samples in the kernel: in calls, in none (interrupts, page faults, kernel threads), and behind a cut. */
	uint64_t in_calls, in_none, untold;
};

/**
 * hot_calls_init() - all samples in calls, summed up
 * @wanted: [containers of the profile] the rows are of these alone, the sums of all samples are of all; NULL: all
 * Returns 0 or -ENOMEM; deinit it in both cases.
 */
int hot_calls_init(struct hot_calls *hot, const struct profile *profile, enum calls_grouping by, const bool *wanted);
void hot_calls_deinit(struct hot_calls *hot);

/* Do samples know their call? Not in recordings of stoker's before they did, and where none was in the kernel. */
bool hot_calls_known(const struct profile *profile);

#endif
