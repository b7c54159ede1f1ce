/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocked: `stoker offcpu`, for people and for programs (docs/offcpu.md).
 */
#ifndef STOKER_RENDER_BLOCKED_H
#define STOKER_RENDER_BLOCKED_H

#include <stdio.h>

#include "profiler/analysis/blocked_places.h"
#include "profiler/profile/profile_times.h"

struct blocked_options {
	const bool *wanted; /* chosen.h: a place concerns who blocks there, and who wakes it */
	const char *state;  /* that the places were chosen by; NULL: all */
	bool wakers;	    /* a line for each waker of a place */
	uint32_t max;	    /* containers and places shown; 0: 40 and 30. JSON has all of them. */
};

/* Both return 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_blocked_text(const struct blocked_places *places, const struct profile_times *times,
			const struct profile *profile, const struct blocked_options *options, FILE *out);
int render_blocked_json(const struct blocked_places *places, const struct profile_times *times,
			const struct profile *profile, const struct blocked_options *options, FILE *out);

#endif
