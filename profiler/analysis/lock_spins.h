/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_spins: CPU time of those who spin for a mutex or rwsem whose holder runs. Part of lock_sites.
 *
 * Before they sleep they look whether the holder is about to let go of it, and an rwsem's tracepoint says nothing of that: the
 * samples do. They are found by the kernel functions that do nothing else.
 */
#ifndef STOKER_LOCK_SPINS_H
#define STOKER_LOCK_SPINS_H

#include "profiler/analysis/lock_sites.h"

/* Fills in the sites' spins. Returns 0 or -ENOMEM. */
int lock_spins_add(struct lock_sites *sites, const struct profile *profile);

#endif
