/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_sites: waits for kernel locks, summed up by the lock, and who made whom wait.
 *
 * A lock is called by its class, by the function that took it (the first one that is not the locks' own), and by its symbol or
 * the slab cache of the object that it lies in, where the recording knows them. Whose fault a
 * wait was is told as shares of sums, never of single waits: of the time until the waiter was woken, who let go of the lock
 * in the end has what it had held it for, as far as that is known (else half), and who held it as the wait began has the rest;
 * where only one of them is known, all is that one's. The rest of the wait, from the waking on, is handoff: the lock
 * was free, or on the way.
 *
 * Beside these shares of the waiting there are those of the time that each had the lock: lock_holds.h.
 */
#ifndef STOKER_LOCK_SITES_H
#define STOKER_LOCK_SITES_H

#include "profiler/profile/profile.h"
#include "symbolizer/base/array.h"

enum locks_grouping {
	LOCKS_BY_LOCK,	    /* class, function, and which one */
	LOCKS_BY_CONTAINER, /* that waits */
	LOCKS_BY_STACK,	    /* the same, and the system call that it is under */
	LOCKS_BY_OWNER,	    /* container that made others, or itself, wait */
};

/* What one container waited for another one. */
struct lock_blame {
	uint32_t container; /* row: who waited */
	uint32_t culprit;   /* row; RECORDING_NONE: not known */
	uint64_t ns;
};

#define LOCK_HOLDER_LET_GO LOCK_OWNERS /* as it woke the waiter */

/* Where a container was while it made others wait. */
struct lock_holder {
	uint8_t how;	    /* enum lock_owner, as the wait began; or LOCK_HOLDER_LET_GO */
	string_id function; /* in lock_sites.strings; 0: no stack */
	string_id entry;    /* likewise; "" where it cannot be told */
	uint32_t stack;	    /* row: one of its stacks; or RECORDING_STACK_ROOT */
	uint64_t ns;
};

/* How long a container had a lock, whoever waited, and whether it slept. */
struct lock_hold {
	uint32_t container; /* row; RECORDING_NONE: not known */
	uint64_t looks;
	uint64_t ns;
	uint64_t waited_ns; /* meanwhile, of all that waited */
};

struct lock_site {
	uint8_t lock_class; /* enum lock_class; LOCK_CLASSES where several are in it */
	string_id function; /* in lock_sites.strings; 0: stacks were not taken, or several */
	string_id entry;    /* likewise: the system call, "page faults" … */
	uint8_t place;	    /* enum lock_place; LOCK_PLACE_UNTOLD where several are in it */
	string_id name;	    /* as @place tells; 0: not known */
	uint32_t container; /* row, for LOCKS_BY_CONTAINER and LOCKS_BY_OWNER; else RECORDING_NONE */
	bool concerned;	    /* a container that was asked for waits here, or makes others wait */
	uint64_t count;
	uint64_t total_ns;
	uint64_t max_ns;
	uint64_t spun; /* of @count: did not sleep */
	uint64_t spun_ns;
	uint64_t handoff_ns;
	uint64_t seen;			       /* recording_lock.seen */
	uint64_t owner_ns[LOCK_OWNERS];	       /* of waits that slept, less the handoff: what was known of the owner */
	uint64_t both;			       /* waits of which owner and waker are known … */
	uint64_t agreed;		       /* … and are the same container */
	uint64_t histogram[RECORDING_BUCKETS]; /* of waits that slept: every fourth bucket holds an octave */
	ARRAY(struct lock_blame) blame;	       /* the longest first; handoff and waits without sleep are in none */
	ARRAY(struct lock_holder) holders;     /* for LOCKS_BY_OWNER: the longest first */
	ARRAY(struct lock_hold) holds; /* of its locks, for LOCKS_BY_LOCK and LOCKS_BY_STACK, and all; likewise */
};

/* Samples of a container on a CPU, spinning for a lock that sleeps. */
struct lock_spin {
	uint32_t container; /* row */
	string_id function; /* in lock_sites.strings: what wants the lock */
	string_id entry;    /* likewise; "" where it cannot be told */
	uint64_t samples;
	uint64_t own; /* all samples of this container */
};

struct lock_sites {
	struct string_table strings;
	ARRAY(struct lock_spin) spins; /* the most first */
	ARRAY(struct lock_site) list;  /* the longest first */
	struct lock_site total;
	uint64_t counted_twice; /* by owner: waits for one that held the lock, and for another one that let go of it */
};

/**
 * lock_sites_init() - all waits, summed up
 * @wanted: [containers of the profile] those that were asked for; NULL: all. It changes no sum: see lock_site.concerned.
 * Returns 0 or -ENOMEM; deinit it in both cases.
 */
int lock_sites_init(struct lock_sites *sites, const struct profile *profile, enum locks_grouping by,
		    const bool *wanted);
void lock_sites_deinit(struct lock_sites *sites);

/* Were waits for locks recorded, whether there were any or not? */
bool lock_sites_recorded(const struct profile *profile);

/* "mutex", "rwsem, reading" …; "several" for LOCK_CLASSES. */
const char *lock_class_name(uint8_t lock_class);

/* "asleep", "on a CPU" …; of a lock_holder.how. */
const char *lock_holder_how(uint8_t how);

/* How many different locks these bits stand for: a guess that is good up to a hundred; 0: more than can be told. */
unsigned int lock_sites_different(uint64_t seen);

#endif
