/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * run_queue: how long ready tasks wait for a CPU, and who runs there meanwhile.
 *
 * Each CPU remembers which container ran last, and which ones before, however many switches there were within each. A task's wait
 * is charged to who ran on its CPU from when it became ready until it came, each for its time. Where that were many
 * stretches, some points of time are picked, evenly, but for a random start: on the average these shares are the same. The
 * parts sum up to the wait.
 */
#ifndef STOKER_RUN_QUEUE_BPF_H
#define STOKER_RUN_QUEUE_BPF_H

#include "bpf/task_cycle.bpf.h"

/* Set by user space: who ran meanwhile, too, and how long single waits were. */
const volatile bool want_queued __weak = false;

#define STRETCHES 1024 /* a power of two */
#define STRETCHES_EXACT 32
#define QUEUE_POINTS 32
#define CPU_NONE_YET 0xffffffffu /* task_times.cpu: of a new task */
#define CFS_RQ_DONE 1ull	 /* task_times.cfs_rq: it has come */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS_MAX);
	__type(key, u32);
	__type(value, struct slot_times);
} slot_rows __weak SEC(".maps");

struct cpu_stretches {
	u64 count;
	u64 since_ns; /* the last one: from when on; 0: none yet, … */
	u32 slot;     /* … and whose */
	u32 pad;
	u64 found; /* stretch_at()'s own */
	struct {
		u64 ns;
		u32 slot;
		u32 pad;
	} last[STRETCHES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_stretches);
} cpu_stretches __weak SEC(".maps");

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
	if (RARELY(times->throttled))
		times->group_throttled_ns = queue->tg->cfs_bandwidth.throttled_time;
}

/*
 * As it comes: what its cgroup is throttled from now on is not its wait. Few cgroups ever were, and of the others nothing needs
 * to be looked at. Of a task that waited on one CPU after another, its cgroup's time on all of them is the best that there
 * is.
 */
static __always_inline void comes(struct task_struct *task)
{
	struct cfs_rq *queue = task->se.cfs_rq;
	struct task_times *times;

	if (!RARELY(QUEUE_COUNTS_THROTTLING && (queue->throttled_clock_self_time || queue->runtime_enabled)))
		return;
	times = known_times_of(task);
	if (!times || times->cfs_rq <= CFS_RQ_DONE)
		return;
	if ((u64)queue == times->cfs_rq)
		times->throttled_ns = queue->throttled_clock_self_time - times->throttled_ns;
	else if (times->throttled)
		times->throttled_ns = queue->tg->cfs_bandwidth.throttled_time - times->group_throttled_ns;
	else
		times->throttled_ns = 0;
	times->cfs_rq = CFS_RQ_DONE;
}

/* Of a wait that is over. It may have been throttled already before it was ready; and a task may have changed its cgroup. */
static __always_inline u64 throttled_meanwhile(const struct task_times *times, u64 queued)
{
	if (!QUEUE_COUNTS_THROTTLING)
		return times->throttled ? queued : 0;
	if (times->cfs_rq != CFS_RQ_DONE)
		return 0;
	return times->throttled_ns < queued ? times->throttled_ns : queued;
}

/* Of this CPU; NULL where nobody asks who ran. */
static __always_inline struct cpu_stretches *stretches_here(void)
{
	u32 zero = 0;

	return want_queued ? bpf_map_lookup_elem(&cpu_stretches, &zero) : NULL;
}

/* On this CPU, since @came. */
static __always_inline void has_run(struct cpu_stretches *stretches, u32 slot, u64 came)
{
	u32 at = stretches->count & (STRETCHES - 1);

	if (!came || (slot == stretches->slot && stretches->since_ns))
		return;
	stretches->last[at].ns = came;
	stretches->last[at].slot = slot;
	stretches->since_ns = came;
	stretches->slot = slot;
	stretches->count++;
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

/* A global function, which the verifier follows once and not in each turn of a loop. */
__weak __noinline int charge(u32 victim, u32 culprit, u64 ns)
{
	u32 place = SLOT_PLACE(victim);
	struct slot_times *row;

	/* Older kernels verify it also where nobody calls it, and there are no such maps. */
	if (!want_queued)
		return 0;
	row = bpf_map_lookup_elem(&slot_rows, &place);
	if (!row || !ns)
		return 0;
	if (culprit == victim)
		row->behind_own_ns += ns;
	else if (culprit == SLOT_IDLE)
		row->behind_idle_ns += ns;
	else
		charge_other(victim, culprit, ns);
	return 0;
}

/*
 * The number of the stretch of this CPU that @ns lies in: less than cpu_stretches.count; ~0: before all that are known. The
 * search's state is in memory, or the verifier would follow each of its ways.
 */
__weak __noinline u64 stretch_at(u64 ns)
{
	struct cpu_stretches *stretches = stretches_here();
	volatile u64 *found;
	u64 middle;

	if (!stretches || !stretches->count)
		return ~0ull;
	found = &stretches->found;
	*found = stretches->count > STRETCHES ? stretches->count - STRETCHES : 0;
	if (stretches->last[*found & (STRETCHES - 1)].ns > ns)
		return ~0ull;
	for (u32 step = STRETCHES / 2; step; step /= 2) {
		middle = *found + step;
		if (middle < stretches->count && stretches->last[middle & (STRETCHES - 1)].ns <= ns)
			*found = middle;
	}
	return *found;
}

/* For the part of [ready, end) that lies in that stretch or in later ones. Returns where this part begins. */
__weak __noinline u64 charge_stretch(u32 victim, u64 number, u64 ready, u64 end)
{
	struct cpu_stretches *stretches = stretches_here();
	u32 at = number & (STRETCHES - 1);
	u64 from;

	if (!stretches)
		return end;
	from = stretches->last[at].ns;
	if (from < ready)
		from = ready;
	if (from >= end)
		return end;
	charge(victim, stretches->last[at].slot, end - from);
	return from;
}

__weak __noinline int charge_point(u32 victim, u64 at_ns, u64 ns)
{
	struct cpu_stretches *stretches = stretches_here();
	u64 number = stretch_at(at_ns);

	if (!stretches)
		return 0;
	return charge(victim, number == ~0ull ? CULPRIT_EARLIER : stretches->last[number & (STRETCHES - 1)].slot, ns);
}

__weak __noinline int charge_many(u32 victim, u64 ready, u64 came)
{
	struct cpu_stretches *stretches = stretches_here();
	u64 wait = came - ready, part = wait / QUEUE_POINTS, at, end = came;

	if (!stretches)
		return 0;
	if (stretches->count - stretch_at(ready) <= STRETCHES_EXACT) {
		for (u32 i = 1; i <= STRETCHES_EXACT && i <= stretches->count && end > ready; i++)
			end = charge_stretch(victim, stretches->count - i, ready, end);
		return end > ready ? charge(victim, CULPRIT_EARLIER, end - ready) : 0;
	}
	at = ready + part * (u16)bpf_get_prandom_u32() / 65536;
	for (u32 i = 1; i < QUEUE_POINTS; i++, at += part)
		charge_point(victim, at, part);
	return charge_point(victim, at, wait - part * (QUEUE_POINTS - 1));
}

/* Mostly one container has run all the while, and often its own. */
static __always_inline void charge_those_who_ran(struct cpu_stretches *stretches, struct slot_times *row, u32 victim,
						 u64 ready, u64 came)
{
	if (RARELY(!stretches->since_ns || stretches->since_ns > ready))
		charge_many(victim, ready, came);
	else if (stretches->slot == victim)
		row->behind_own_ns += came - ready;
	else
		charge(victim, stretches->slot, came - ready);
}

/* It left a CPU that it still wanted. A new task has left none: as one that was woken, it comes to be ready. */
static __always_inline bool was_preempted(const struct task_times *times)
{
	return times->state < TASK_BLOCKED && times->cpu != CPU_NONE_YET;
}

/* It is still on the CPU to which it came at @came, and not yet among the @stretches; NULL: on another CPU than this one. */
static __always_inline void count_queued(struct slot_times *row, const struct task_times *times,
					 struct cpu_stretches *stretches, u64 queued, u64 came)
{
	bool preempted = was_preempted(times);
	u64 throttled = throttled_meanwhile(times, queued);

	if (RARELY(throttled)) {
		row->throttled_ns += throttled;
		row->throttles++;
		queued -= throttled;
		if (!queued)
			return;
	}
	if (preempted)
		row->preempted_ns += queued;
	else
		row->woken_ns += queued;
	if (!want_queued || !queued)
		return;
	count_in(preempted ? row->preempted : row->woken, queued);
	if (RARELY(!stretches))
		charge(times->slot, CULPRIT_EARLIER, queued);
	else if (preempted && times->cpu != bpf_get_smp_processor_id())
		charge_other(times->slot, CULPRIT_MOVED, queued);
	else
		charge_those_who_ran(stretches, row, times->slot, came - queued, came);
}

#endif
