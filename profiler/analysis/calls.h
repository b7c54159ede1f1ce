/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls: system calls by what they cost.
 *
 * Some calls sleep because they were asked to (poll, futex, nanosleep …). Their total says nothing; the cost of a call
 * is its time on a CPU, in the run queue and in uninterruptible sleep, and for all other calls its other sleep, too.
 */
#ifndef STOKER_CALLS_H
#define STOKER_CALLS_H

#include "profiler/profile/profile_calls.h"

enum calls_order {
	CALLS_BY_COST,
	CALLS_BY_TIME,	/* wall, sleep by design and all */
	CALLS_BY_COUNT, /* also where nothing was timed */
	CALLS_BY_ERRORS,
	CALLS_BY_LOCK,
};

/* Does the call wait for something by design? By its name. */
bool call_sleeps_by_design(const char *name);

/* Largest first; equal ones by count, container and name. Returns 0 or -ENOMEM. */
int calls_sort(struct profile_calls *calls, const struct profile *profile, enum calls_order order);

#endif
