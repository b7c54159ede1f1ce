/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hotspots, for people and for programs (docs/hotspots.md). Containers with less than 2% of a hotspot are summed up.
 */
#ifndef STOKER_RENDER_HOTSPOTS_H
#define STOKER_RENDER_HOTSPOTS_H

#include <stdio.h>

#include "profiler/analysis/hotspots.h"

struct hotspots_options {
	const bool *wanted; /* chosen.h: hotspots that one of them has samples in */
	uint32_t max;	    /* hotspots shown; 0: 10. JSON has all of them. */
};

/* Both: 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_hotspots_text(const struct hotspots *hotspots, const struct profile *profile,
			 const struct hotspots_options *options, FILE *out);
int render_hotspots_json(const struct hotspots *hotspots, const struct profile *profile,
			 const struct hotspots_options *options, FILE *out);

#endif
