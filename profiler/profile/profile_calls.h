/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_calls: the system calls of a recording, summed up by container and call, by call, or by container.
 */
#ifndef STOKER_PROFILE_CALLS_H
#define STOKER_PROFILE_CALLS_H

#include "profiler/profile/profile.h"

enum calls_grouping {
	CALLS_BY_BOTH, /* a row for each call of each container */
	CALLS_BY_CALL,
	CALLS_BY_CONTAINER,
};

#define CALLS_ALL UINT32_MAX

/* Sums of struct recording_call, with their histogram. */
struct call_sums {
	uint32_t container;  /* row; CALLS_ALL where containers are summed up */
	string_id name;	     /* in the profile's strings; 0 where calls are summed up */
	uint32_t containers; /* that are in it */
	uint64_t count;
	uint64_t errors;
	uint64_t timed;
	uint64_t wall_ns;
	uint64_t wall_max_ns;
	uint64_t oncpu_ns;
	uint64_t blocked_ns;
	uint64_t uninterruptible_ns;
	uint64_t queued_ns;
	uint64_t lock_ns;
	uint64_t histogram[RECORDING_BUCKETS];
};

struct profile_calls {
	ARRAY(struct call_sums) rows; /* in the order in which they first came */
	struct call_sums total;
};

/**
 * profile_calls_init() - all calls, summed up
 * @wanted: [containers of the profile] the rows are of these alone, the total is of all; NULL: all
 * Returns 0 or -ENOMEM; deinit it in both cases.
 */
int profile_calls_init(struct profile_calls *calls, const struct profile *profile, enum calls_grouping by,
		       const bool *wanted);
void profile_calls_deinit(struct profile_calls *calls);

#endif
