/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * shared_waits: what the programs for system calls, blocked time, the run queue and locks share with user space.
 *
 * These programs know containers as slots: small numbers, given to a cgroup's pid namespace when it is first seen. Their counts lie in
 * per-CPU arrays and only grow; user space takes differences. What has no room is counted under one row or slot that
 * stands for "others", never dropped.
 */
#ifndef STOKER_SHARED_WAITS_H
#define STOKER_SHARED_WAITS_H

#include "bpf/shared.h"

/*
 * Slots. Real ones are given from SLOT_FIRST on.
 *
 * A slot's low bits are the place of its counters, the others count how often that was given away: so what still names the slot of
 * a container that is gone (who ran, who woke whom) never means the next one. Which slot of a place is valid, slots_valid
 * says; user space ends it when its cgroup is gone, reads and empties its counters, and puts the next one into the queue.
 */
#define SLOT_UNWANTED \
	0u /* filtered out: nothing is counted. A place: as somebody else is wanted, too, its slot is another one */
#define SLOT_OTHERS 1u /* more cgroups than slots */
#define SLOT_KERNEL 2u /* kernel threads, wherever they sit */
#define SLOT_IDLE 3u   /* no task: the CPU was idle */
#define SLOT_FIRST 4u
#define SLOTS_MAX 512u /* places */
#define SLOT_PLACE(slot) ((slot) & (SLOTS_MAX - 1))
#define SLOT_IS_UNWANTED(slot) (SLOT_PLACE(slot) == SLOT_UNWANTED)
#define SLOT_NOBODYS 0xffffffffu /* in slots_valid: no slot of this place. Of SLOT_OTHERS: there may be free ones */

struct slot_key {
	u64 cgroup_id;
	u64 pid_namespace; /* PID_NAMESPACE(); 0 for a task that has ended, and for those beyond CGROUP_SLOTS_MAX */
};

/*
 * A cgroup may go on making pid namespaces (builds in sandboxes do), and its slots are given back only as it goes: from so many
 * on they share one.
 */
#define CGROUP_SLOTS_MAX 16u

/* A number is another namespace's as soon as one is gone: when its first process began tells them apart. */
#define PID_NAMESPACE(inode, began_ns) ((u64)(u32)((began_ns) >> 20) << 32 | (u32)(inode))

/*
 * Histograms of nanoseconds: buckets of 16 ns up to 64 ns, then four to an octave. The last one holds all from 30 s
 * on.
 */
#define HISTOGRAM_UNIT_BITS 4
#define HISTOGRAM_BUCKETS 120

#define CALL_ROWS_MAX 8192u /* of slots and calls; scaled down on hosts with many CPUs */
#define CALL_ROW_OTHERS 0u  /* more of these than rows */

/* The key of a row of calls: slot and number. */
#define CALL_ROW_KEY(slot, call) ((u64)(slot) << 32 | (call))
#define CALL_ROW_SLOT(key) ((u32)((key) >> 32))
#define CALL_ROW_CALL(key) ((u32)(key))

/*
 * Calls of one number in one container, on one CPU, that have returned (exit and exit_group: that have begun). Times
 * are of those whose begin was seen, too: timed of them. wall = oncpu + blocked + queued.
 */
struct call_counts {
	u64 count;
	u64 errors;
	u64 timed;
	u64 wall_ns;
	u64 wall_max_ns;
	u64 oncpu_ns;
	u64 blocked_ns;
	u64 uninterruptible_ns; /* of blocked_ns: state D */
	u64 queued_ns;		/* ready to run, or preempted */
	u64 lock_ns;		/* waits for kernel locks within: they are blocked or on a CPU, so no addend */
	u32 histogram[HISTOGRAM_BUCKETS];
};

/* The same without times, where only counts were asked for. */
struct call_tally {
	u64 count;
	u64 errors;
};

/* How a task was off its CPU. Values are those of enum wait_state in the recording. */
enum off_state {
	OFF_SLEEPING = 0,	 /* S: can be interrupted */
	OFF_UNINTERRUPTIBLE = 1, /* D */
	OFF_IO = 2,		 /* D, waiting for a disk */
	OFF_STOPPED = 3,	 /* by a signal, or traced */
};
#define OFF_STATES 4

/* Bits of wait_key.flags. */
#define WAIT_UNFINISHED 1u    /* still blocked when the recording ended */
#define WAIT_STACK_GUESSED 2u /* the stack is the one that this call was last seen to block with */

#define EVENT_WAIT_STACK 100u /* stack_event.type: who blocks or wakes, and where; its key stands for it in wait_key */

/* Keys that a task has and may tell yet, as an iterator over all tasks gives them: each as it is there, 0 or not. */
#define STACKS_IN_USE 8

/* A stretch of blocked time: where, and who ended it. A key of 0: not taken, or lost. */
struct wait_key {
	struct count_key stack;
	struct count_key waker;
	u32 slot;
	u32 waker_slot;
	u32 state; /* enum off_state */
	u32 flags;
};

struct wait_sums {
	u64 count;
	u64 total_ns;
	u64 max_ns;
};

/* A container's time on one CPU. */
struct slot_times {
	u64 oncpu_ns;
	u64 blocked_ns[OFF_STATES];
	u64 blocks[OFF_STATES];
	u64 short_ns; /* of blocked_ns: below the least duration that is recorded with a stack */
	u64 shorts;
	u64 woken_ns;	  /* queued after a waking, or as a new task */
	u64 preempted_ns; /* queued after it had to leave its CPU */
	u64 throttled_ns; /* likewise, its cgroup having used up its quota; in neither of the two above */
	u64 throttles;
	u64 behind_own_ns;	      /* of the queued: a task of the same container ran … */
	u64 behind_idle_ns;	      /* … or none, the CPU being idle; all others are in the matrix */
	u32 woken[HISTOGRAM_BUCKETS]; /* of single waits */
	u32 preempted[HISTOGRAM_BUCKETS];
};

/* Who ran while another waited for that CPU, or why nobody can be named. */
#define CULPRIT_MOVED 0xfffffffeu   /* it waited on another CPU than it came to run on */
#define CULPRIT_EARLIER 0xfffffffdu /* longer ago than is known who ran there, or it was under way at the end */
#define QUEUE_PAIRS_MAX 16384u
#define QUEUE_KEY(victim, culprit) ((u64)(victim) << 32 | (culprit))
#define QUEUE_VICTIM(key) ((u32)((key) >> 32))
#define QUEUE_CULPRIT(key) ((u32)(key))

/* What was lost, on one CPU. */
struct wait_losses {
	u64 locks; /* no room in the map of lock waits … */
	u64 locks_ns;
	u64 waits;    /* no room in the map of waits … */
	u64 waits_ns; /* … and how long they were: their container's times have them */
	u64 stacks;   /* ring buffer full: the wait is there, its stack is not */
	u64 tasks;    /* no memory for a task's times: its event was not looked at */
	u64 queue_ns; /* no room in the map of who ran meanwhile */
	u64 switches; /* of tasks, that the kernel did not trace: what lies between two that it did is told as one */
	u64 looks; /* who has a lock is not known: no room in the list of them (once for each wait), or for the count */
};

/* What kind of lock was waited for. Values are those of enum lock_class in the recording. */
enum lock_kind {
	LOCK_MUTEX = 0,
	LOCK_RWSEM_READ = 1,
	LOCK_RWSEM_WRITE = 2,
	LOCK_PERCPU = 3, /* percpu_rw_semaphore */
	LOCK_RT = 4,
	LOCK_SPIN = 5,
	LOCK_RWLOCK_READ = 6,
	LOCK_RWLOCK_WRITE = 7,
};
#define LOCK_KINDS 8

/* Where a lock lies. Values are those of enum lock_place in the recording. */
enum lock_where {
	LOCK_UNTOLD = 0,    /* not looked at */
	LOCK_STATIC = 1,    /* data of the kernel or of a module */
	LOCK_IN_SLAB = 2,   /* in an object of a slab cache */
	LOCK_ELSEWHERE = 3, /* memory of other kinds, or this kernel does not tell of its caches */
};

/* What is known of who holds a lock. Values are those of enum lock_owner in the recording. */
enum lock_owner_state {
	LOCK_OWNER_UNTOLD = 0, /* this kind of lock does not tell */
	LOCK_OWNER_NOBODY = 1, /* free, or on its way to the next one */
	LOCK_OWNER_READER = 2, /* readers: one of them is named, which may be gone */
	LOCK_OWNER_RAN = 3,    /* on a CPU: where, cannot be read */
	LOCK_OWNER_READY = 4,  /* off its CPU and ready to run: it waited for one */
	LOCK_OWNER_ASLEEP = 5,
};

/* Waits for a sleeping lock that slept. Slots of 0: not known. */
struct lock_key {
	struct count_key stack;
	struct count_key waker; /* who ended it: the one that let go of the lock */
	struct count_key owner; /* where it was, off its CPU; 0: not taken */
	u64 lock;		/* LOCK_STATIC: its address; LOCK_IN_SLAB: the cache's; else 0 */
	u32 where;		/* enum lock_where */
	u32 kind;		/* enum lock_kind */
	u32 slot;
	u32 owner_slot; /* who held it as the wait began */
	u32 owner_state;
	u32 waker_slot;
};

#define LOCK_OCTAVES (HISTOGRAM_BUCKETS / 4)

struct lock_sums {
	u64 count;
	u64 total_ns;
	u64 max_ns;
	u64 handoff_ns;		   /* of the total: from the last waking until it had the lock */
	u64 waker_ns;		   /* of the rest: what the waker held it for, as far as that is known; else half */
	u64 seen;		   /* a bit for each lock's hash: how many different ones */
	u32 octaves[LOCK_OCTAVES]; /* a histogram: every fourth bucket */
	u32 pad[2];
};

/* Waits that did not sleep, by slot's place and kind, on one CPU. */
struct lock_tally {
	u64 count;
	u64 total_ns;
	u64 max_ns;
};
#define LOCK_TALLY(place, kind) ((place)*LOCK_KINDS + (kind))

/* Looks at who has a lock that is waited for, so many a second; of each lock that is listed. */
#define HOLDER_HZ 401u

struct holder_key {
	u64 lock;  /* as lock_key.lock */
	u32 where; /* enum lock_where */
	u32 kind;  /* enum lock_kind: of a wait for it */
	u32 slot;  /* who had it; 0: not known */
	u32 bit;   /* of lock_sums.seen: this lock's */
};

struct holder_sums {
	u64 looks;
	u64 waiters; /* of them all: tasks that waited for it meanwhile */
};

/* What an iterator tells of each slab cache. */
#define SLAB_NAME_BYTES 56
struct slab_name {
	u64 cache;
	char name[SLAB_NAME_BYTES]; /* NUL-terminated */
};

/*
 * Waits for spinlocks, on one CPU, by cgroup, kind and callers. Stacks are taken of long waits, and of some of the short ones: the
 * others are in rows without frames.
 *
 * Two tables take turns, as user space counts rounds: a row of another round than that of now is free, so nobody has to empty it.
 * What finds none is counted without callers, and where that finds none in one of the rows behind the table, of
 * CGROUP_OTHERS, one for each kind.
 */
#define SPIN_FRAMES 16
#define SPIN_ROWS 1024 /* a power of two */
#define SPIN_TABLE (SPIN_ROWS + LOCK_KINDS)
#define SPIN_AT(round, place) (((round)&1) * SPIN_TABLE + (place))

struct spin_row {
	u64 hash;      /* of cgroup, kind, lock and callers */
	u64 cgroup_id; /* or CGROUP_KERNEL_THREADS, CGROUP_OTHERS */
	u64 lock;      /* as lock_key.lock */
	u64 count;
	u64 total_ns;
	u64 max_ns;
	u32 where; /* enum lock_where */
	u32 kind;
	u32 frame_count;
	u32 round;		 /* it counts for; the first one is 1 */
	u64 frames[SPIN_FRAMES]; /* leaf first */
};

/* Of one CPU. */
struct spin_losses {
	u64 untraced; /* waits that were not counted: begin or end did not come */
	u64 nested;   /* likewise: nested too deep, or within our own program */
	u64 crowded;  /* counted, but with less than is known of them: no room */
};

#endif
