/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_holds: how long each container had the locks that were waited for. Part of lock_sites.
 *
 * A clock looked at each such lock's owner, so these are shares of the time, and no one's waiting is in them: whoever
 * made others only spin is there, too. The recording tells locks apart by what they are and by one of 64 bits: where a line
 * of waits has more than some dozens of locks, it has the holders of all others of that kind as well.
 */
#ifndef STOKER_LOCK_HOLDS_H
#define STOKER_LOCK_HOLDS_H

#include "profiler/analysis/lock_sites.h"

/* Fills in the holds of the sites' total, and with @each those of every site. Returns 0 or -ENOMEM. */
int lock_holds_add(struct lock_sites *sites, const struct profile *profile, bool each);

/* Can shares of the waiting be told by looks? With so many, each counted once for each that waits, by some points. */
#define LOOKS_ENOUGH 200
bool lock_holds_are_enough(const struct lock_site *site);

#endif
