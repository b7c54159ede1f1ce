/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_place: where a kernel stack took a lock, held one, or let go of it.
 */
#ifndef STOKER_LOCK_PLACE_H
#define STOKER_LOCK_PLACE_H

#include "profiler/profile/kernel_entry.h"
#include "profiler/profile/profile.h"

struct lock_place_names {
	char function
		[KERNEL_NAME_BYTES];   /* the first that is not the locks' or the scheduler's own; without ".isra.0" */
	char entry[KERNEL_NAME_BYTES]; /* the system call, "page faults" …; "" where it cannot be told */
};

/* False, nothing set, where the stack has no frames of the kernel. */
bool lock_place_find(const struct profile *profile, uint32_t stack, struct lock_place_names *ret_names);

/* Is it one of the functions that take, wait for and let go of locks, or of the scheduler that they call? */
bool lock_place_is_locks_own(const char *function);

#endif
