/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * lock_waker: who lets a task go on that waits for a sleeping lock.
 */
#ifndef STOKER_LOCK_WAKER_BPF_H
#define STOKER_LOCK_WAKER_BPF_H

#include "bpf/wait_stacks.bpf.h"

/*
 * What the waker held the lock for, of the wait: it had waited for it too, and got it while the other one waited. Else 0: it
 * held it all along, or never waited for it, and cannot be told from who held it as the wait began.
 */
static __always_inline u64 held_by(const struct task_times *waker, const struct task_times *waiter, u64 now)
{
	if (!waker || waker->lock_got != waiter->lock || waker->lock_got_ns <= waiter->lock_ns)
		return 0;
	return now - waker->lock_got_ns;
}

/* Who lets a task go on that waits for a lock has just let go of it. The last one counts: others may have been faster. */
static __always_inline void note_lock_waker(void *ctx, struct task_times *times, u64 now)
{
	struct task_struct *waker = current_task();
	struct stack_event *event;
	u32 zero = 0;

	event = bpf_map_lookup_elem(&wait_scratch, &zero);
	take_own_stack(ctx, event, SCRATCH_SCHED);
	if (event)
		times->lock_waker = event->key;
	times->lock_waker_ns = held_by(known_times_of(waker), times, now);
	times->lock_waker_slot = LOAD(waker, flags) & PF_KTHREAD ? SLOT_KERNEL : slot_in(waker, cgroup_id_of(waker));
	times->lock_woken_ns = now;
}

#endif
