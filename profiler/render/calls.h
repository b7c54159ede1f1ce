/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls: `stoker syscalls`, for people and for programs (docs/syscalls.md).
 */
#ifndef STOKER_RENDER_CALLS_H
#define STOKER_RENDER_CALLS_H

#include <stdio.h>

#include "profiler/analysis/calls.h"

struct calls_options {
	const bool *wanted;	/* chosen.h; as @calls was summed up */
	enum calls_grouping by; /* as @calls was summed up */
	uint32_t max;		/* rows shown; 0: 40. JSON has all of them. */
};

/* Both take sorted calls, and return 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_calls_text(const struct profile_calls *calls, const struct profile *profile,
		      const struct calls_options *options, FILE *out);
int render_calls_json(const struct profile_calls *calls, const struct profile *profile,
		      const struct calls_options *options, FILE *out);

#endif
