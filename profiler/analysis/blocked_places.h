/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocked_places: where containers block, and who wakes them: blocked time summed up by container, state, system call
 * and kernel function.
 *
 * The function is the first one that is not the scheduler's own. Who was woken from an interrupt was woken by that, not
 * by whom it interrupted.
 *
 * A call that waits because it was asked to (poll, futex, a read from a pipe) comes twice where some of its waits were ended
 * by a task of another container: these have a place of their own, for somebody else was waited for.
 */
#ifndef STOKER_BLOCKED_PLACES_H
#define STOKER_BLOCKED_PLACES_H

#include "profiler/profile/profile.h"
#include "symbolizer/base/array.h"

/* Who ended blocks at one place. */
struct place_waker {
	uint32_t container; /* row; RECORDING_NONE: an interrupt, or nobody (see @name) */
	string_id name;	    /* in places.strings: the thread's comm, "interrupt", "[not woken yet]" … */
	uint64_t ns;
	uint64_t count;
};

struct blocked_place {
	uint32_t container; /* row */
	uint8_t state;	    /* enum wait_state */
	string_id entry;    /* in places.strings: the system call, or what else led there; 0: not known */
	string_id function; /* 0: not known */
	bool by_design;	    /* a call that waits because it was asked to, and not for another container's task */
	uint64_t count;
	uint64_t ns;
	uint64_t max_ns;
	uint64_t unfinished_ns;		  /* of these: still blocked at the end */
	ARRAY(struct place_waker) wakers; /* the longest first */
};

struct blocked_places {
	struct string_table strings;
	ARRAY(struct blocked_place) list; /* waits by design last, else the longest first */
	uint64_t ns;
	uint64_t count;
};

/* @states: bit per enum wait_state; 0: all. Returns 0 or -ENOMEM; deinit it in both cases. */
int blocked_places_init(struct blocked_places *places, const struct profile *profile, uint32_t states);
void blocked_places_deinit(struct blocked_places *places);

#endif
