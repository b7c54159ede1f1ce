/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_queue: `stoker runqlat`, for people and for programs (docs/runqlat.md).
 */
#ifndef STOKER_RENDER_RUN_QUEUE_H
#define STOKER_RENDER_RUN_QUEUE_H

#include <stdio.h>

#include "profiler/profile/profile_times.h"

struct run_queue_options {
	const bool *wanted; /* chosen.h: who waits, and who runs meanwhile; pid namespaces that have one of them */
	bool by_namespace;  /* pid namespaces instead of containers; who ran meanwhile is known by container alone */
	bool histograms;    /* every bucket, too */
	uint32_t max;	    /* of them shown; 0: 30. JSON has all of both. */
};

/* Both return 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_run_queue_text(const struct profile_times *times, const struct profile *profile,
			  const struct run_queue_options *options, FILE *out);
int render_run_queue_json(const struct profile_times *times, const struct profile *profile,
			  const struct run_queue_options *options, FILE *out);

#endif
