/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_waits: rows for where time goes when it is not on a CPU, and what system calls cost. Part of recording.h.
 *
 * Counts are differences: each row says what came since the row of the same things before it, and time_ns (from the
 * start of the recording) when it was read. Sums over all rows are the whole; rows of a stretch of time are that stretch.
 */
#ifndef STOKER_RECORDING_WAITS_H
#define STOKER_RECORDING_WAITS_H

#include <stdint.h>

#include "symbolizer/base/string_table.h"

/*
 * System calls of one container that returned (exit and exit_group: that began). @timed of them were seen to begin, too;
 * times are of these. wall = oncpu + blocked + queued.
 */
struct recording_call {
	uint32_t container; /* row */
	uint16_t number;    /* the kernel's; RECORDING_CALL_32_BIT for all of 32-bit programs */
	string_id name;	    /* never empty */
	uint64_t time_ns;
	uint64_t count;
	uint64_t errors;
	uint64_t timed;
	uint64_t wall_ns;
	uint64_t wall_max_ns; /* of all until then */
	uint64_t oncpu_ns;
	uint64_t blocked_ns;
	uint64_t uninterruptible_ns; /* of blocked_ns: in state D */
	uint64_t queued_ns;	     /* ready to run, waiting for a CPU */
	uint64_t lock_ns;	     /* waits for kernel locks: part of the others, no addend */
};
#define RECORDING_CALL_32_BIT 511

/* A sample that was taken in the kernel, in a system call. Those that have no such row were in none, or it is not known. */
struct recording_sample_call {
	uint32_t sample; /* row; ascending */
	string_id name;	 /* as in struct recording_call */
};

/* How a task was off its CPU. Values are on disk: append only. */
enum wait_state {
	WAIT_SLEEPING = 0,	  /* S: can be interrupted */
	WAIT_UNINTERRUPTIBLE = 1, /* D */
	WAIT_IO = 2,		  /* D, waiting for a disk */
	WAIT_STOPPED = 3,	  /* by a signal, or traced */
};
#define WAIT_STATES 4

/* Bits of recording_wait.flags. */
#define RECORDING_WAIT_UNFINISHED 1u /* still blocked when the recording ended */
#define RECORDING_WAIT_GUESSED 2u    /* the stack is that of an earlier block from the same place */

#define RECORDING_NONE UINT32_MAX

/* Stretches of blocked time with the same place and the same waker. */
struct recording_wait {
	uint8_t state; /* enum wait_state */
	uint8_t flags;
	uint8_t stack_end;	  /* enum stack_end, of @stack */
	uint32_t container;	  /* row */
	uint32_t thread;	  /* row, or RECORDING_NONE where its stack was lost */
	uint32_t stack;		  /* row, or RECORDING_STACK_ROOT */
	uint32_t waker_container; /* row, or RECORDING_NONE: it was not woken, or nobody saw by whom */
	uint32_t waker_thread;	  /* likewise. In an interrupt: whom it interrupted; its frames tell. */
	uint32_t waker_stack;
	uint64_t time_ns;
	uint64_t count;
	uint64_t total_ns;
	uint64_t max_ns;
};

/* Of waits, for those who need no more of them. */
struct recording_waits_sums {
	uint64_t rows;
	uint64_t stacked_ns;   /* of which the stack is known */
	uint64_t stackless_ns; /* of which it was lost */
};

/* Adds one. */
void recording_waits_add(struct recording_waits_sums *sums, const struct recording_wait *wait);

/* All time of a container's tasks in one pid namespace: on CPUs, blocked, and queued for a CPU. */
struct recording_times {
	uint32_t container; /* row */
	uint64_t time_ns;
	uint64_t oncpu_ns;
	uint64_t blocked_ns[WAIT_STATES];
	uint64_t blocks[WAIT_STATES];
	uint64_t short_ns; /* of the blocked: shorter than what has a recording_wait */
	uint64_t shorts;
	uint64_t woken_ns;     /* queued after a waking, or as a new thread */
	uint64_t preempted_ns; /* queued after leaving a CPU that it still wanted */
	uint64_t throttled_ns; /* likewise, its quota used up: in neither of the two before */
	uint64_t throttles;
	/* Its inode number in the low half; the other tells those apart that had the number one after another. 0: unknown. */
	uint64_t pid_namespace;
};

/* Why a task that was ready did not run. Values are on disk: append only. */
enum queue_reason {
	QUEUE_CONTAINER = 0, /* a task of @culprit ran */
	QUEUE_IDLE = 1,	     /* nobody: the CPU had to wake up */
	QUEUE_MOVED = 2,     /* it waited for another CPU than it got in the end */
	QUEUE_EARLIER = 3,   /* not known any more */
	QUEUE_UNWANTED = 4,  /* a task that the recording's filter leaves out */
};

/* Who ran while a container's ready tasks waited, summed up over these tasks. Throttled time is not in it. */
struct recording_queue {
	uint32_t container; /* row: who waited */
	uint32_t culprit;   /* row: who ran, or RECORDING_NONE */
	uint8_t reason;	    /* enum queue_reason */
	uint64_t time_ns;
	uint64_t ns;
};

/* What kind of kernel lock was waited for. Values are on disk: append only. */
enum lock_class {
	LOCK_CLASS_MUTEX = 0,
	LOCK_CLASS_RWSEM_READ = 1,
	LOCK_CLASS_RWSEM_WRITE = 2,
	LOCK_CLASS_PERCPU_RWSEM = 3,
	LOCK_CLASS_RT_MUTEX = 4,
	LOCK_CLASS_SPINLOCK = 5,
	LOCK_CLASS_RWLOCK_READ = 6,
	LOCK_CLASS_RWLOCK_WRITE = 7,
};
#define LOCK_CLASSES 8

/* Where a lock lies. Values are on disk: append only. */
enum lock_place {
	LOCK_PLACE_UNTOLD = 0,	  /* not looked at */
	LOCK_PLACE_STATIC = 1,	  /* data of the kernel or of a module: the name is that of its symbol */
	LOCK_PLACE_SLAB = 2,	  /* an object of a slab cache: the name is the cache's */
	LOCK_PLACE_ELSEWHERE = 3, /* memory of other kinds, or the kernel does not tell of its caches (before 6.13) */
};

/* What was known of who held a lock, as the waiter went to sleep. Values are on disk: append only. */
enum lock_owner {
	LOCK_OWNER_IS_UNTOLD = 0, /* this kind of lock does not tell */
	LOCK_OWNER_IS_NOBODY = 1, /* it was free, or on its way to the next one */
	LOCK_OWNER_IS_READER = 2, /* readers: one of them is named, which may have been gone */
	LOCK_OWNER_IS_ON_CPU = 3, /* where, cannot be read */
	LOCK_OWNER_IS_QUEUED = 4, /* ready to run, waiting for a CPU */
	LOCK_OWNER_IS_ASLEEP = 5,
};
#define LOCK_OWNERS 6

/* Bits of recording_lock.flags. */
#define RECORDING_LOCK_SPUN \
	1u /* waits that did not sleep: no thread, owner or waker; the stack is the kernel's, if any */

/*
 * Waits for kernel locks of one class, with the same stack, owner and waker. Who held the lock is known twice: the owner as
 * the wait began (sleeping locks), and who woke the waiter. The shares of many waits are right, a single one may not be.
 */
struct recording_lock {
	uint8_t lock_class; /* enum lock_class */
	uint8_t flags;
	uint8_t stack_end;	  /* enum stack_end, of @stack */
	uint32_t container;	  /* row: who waited */
	uint32_t thread;	  /* row, or RECORDING_NONE */
	uint32_t stack;		  /* row, or RECORDING_STACK_ROOT: not taken */
	uint32_t owner_container; /* row, or RECORDING_NONE: nobody, or not known */
	uint32_t waker_container; /* row, or RECORDING_NONE; and likewise: */
	uint32_t waker_thread;
	uint32_t waker_stack;
	uint64_t time_ns;
	uint64_t count;
	uint64_t total_ns;
	uint64_t max_ns;
	uint64_t handoff_ns;   /* of the total: woken, and on the way to a CPU and the lock */
	uint64_t seen;	       /* a bit for each lock's hash, out of 64: how many different locks */
	uint8_t place;	       /* enum lock_place */
	string_id name;	       /* as @place tells; 0: not known */
	uint8_t owner;	       /* enum lock_owner */
	uint32_t owner_thread; /* row, or RECORDING_NONE; it stands for all threads of its process */
	uint32_t owner_stack;  /* row, or RECORDING_STACK_ROOT: the kernel's part, where it was off its CPU */
	uint64_t waker_ns;     /* of the total without the handoff: what the waker held the lock for; 0: not known */
};

/* As an initializer's first part: nothing is known but who waited. */
#define RECORDING_LOCK_ALONE                                                                                    \
	.thread = RECORDING_NONE, .stack = RECORDING_STACK_ROOT, .owner_container = RECORDING_NONE,             \
	.waker_container = RECORDING_NONE, .waker_thread = RECORDING_NONE, .waker_stack = RECORDING_STACK_ROOT, \
	.owner_thread = RECORDING_NONE, .owner_stack = RECORDING_STACK_ROOT

/*
 * How long a container had a lock that is waited for, as a clock found it that looked at the lock's owner at even steps of
 * time, while the lock was waited for and a little longer. Whoever waited slept or spun, and the holder slept or ran.
 */
struct recording_hold {
	uint8_t lock_class; /* enum lock_class: of a wait for it; of an rwsem reading or writing, whichever came first */
	uint8_t place;	    /* as in recording_lock, and likewise: */
	string_id name;
	uint8_t bit;	    /* of recording_lock.seen: the lock's own, 0 to 63 */
	uint32_t container; /* row, or RECORDING_NONE: not known */
	uint64_t time_ns;
	uint64_t looks;	    /* that found this one */
	uint64_t ns;	    /* that they stand for */
	uint64_t waited_ns; /* meanwhile, of all tasks that waited for the lock, together */
};

/* What a histogram is of. Values are on disk: append only. */
enum histogram_kind {
	HISTOGRAM_CALL = 0,	 /* wall time of a call: a row of the calls */
	HISTOGRAM_WOKEN = 1,	 /* time in the run queue after a waking: a row of the times */
	HISTOGRAM_PREEMPTED = 2, /* likewise, after leaving a CPU */
	HISTOGRAM_LOCK = 3,	 /* waits for a lock: a row of the locks; every fourth bucket holds a whole octave */
};

/* One bucket of a histogram: so many more since the row before. */
struct recording_bucket {
	uint8_t kind;	/* enum histogram_kind */
	uint32_t row;	/* of the table that @kind tells; not checked by the reader */
	uint8_t bucket; /* see recording_bucket_ns() */
	uint64_t count;
};

#define RECORDING_BUCKETS 120

/*
 * Where a bucket begins, in ns: 16 ns wide up to 64 ns, then four to an octave. The last one, from 30 s on, has no
 * end. For @bucket = RECORDING_BUCKETS: where a next one would begin.
 */
static inline uint64_t recording_bucket_ns(unsigned int bucket)
{
	if (bucket < 4)
		return (uint64_t)bucket << 4;
	return (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1 + 4);
}

#endif
