/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_series: what each container, and the host, used and waited for over time.
 *
 * Between two rows of one container nothing happened: what counts came to nothing, and what is "now" stayed.
 */
#ifndef STOKER_PROFILE_SERIES_H
#define STOKER_PROFILE_SERIES_H

#include "profiler/profile/profile.h"

/* One container's rows, or the host's: in profile_series.rows, by time. */
struct series_of {
	uint32_t container; /* row, or SERIES_HOST */
	size_t first, count;
};

struct profile_series {
	ARRAY(const struct recording_series *) rows; /* they are the profile's */
	ARRAY(struct series_of) list;		     /* by container; the host last */
	uint64_t end_ns;			     /* of the last row */
};

/* Returns 0 or -ENOMEM; deinit it in both cases. */
int profile_series_init(struct profile_series *series, const struct profile *profile);
void profile_series_deinit(struct profile_series *series);

/* The host's; NULL where the recording has none. */
const struct series_of *profile_series_host(const struct profile_series *series);

/* "cpu_usage_ns": what CSV and JSON call a measure. */
extern const char *const profile_series_names[SERIES_MEASURES];

/* What a row says; false where that is not known, and of a limit where there is none: 0 would be the tightest one. */
bool profile_series_value(const struct recording_series *row, enum series_measure measure, uint64_t *ret_value);

/*
 * What is asked of a series: one that is "now" as it is, others by the second (so that ns become CPUs, or parts of the time,
 * times 1e9), or as a part of another one.
 */
struct series_question {
	enum series_measure measure;
	int part_of; /* enum series_measure, or SERIES_BY_TIME */
};
#define SERIES_BY_TIME (-1)

struct series_answer {
	double min, max; /* of rows that span a tenth of a second at least */
	double mean;	 /* of all time that is known */
	double total;	 /* what came in all; 0 for what is "now" */
};

/* False where it is not known at any time, and where there never was such a limit. */
bool profile_series_ask(const struct profile_series *series, const struct series_of *of,
			const struct series_question *question, struct series_answer *ret_answer);

/* The same over time: from 0 to the end of the last row, NAN where it is not known. */
#define SERIES_BINS 32
void profile_series_line(const struct profile_series *series, const struct series_of *of,
			 const struct series_question *question, double ret_bins[SERIES_BINS]);

#endif
