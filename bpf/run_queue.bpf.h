/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * run_queue: how long ready tasks wait for a CPU, and who runs there meanwhile.
 *
 * Each CPU remembers its last switches: when, and to which container. A task that comes to run looks back over them to
 * the moment when it became ready, and charges each stretch to who ran then; the parts sum up to the wait.
 */
#ifndef STOKER_RUN_QUEUE_BPF_H
#define STOKER_RUN_QUEUE_BPF_H

#include "bpf/task_times.bpf.h"

/* Set by user space: who ran meanwhile, too, and how long single waits were. */
const volatile bool want_queued __weak = false;

#define SWITCHES 128 /* a power of two */
#define CPU_UNKNOWN 0xffffffffu

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS_MAX);
	__type(key, u32);
	__type(value, struct slot_times);
} slot_rows __weak SEC(".maps");

struct cpu_switches {
	u64 count;
	u64 since_ns; /* the last one that was seen; 0: none yet */
	u32 slot;
	u32 pad;
	struct {
		u64 ns;
		u32 slot;
		u32 pad;
	} last[SWITCHES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_switches);
} cpu_switches __weak SEC(".maps");

/* By QUEUE_KEY(): nanoseconds that one's tasks waited while the other ran. */
struct queue_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, QUEUE_PAIRS_MAX);
	__type(key, u64);
	__type(value, u64);
} queue_0 __weak SEC(".maps"), queue_1 __weak SEC(".maps");

u32 active_queue __weak = 0; /* as active_waits */

static __always_inline bool is_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(task->throttled) && task->throttled)
		return true;
	return bpf_core_field_exists(task->se.cfs_rq) && bpf_core_field_exists(struct cfs_rq, throttle_count) &&
	       BPF_CORE_READ(task, se.cfs_rq, throttle_count);
}

/*
 * A cgroup's queue counts how long it was throttled, in the end that is (6.6). Before, what a task waits that was
 * throttled as it left or was woken counts as such until it runs.
 */
#define QUEUE_COUNTS_THROTTLING bpf_core_field_exists(struct cfs_rq, throttled_clock_self_time)

static __always_inline void ready_from_now(struct task_struct *task, struct task_times *times)
{
	struct cfs_rq *queue;

	if (!QUEUE_COUNTS_THROTTLING) {
		times->throttled = is_throttled(task);
		return;
	}
	queue = task->se.cfs_rq;
	times->cfs_rq = (u64)queue;
	times->throttled_ns = queue->throttled_clock_self_time;
	times->throttled = queue->runtime_enabled != 0;
	if (times->throttled)
		times->group_throttled_ns = queue->tg->cfs_bandwidth.throttled_time;
}

/* Of a task that waited on one CPU after another, its cgroup's time on all of them is the best that there is. */
static __always_inline u64 throttled_since(struct task_struct *task, const struct task_times *times, u64 queued)
{
	struct cfs_rq *queue = task->se.cfs_rq;
	u64 ns;

	if (!QUEUE_COUNTS_THROTTLING)
		return times->throttled ? queued : 0;
	if (!times->cfs_rq)
		return 0;
	if ((u64)queue == times->cfs_rq)
		ns = queue->throttled_clock_self_time - times->throttled_ns;
	else if (times->throttled)
		ns = queue->tg->cfs_bandwidth.throttled_time - times->group_throttled_ns;
	else
		return 0;
	/* It may have been throttled already before it was ready; and a task may have changed its cgroup. */
	return ns < queued ? ns : queued;
}

/* Of this CPU; NULL where it does not matter who ran. */
static __always_inline struct cpu_switches *switches_here(void)
{
	u32 zero = 0;

	return want_queued ? bpf_map_lookup_elem(&cpu_switches, &zero) : NULL;
}

static __always_inline void now_runs(struct cpu_switches *switches, u32 slot, u64 now)
{
	u32 at = switches->count & (SWITCHES - 1);

	switches->last[at].ns = now;
	switches->last[at].slot = slot;
	switches->since_ns = now;
	switches->slot = slot;
	switches->count++;
}

static __noinline int charge_other(u32 victim, u32 culprit, u64 ns)
{
	u64 key = QUEUE_KEY(victim, culprit);
	bool second = *(volatile u32 *)&active_queue;
	u64 *sum = second ? bpf_map_lookup_elem(&queue_1, &key) : bpf_map_lookup_elem(&queue_0, &key);
	struct wait_losses *losses;
	u32 zero = 0;
	long err;

	if (!sum) {
		err = second ? bpf_map_update_elem(&queue_1, &key, &ns, BPF_NOEXIST)
			     : bpf_map_update_elem(&queue_0, &key, &ns, BPF_NOEXIST);
		if (!err)
			return 0;
		/* Another CPU was first, or the map is full. */
		sum = second ? bpf_map_lookup_elem(&queue_1, &key) : bpf_map_lookup_elem(&queue_0, &key);
	}
	if (sum) {
		__sync_fetch_and_add(sum, ns);
		return 0;
	}
	losses = bpf_map_lookup_elem(&wait_losses, &zero);
	if (losses)
		losses->queue_ns += ns;
	return 0;
}

static __always_inline void charge(struct slot_times *row, u32 victim, u32 culprit, u64 ns)
{
	if (culprit == victim)
		row->behind_own_ns += ns;
	else if (culprit == SLOT_IDLE)
		row->behind_idle_ns += ns;
	else if (ns)
		charge_other(victim, culprit, ns);
}

static __noinline int charge_earlier_ones(struct cpu_switches *switches, struct slot_times *row, u32 victim, u64 ready,
					  u64 now)
{
	u64 end = now, from;
	u32 at;

	if (!switches || !row)
		return 0;
	for (u32 i = 1; i <= SWITCHES; i++) {
		at = (switches->count - i) & (SWITCHES - 1);
		from = switches->last[at].ns;
		if (!from || from > end)
			break;
		if (from < ready)
			from = ready;
		charge(row, victim, switches->last[at].slot, end - from);
		end = from;
		if (end <= ready)
			return 0;
	}
	charge_other(victim, CULPRIT_EARLIER, end - ready);
	return 0;
}

/* Mostly the one that leaves now has run all the while. */
static __always_inline void charge_those_who_ran(struct cpu_switches *switches, struct slot_times *row, u32 victim,
						 u64 ready, u64 now)
{
	if (switches->since_ns && switches->since_ns <= ready)
		charge(row, victim, switches->slot, now - ready);
	else
		charge_earlier_ones(switches, row, victim, ready, now);
}

static __always_inline void count_queued(struct slot_times *row, struct task_struct *task,
					 const struct task_times *times, struct cpu_switches *switches, bool was_woken,
					 u64 queued, u64 now)
{
	u64 throttled = throttled_since(task, times, queued);

	if (throttled) {
		row->throttled_ns += throttled;
		row->throttles++;
		queued -= throttled;
		if (!queued)
			return;
	}
	if (was_woken)
		row->woken_ns += queued;
	else
		row->preempted_ns += queued;
	if (!switches || !queued)
		return;
	count_in(was_woken ? row->woken : row->preempted, queued);
	if (!was_woken && times->cpu != CPU_UNKNOWN && times->cpu != bpf_get_smp_processor_id())
		charge_other(times->slot, CULPRIT_MOVED, queued);
	else
		charge_those_who_ran(switches, row, times->slot, now - queued, now);
}

#endif
