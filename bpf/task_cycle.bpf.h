/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * task_cycle: how a task's time divides, from when it left its CPU until it leaves the next one: blocked, queued, on a CPU.
 *
 * The scheduler keeps these times for each task (sched_info, /proc/PID/schedstat), by the clock of the run queue, which
 * stands still during a switch. Both lie in memory: reading them costs next to nothing, where asking for the time costs as much
 * as an empty program. And they are right also where the kernel left out the tracepoint of a switch.
 *
 * So all is done as a task leaves; nothing as it comes. What it was at since it came is not yet told then.
 */
#ifndef STOKER_TASK_CYCLE_BPF_H
#define STOKER_TASK_CYCLE_BPF_H

#include "bpf/task_times.bpf.h"

/* Set by user space: CLOCK_MONOTONIC, before the programs are attached and as all is to be told. */
u64 tracing_start_ns __weak = 0;
u64 tracing_end_ns __weak = 0;

/*
 * CLOCK_MONOTONIC less the run queues' clock, as last looked at; 0: not yet. The two drift apart by some ten microseconds in a
 * second.
 */
u64 clock_ahead_ns __weak = 0;
u64 clock_looked_ns __weak = 0;
#define CLOCK_LOOK_NS 10000000
#define CLOCK_DRIFT_NS 20000 /* how far off one may be of the other, at most */

struct cycle {
	u64 arrival_ns; /* when it came to its CPU */
	u64 blocked_ns;
	u64 queued_ns;
	u64 oncpu_ns;
	u64 unseen; /* switches from a CPU that were not traced */
};

static __always_inline u64 queue_clock(struct task_struct *task)
{
	struct cfs_rq *queue = LOAD(task, se.cfs_rq);
	struct rq *rq = LOAD(queue, rq);

	return LOAD(rq, clock);
}

static __noinline int look_at_clock(u64 now)
{
	clock_looked_ns = now;
	clock_ahead_ns = bpf_ktime_get_ns() - now;
	return 0;
}

/* @now, as the next task is known: looking for one takes its time, if there is none. */
static __always_inline void keep_clock(u64 now)
{
	if (now - *(volatile u64 *)&clock_looked_ns > CLOCK_LOOK_NS)
		look_at_clock(now);
}

/* A time of CLOCK_MONOTONIC by the run queues' clock. */
static __always_inline u64 queue_time(u64 monotonic_ns)
{
	return monotonic_ns - *(volatile u64 *)&clock_ahead_ns;
}

/* From now on it is off its CPU. */
static __always_inline void begin_cycle(struct task_struct *task, struct task_times *times, u64 now)
{
	times->left_ns = now;
	times->run_delay_ns = LOAD(task, sched_info.run_delay);
	times->ran_ns = LOAD(task, se.sum_exec_runtime);
	times->arrivals = LOAD(task, sched_info.pcount);
}

/* Of one that has come back since. */
static __always_inline void cycle_of(struct task_struct *task, const struct task_times *times, u64 now,
				     struct cycle *ret)
{
	u64 arrival = LOAD(task, sched_info.last_arrival),
	    delay = LOAD(task, sched_info.run_delay) - times->run_delay_ns;
	u64 arrivals, off, ran;

	/* The CPUs' clocks may differ. */
	if (arrival < times->left_ns)
		arrival = times->left_ns;
	ret->arrival_ns = arrival;
	ret->oncpu_ns = now > arrival ? now - arrival : 0;
	arrivals = LOAD(task, sched_info.pcount) - times->arrivals;
	ret->unseen = arrivals > 1 ? arrivals - 1 : 0;
	off = arrival - times->left_ns;
	if (ret->unseen) {
		ran = LOAD(task, se.sum_exec_runtime) - times->ran_ns;
		ran = ran > ret->oncpu_ns ? ran - ret->oncpu_ns : 0;
		ran = ran < off ? ran : off;
		ret->oncpu_ns += ran;
		off -= ran;
	}
	/* What was preempted, waits all the while. */
	ret->queued_ns = (times->state == TASK_READY && !ret->unseen) || delay > off ? off : delay;
	ret->blocked_ns = off - ret->queued_ns;
}

/* The task's first event: since tracing began, or since it was made, it was off its CPU in that state until it came. */
static __always_inline void first_seen(struct task_struct *task, struct task_times *times, u8 state)
{
	u64 began, tracing;

	if (times->state != TASK_UNSEEN)
		return;
	began = task->start_time;
	tracing = *(volatile u64 *)&tracing_start_ns;
	begin_cycle(task, times, queue_time(began > tracing ? began : tracing));
	times->arrivals -= task->on_cpu;
	times->state = state;
}

#endif
