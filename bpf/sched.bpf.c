/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sched: every task's time as on a CPU, blocked, and queued for a CPU.
 *
 * A task leaves its CPU blocked or still ready to run (preempted), is woken where it was blocked, and comes back. The
 * way from waking to coming back is queued time. A waking counts where the task is off its CPU, or is past the point
 * where it can stay: one that comes before only makes it not sleep at all. Of several the first one counts.
 *
 * What was before the first event of a task is told by that event: who is woken was blocked, who comes was queued, who
 * leaves was running, since tracing began or the task did.
 */
#include "bpf/task_times.bpf.h"

/* Set by user space. */
const volatile bool switch_has_state = true; /* the tracepoint gives the state that the task left with (5.18) */
const volatile bool split_calls = false;

/* Set by user space before the programs are attached: the monotonic clock. */
u64 tracing_start_ns = 0;

/* include/linux/sched.h */
#define STATE_INTERRUPTIBLE 0x1u
#define STATE_UNINTERRUPTIBLE 0x2u
#define STATE_STOPPED (0x4u | 0x8u) /* by a signal, or traced */

struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline u32 state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}

static __always_inline u8 blocked_state(struct task_struct *task, u32 state)
{
	if (state & STATE_UNINTERRUPTIBLE)
		return BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait) ? TASK_IO_WAIT : TASK_UNINTERRUPTIBLE_D;
	return state & STATE_STOPPED ? TASK_STOPPED : TASK_INTERRUPTIBLE_S;
}

/* The task's first event: what it did since tracing began, or since it was made. */
static __always_inline void first_seen(struct task_struct *task, struct task_times *times, u8 state)
{
	u64 began = task->start_time, tracing = *(volatile u64 *)&tracing_start_ns;

	if (times->state != TASK_UNSEEN)
		return;
	times->state = state;
	times->switched_ns = began > tracing ? began : tracing;
}

static __always_inline bool in_a_call(const struct task_times *times)
{
	return split_calls && times->call_ns;
}

/* Its first switch since the call began finds the parts of another call. */
static __always_inline void leave_call(struct task_times *times, u64 now)
{
	if (times->switched_ns <= times->call_ns) {
		times->call_oncpu_ns = now - times->call_ns;
		times->call_blocked_ns = 0;
		times->call_uninterruptible_ns = 0;
		times->call_queued_ns = 0;
	} else {
		times->call_oncpu_ns += now - times->switched_ns;
	}
}

static __always_inline void leave(struct task_struct *task, bool preempted, u32 state, u64 now)
{
	struct task_times *times = times_of(task);

	if (!times)
		return;
	first_seen(task, times, TASK_ON_CPU);
	if (in_a_call(times))
		leave_call(times, now);
	times->state = preempted || !state ? TASK_PREEMPTED : blocked_state(task, state);
	times->switched_ns = now;
	/* One that was woken while it still ran goes on at once, or was on its way out: then it counts from here. */
	if (times->state == TASK_PREEMPTED)
		times->woken_ns = 0;
}

static __always_inline void come(struct task_struct *task, u64 now)
{
	struct task_times *times = times_of(task);
	u64 blocked = 0, queued, woken;

	if (!times)
		return;
	first_seen(task, times, TASK_PREEMPTED);
	queued = now - times->switched_ns;
	if (times->state > TASK_PREEMPTED) {
		/* A waking that was not seen: all of it was blocked. */
		woken = times->woken_ns ? times->woken_ns : now;
		blocked = woken > times->switched_ns ? woken - times->switched_ns : 0;
		queued -= blocked;
	}
	if (in_a_call(times)) {
		times->call_blocked_ns += blocked;
		if (times->state == TASK_UNINTERRUPTIBLE_D || times->state == TASK_IO_WAIT)
			times->call_uninterruptible_ns += blocked;
		times->call_queued_ns += queued;
	}
	times->state = TASK_ON_CPU;
	times->switched_ns = now;
	times->woken_ns = 0;
}

SEC("tp_btf/sched_switch")
int task_switched(u64 *ctx)
{
	bool preempted = ctx[0];
	struct task_struct *prev = (struct task_struct *)ctx[1], *next = (struct task_struct *)ctx[2];
	u64 now = bpf_ktime_get_ns();
	u32 state = switch_has_state ? (u32)ctx[3] : state_of(prev);

	if (prev->pid)
		leave(prev, preempted, state, now);
	if (next->pid)
		come(next, now);
	return 0;
}

/* Still on its CPU and not taken off its queue: it will find that it need not sleep. */
static __always_inline bool stays_awake(struct task_struct *task)
{
	if (!task->on_cpu || !task->on_rq)
		return false;
	return !bpf_core_field_exists(task->se.sched_delayed) || !task->se.sched_delayed;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(task_woken, struct task_struct *task)
{
	struct task_times *times;

	if (stays_awake(task))
		return 0;
	times = times_of(task);
	if (!times || times->woken_ns)
		return 0;
	first_seen(task, times, blocked_state(task, state_of(task)));
	times->woken_ns = bpf_ktime_get_ns();
	return 0;
}
