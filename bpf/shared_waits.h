/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * shared_waits: what the programs for system calls, blocked time, the run queue and locks share with user space.
 *
 * These programs know containers as slots: small numbers, given to a cgroup when it is first seen. Their counts lie in
 * per-CPU arrays and only grow; user space takes differences. What has no room is counted under one row or slot that
 * stands for "others", never dropped.
 */
#ifndef STOKER_SHARED_WAITS_H
#define STOKER_SHARED_WAITS_H

#include "bpf/shared.h"

/* Slots. Real ones are given from SLOT_FIRST on. */
#define SLOT_UNWANTED 0u /* filtered out: nothing is counted */
#define SLOT_OTHERS 1u	 /* more cgroups than slots */
#define SLOT_KERNEL 2u	 /* kernel threads, wherever they sit */
#define SLOT_FIRST 3u
#define SLOTS_MAX 1024u

/*
 * Histograms of nanoseconds: buckets of 16 ns up to 64 ns, then four to an octave. The last one holds all from 30 s
 * on.
 */
#define HISTOGRAM_UNIT_BITS 4
#define HISTOGRAM_BUCKETS 120

/* How many numbers of each kind were given; beyond a map's end where it is full. */
struct given_numbers {
	u32 slots;
	u32 call_rows;
};

/* Calls by number. A number that no kernel has, and those of 32-bit programs, have a place of their own. */
#define CALLS_MAX 512u
#define CALL_32_BIT 511u /* int 0x80, x32 and the like: their numbers mean other calls */
#define CALL_UNKNOWN 510u

#define CALL_ROWS_MAX 4096u /* of slots and calls; scaled down on hosts with many CPUs */
#define CALL_ROW_OTHERS 0u  /* more of these than rows */

/* The key of a row of calls: slot and number. */
#define CALL_ROW_KEY(slot, call) ((slot) << 16 | (call))
#define CALL_ROW_SLOT(key) ((key) >> 16)
#define CALL_ROW_CALL(key) ((key)&0xffff)

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

#endif
