/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * series: what containers and the host used and waited for over time.
 *
 *	CONTAINER  MEASURE    MIN  MEAN   MAX   TOTAL  OVER 12.0 s
 *	web        cpu       0.02  0.18  0.20  2.16 s  ▁▁▅████████████████████████▇▇▇▇▇
 *	           throttled   0%   62%  100%          ▁▁▃███████████████▇███████████▇█
 */
#ifndef STOKER_RENDER_SERIES_H
#define STOKER_RENDER_SERIES_H

#include <stdio.h>

#include "profiler/analysis/standouts.h"

/* SERIES_HOST is the host's, which nobody chooses. */
static inline bool is_of_series(uint32_t container, const bool *wanted)
{
	return !wanted || (container != SERIES_HOST && wanted[container]);
}

struct series_options {
	bool all;	    /* measures that were 0 all the time, too */
	const bool *wanted; /* chosen.h; the host is shown where all are */
};

/* All: 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_series_text(const struct profile_series *series, const struct profile *profile,
		       const struct series_options *options, FILE *out);
int render_series_json(const struct profile_series *series, const struct profile *profile,
		       const struct series_options *options, FILE *out);

/* RFC 4180, a line for each row, a column for each measure, empty where it is not known. */
int render_series_csv(const struct profile_series *series, const struct profile *profile,
		      const struct series_options *options, FILE *out);

/* "web: throttled in 62% of its periods …", @max lines and the host's; nothing where nothing stands out. 0 or -ENOMEM. */
int render_standouts_text(const struct profile *profile, size_t max, FILE *out);

/* "standouts" in @object, of the containers in @wanted (chosen.h). 0 or -ENOMEM. */
struct json_object;
int json_add_standouts(struct json_object *object, const struct profile *profile, const bool *wanted);

#endif
