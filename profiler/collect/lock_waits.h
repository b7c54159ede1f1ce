/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_waits: waits for kernel locks that the BPF programs have summed up, as rows of the recording.
 *
 * Waits that slept come with stacks, owners and wakers, from a map_pair; waits that did not
 * are counters, which only grow; those for spinlocks are spin_waits's.
 */
#ifndef STOKER_LOCK_WAITS_H
#define STOKER_LOCK_WAITS_H

#include "profiler/collect/owners.h"
#include "profiler/collect/slots.h"
#include "profiler/collect/stacks.h"
#include "profiler/collect/wait_stacks.h"
#include "profiler/recording/recording_writer.h"

struct lock_waits;
struct stoker_bpf;

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int lock_waits_new(struct stoker_bpf *skeleton, struct slots *slots, struct wait_stacks *wait_stacks,
		   struct recording_writer *writer, struct owners *owners, struct stacks *stacks,
		   struct lock_waits **ret_locks);
void lock_waits_free(struct lock_waits *locks);

/* As blocked_fetch() and blocked_write(). */
int lock_waits_fetch(struct lock_waits *locks);
int lock_waits_write(struct lock_waits *locks, uint64_t time_ns);

/* Writes what the counters have counted since the last time. 0 or a negative errno. */
int lock_waits_write_counters(struct lock_waits *locks, uint64_t time_ns);

/* The last of the slots that are due (slots.h), whose counters are emptied. 0 or a negative errno. */
int lock_waits_drop(struct lock_waits *locks, uint64_t time_ns);

/* Waits for spinlocks that were not counted, or with less than is known of them, so far. 0 or a negative errno. */
int lock_waits_spins_lost(const struct lock_waits *locks, struct spin_losses *ret_losses);

#endif
