/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks: `stoker locks`, for people and for programs (docs/locks.md).
 */
#ifndef STOKER_RENDER_LOCKS_H
#define STOKER_RENDER_LOCKS_H

#include <stdio.h>

#include "profiler/analysis/lock_sites.h"

struct locks_options {
	const bool *wanted;	/* chosen.h; as @sites were made */
	enum locks_grouping by; /* as @sites were summed up */
	uint32_t max;		/* rows shown; 0: 20. JSON has all of them. */
};

/* Both return 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_locks_text(const struct lock_sites *sites, const struct profile *profile,
		      const struct locks_options *options, FILE *out);
int render_locks_json(const struct lock_sites *sites, const struct profile *profile,
		      const struct locks_options *options, FILE *out);

#endif
