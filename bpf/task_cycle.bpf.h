/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * task_cycle: how a task's time divides, from when it left its CPU until it leaves the next one: blocked, queued, on a CPU.
 *
 * The scheduler keeps these times for each task (sched_info, /proc/PID/schedstat), by the clock of the run queue. Both lie in
 * memory: reading them costs next to nothing, where asking for the time costs as much as an empty program. And they are right
 * also where the kernel left out the tracepoint of a switch.
 *
 * But where a task that is woken is to run at once, the kernel spares itself setting that clock once more at the switch
 * (rq_clock_skip_update()), however long the CPU took to wake up, or the running task to leave the kernel: its own counters have
 * no wait then. There the time is asked for.
 *
 * So a task is looked at once for each time that it was on a CPU, as it leaves: then all is told, from when it left the last one.
 */
#ifndef STOKER_TASK_CYCLE_BPF_H
#define STOKER_TASK_CYCLE_BPF_H

#include "bpf/task_times.bpf.h"

/* Set by user space: CLOCK_MONOTONIC, before the programs are attached and as all is to be told. */
u64 tracing_start_ns __weak = 0;
u64 tracing_end_ns __weak = 0;

/*
 * CLOCK_MONOTONIC less the run queues' clock; 0: not known yet. The two drift apart by some ten microseconds in a second, so it
 * is looked at now and then. What lies between setting the one and reading the other makes it too much, at times by far (a
 * virtual CPU that has to wait): the least counts, and more than the drift it never grows.
 */
u64 clock_ahead_ns __weak = 0;
u64 clock_looked_ns __weak = 0;
u64 clock_set_ns __weak = 0;
#define CLOCK_LOOK_NS 10000000
#define CLOCK_KEEP_NS 200000000
#define CLOCK_DRIFT(ns) ((ns) >> 11) /* adjtimex(2) sets the pace 0.05% off at most */
#define CLOCK_ERROR_NS 20000	     /* as is to be expected */

/* Of each CPU, the last switch that was traced; 0: none yet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} last_switch __weak SEC(".maps");

struct cycle {
	u64 arrival_ns; /* when it came to its CPU */
	u64 blocked_ns;
	u64 queued_ns;
	u64 oncpu_ns;
	u64 unseen; /* switches from a CPU that were not traced */
};

static __always_inline u64 *last_switch_here(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&last_switch, &zero);
}

static __always_inline u64 queue_clock(struct task_struct *task)
{
	struct cfs_rq *queue = LOAD(task, se.cfs_rq);
	struct rq *rq = LOAD(queue, rq);

	return LOAD(rq, clock);
}

static __noinline int look_at_clock(u64 now)
{
	u64 ahead = bpf_ktime_get_ns() - now, known = clock_ahead_ns, most = known + CLOCK_DRIFT(now - clock_set_ns);

	clock_looked_ns = now;
	if (known && (s64)(ahead - known) >= 0) {
		if ((s64)(now - clock_set_ns) < CLOCK_KEEP_NS)
			return 0;
		if ((s64)(ahead - most) > 0)
			ahead = most;
	}
	clock_set_ns = now;
	clock_ahead_ns = ahead;
	return 0;
}

/* A time of CLOCK_MONOTONIC by the run queues' clock. */
static __always_inline u64 queue_time(u64 monotonic_ns)
{
	return monotonic_ns - *(volatile u64 *)&clock_ahead_ns;
}

/* When @next comes and @prev leaves, which came at @came. */
static __always_inline u64 switch_time(struct task_struct *prev, struct task_struct *next, u64 came)
{
	bool stands_still = !prev->pid || next->sched_info.last_queued >= came;
	u64 now = queue_clock(prev), asked;

	if (RARELY(!*(volatile u64 *)&clock_ahead_ns ||
		   (!stands_still && (s64)(now - *(volatile u64 *)&clock_looked_ns) > CLOCK_LOOK_NS)))
		look_at_clock(now);
	if (stands_still) {
		asked = queue_time(bpf_ktime_get_ns());
		now = asked > now ? asked : now;
	}
	/* What was asked for may have been a little too much. */
	return now > came ? now : came;
}

/* From now on it is off its CPU. */
static __always_inline void begin_cycle(struct task_struct *task, struct task_times *times, u64 now)
{
	times->left_ns = now;
	times->run_delay_ns = LOAD(task, sched_info.run_delay);
	times->ran_ns = LOAD(task, se.sum_exec_runtime);
	times->arrivals = LOAD(task, sched_info.pcount);
}

/* Of one that has come back since, and is on this CPU, whose last switch was at @came; 0: on another one. */
static __always_inline void cycle_of(struct task_struct *task, const struct task_times *times, u64 came, u64 now,
				     struct cycle *ret)
{
	u64 arrival = LOAD(task, sched_info.last_arrival);
	u64 delay = LOAD(task, sched_info.run_delay) - times->run_delay_ns;
	u64 arrivals, off, ran;

	if (came > arrival) {
		delay += came - arrival;
		arrival = came;
	}
	/* The CPUs' clocks may differ. */
	if (arrival < times->left_ns)
		arrival = times->left_ns;
	ret->arrival_ns = arrival;
	ret->oncpu_ns = now > arrival ? now - arrival : 0;
	arrivals = LOAD(task, sched_info.pcount) - times->arrivals;
	ret->unseen = (s64)arrivals > 1 ? arrivals - 1 : 0;
	off = arrival - times->left_ns;
	if (RARELY(ret->unseen)) {
		ran = LOAD(task, se.sum_exec_runtime) - times->ran_ns;
		ran = ran > ret->oncpu_ns ? ran - ret->oncpu_ns : 0;
		ran = ran < off ? ran : off;
		ret->oncpu_ns += ran;
		off -= ran;
	}
	/* From its waking on: the kernel puts it into the queue later where another CPU has to do that. */
	if (times->woken_ns && !ret->unseen)
		delay = times->woken_ns < arrival ? arrival - times->woken_ns : 0;
	/* What was preempted, waits all the while. */
	ret->queued_ns = (times->state == TASK_READY && !ret->unseen) || delay > off ? off : delay;
	ret->blocked_ns = off - ret->queued_ns;
}

/*
 * The task's first event: since tracing began, or since it was made, it was off its CPU in that state until it came. For longer
 * than it ever waited for a CPU, nobody waits: its waking was not traced.
 */
static __always_inline void first_seen(struct task_struct *task, struct task_times *times, u8 state)
{
	u64 began, tracing;

	if (!RARELY(times->state == TASK_UNSEEN))
		return;
	began = task->start_time;
	tracing = *(volatile u64 *)&tracing_start_ns;
	begin_cycle(task, times, queue_time(began > tracing ? began : tracing));
	times->arrivals -= task->on_cpu;
	if (state == TASK_READY && (s64)(task->sched_info.last_arrival - times->left_ns) > (s64)times->run_delay_ns)
		state = TASK_BLOCKED + OFF_SLEEPING;
	times->state = state;
}

#endif
