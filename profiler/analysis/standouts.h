/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standouts: what stands out in the series of a recording: containers that were held back, and by what.
 *
 * Pressure on CPUs rises with throttling, too: of a container that was throttled it is not told.
 */
#ifndef STOKER_STANDOUTS_H
#define STOKER_STANDOUTS_H

#include "profiler/profile/profile_series.h"

enum standout_kind {
	STANDOUT_THROTTLED,    /* part: of the periods; total: ns, or NAN; limit: thousandths of a CPU, the last one */
	STANDOUT_MEMORY_LIMIT, /* total: times that it was hit; limit: bytes, the last one */
	STANDOUT_OOM_KILLS,    /* total: processes */
	STANDOUT_CPU_PRESSURE, /* part: of the time, in which some task waited; total: ns of it */
	STANDOUT_MEMORY_PRESSURE, /* likewise */
	STANDOUT_IO_PRESSURE,
	STANDOUT_STEAL, /* part: of one CPU; total: ns */
};

struct standout {
	uint32_t container; /* row, or SERIES_HOST */
	enum standout_kind kind;
	double part, total, limit; /* limit 0: not known, or none */
};

/* The least that is told: a part of the periods or of the time. */
#define STANDOUT_THROTTLED_MIN 0.05
#define STANDOUT_MEMORY_PRESSURE_MIN 0.05
#define STANDOUT_PRESSURE_MIN 0.2
#define STANDOUT_STEAL_MIN 0.05

struct standouts {
	ARRAY(struct standout) list; /* by container, the host last */
};

/* Returns 0 or -ENOMEM; deinit it in both cases. */
int standouts_init(struct standouts *standouts, const struct profile_series *series);
void standouts_deinit(struct standouts *standouts);

#endif
