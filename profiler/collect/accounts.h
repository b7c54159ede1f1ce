/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounts: how many samples were kept and lost, in all and of each container, as rows of the recording.
 *
 * A later row of a container replaces the earlier one: a row is written where a number has changed, and a container that the
 * owners have forgotten, which has no sample any more, is forgotten here, too.
 */
#ifndef STOKER_ACCOUNTS_H
#define STOKER_ACCOUNTS_H

#include "profiler/collect/owners.h"
#include "profiler/collect/sampler.h"
#include "profiler/recording/recording_writer.h"
#include "symbolizer/base/array.h"

struct account {
	uint32_t container; /* row */
	bool changed;	    /* since it was written */
	uint64_t kept, lost;
};

/* What the kernel told of a cgroup's lost samples. */
struct told_loss {
	uint64_t cgroup_id, count;
	uint32_t container; /* row */
};

/* All zero: none yet. */
struct accounts {
	ARRAY(struct account) list; /* ascending by row */
	ARRAY(struct told_loss) losses;
	uint64_t kept; /* of all containers */
};

void accounts_deinit(struct accounts *accounts);

/* Samples of a container are in the recording. 0 or -ENOMEM. */
int accounts_keep(struct accounts *accounts, uint32_t container, uint64_t count);

/**
 * accounts_write() - rows for what has changed, and for the whole
 * @ticks: the kernel's numbers, read before what it counted was
 * @stopped: the sampler does not sample any more
 * Returns 0, -ENOMEM, or a negative errno of the kernel's maps.
 */
int accounts_write(struct accounts *accounts, const struct tick_counters *ticks, bool stopped, struct sampler *sampler,
		   struct owners *owners, struct recording_writer *writer);

/* Forgets the containers that @owners does not hold any more. */
void accounts_forget(struct accounts *accounts, const struct owners *owners);

#endif
