/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_summary: each container in numbers, counted from the samples themselves (and so right for a cut recording,
 * too).
 */
#ifndef STOKER_PROFILE_SUMMARY_H
#define STOKER_PROFILE_SUMMARY_H

#include "profiler/profile/profile.h"

struct container_summary {
	uint64_t samples;
	uint64_t kernel_samples; /* the CPU was in the kernel: the leaf is a kernel frame */
	uint64_t user_samples;	 /* with a user stack */
	uint64_t user_complete;	 /* … that reached the thread's first frame */
	uint64_t frames;	 /* user and kernel, by count */
	uint64_t named;
	string_id top_function; /* the leaf with most samples, raw: a name, or a reason without its address; 0: none */
	uint64_t top_samples;
	string_id top_reason;	/* of the unnamed frames: "[stripped libfoo.so]", likewise; 0: all are named */
	uint64_t reason_frames; /* … how many of @frames have it */
};

/* Frames of a container that have no name, by why. */
struct missing_names {
	uint32_t container; /* row */
	string_id reason;   /* "[stripped libfoo.so]" */
	uint64_t frames;
};

struct profile_summary {
	struct string_table strings;		    /* of names and reasons */
	ARRAY(struct container_summary) containers; /* [containers of the profile] */
	ARRAY(struct missing_names) missing;	    /* by container, in each the most frequent first */
	ARRAY(uint32_t) by_samples;		    /* rows of containers that have samples, the busiest first */
	uint64_t samples;
	uint64_t kernel_samples;
	uint64_t duration_ns; /* of a cut recording up to its last sample; 0 where unknown */
	uint64_t period_ns;   /* one sample is so much CPU time; 0 where unknown */
};

/* Returns 0 or -ENOMEM; deinit it in both cases. */
int profile_summary_init(struct profile_summary *summary, const struct profile *profile);
void profile_summary_deinit(struct profile_summary *summary);

/* CPUs that were busy with so many samples, on average; negative where the recording does not tell. */
double profile_summary_cpus(const struct profile_summary *summary, uint64_t samples);

#endif
