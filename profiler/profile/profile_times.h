/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_times: each container's time on CPUs, blocked and queued for a CPU, and who ran while it waited; the same time by pid
 * namespace.
 */
#ifndef STOKER_PROFILE_TIMES_H
#define STOKER_PROFILE_TIMES_H

#include "profiler/profile/profile.h"
#include "symbolizer/base/sums.h"

/* A container's sums of struct recording_times, or those of a pid namespace, with their histograms. */
struct time_sums {
	uint32_t container;	/* row; of a namespace: the one that was queued for longest */
	uint32_t containers;	/* that a namespace has; else 0 */
	uint64_t pid_namespace; /* as in recording_waits.h; 0: not known, or a container's */
	bool seen;		/* the recording has times of it */
	uint64_t oncpu_ns;
	uint64_t blocked_ns[WAIT_STATES];
	uint64_t blocks[WAIT_STATES];
	uint64_t short_ns;
	uint64_t shorts;
	uint64_t woken_ns;
	uint64_t preempted_ns;
	uint64_t throttled_ns;
	uint64_t throttles;
	uint64_t woken[RECORDING_BUCKETS];
	uint64_t preempted[RECORDING_BUCKETS];
};

/* What a container waited for one culprit, or for one reason. */
struct queue_sum {
	uint32_t container; /* row: who waited */
	uint32_t culprit;   /* row, or RECORDING_NONE */
	uint8_t reason;	    /* enum queue_reason */
	uint64_t ns;
};

struct profile_times {
	ARRAY(struct time_sums) containers; /* [containers of the profile] */
	ARRAY(struct time_sums) namespaces; /* each pid namespace once */
	ARRAY(struct queue_sum) queues;	    /* by container, the longest first */
	struct time_sums total;
	bool any; /* the recording has times at all */
};

/* Returns 0 or -ENOMEM; deinit it in both cases. */
int profile_times_init(struct profile_times *times, const struct profile *profile);
void profile_times_deinit(struct profile_times *times);

struct weighed_sums {
	uint64_t weight;
	const struct time_sums *sums;
};

/**
 * profile_times_order() - those of which there are times, the heaviest first
 * @sums: [count] profile_times.containers, or .namespaces
 * @weight: what one weighs
 * @ret_order: [@ret_count]; the caller's to free
 * Returns 0 or -ENOMEM.
 */
int profile_times_order(const struct time_sums *sums, size_t count, uint64_t (*weight)(const struct time_sums *sums),
			struct weighed_sums **ret_order, size_t *ret_count);

/* Both kinds of time in the run queue; throttled time is neither. */
static inline uint64_t time_sums_queued(const struct time_sums *sums)
{
	return sum_of(sums->woken_ns, sums->preempted_ns);
}

static inline uint64_t time_sums_blocked(const struct time_sums *sums)
{
	uint64_t ns = 0;

	for (unsigned int i = 0; i < WAIT_STATES; i++)
		sum_add(&ns, sums->blocked_ns[i]);
	return ns;
}

/* Were single blocks recorded (--offcpu), whether there were any or not? Else there are sums alone. */
bool profile_times_have_blocks(const struct profile_times *times, const struct profile *profile);

#endif
