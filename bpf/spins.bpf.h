/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * spins: waits for spinlocks.
 *
 * A hash map's bucket lock is a spinlock that fires the contention tracepoints itself: whoever touches such a map here
 * comes back for the same bucket and locks the host up. So nothing here takes a lock: per-CPU arrays with fixed rows, a
 * guard against our own stack-taking, and the cgroup's id read from the task instead of its slot from a map.
 *
 * The kernel leaves out single events (of idle CPUs, above all). Who spins is never switched away from: so a begin that is older
 * than the last switch has lost its end, and an end that would fit it has lost its begin. Neither is a wait that is known.
 */
#ifndef STOKER_SPINS_BPF_H
#define STOKER_SPINS_BPF_H

#include "bpf/lock_identity.bpf.h"
#include "bpf/stack_hash.bpf.h"
#include "bpf/task_times.bpf.h"

/* Spinlock waits of one CPU: an interrupt may wait for a lock while what it interrupted waits, too. */
#define SPINS_NESTED 4
#define SPIN_LONG_NS 20000 /* from here on each has its stack */
#define SPIN_ONE_IN 32	   /* of the shorter ones */
#define SPIN_PROBES 8

struct spin_begin {
	u64 lock;
	u64 begin_ns;
	u64 flags;
	u64 task;
	u64 switches; /* of that task */
};

struct spinning {
	u32 depth;
	u32 busy;
	u64 turn;
	struct spin_begin at[SPINS_NESTED];
	u64 frames[SPIN_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct spinning);
} spins SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct spin_losses);
} spin_losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPIN_ROWS);
	__type(key, u32);
	__type(value, struct spin_row);
} spin_rows SEC(".maps");

static __always_inline void lose_spins(u64 count, u64 ns)
{
	u32 zero = 0;
	struct spin_losses *losses = bpf_map_lookup_elem(&spin_losses, &zero);

	if (!losses)
		return;
	losses->waits += count;
	losses->waits_ns += ns;
}

static __always_inline u64 switches_of(struct task_struct *task)
{
	return task->nvcsw + task->nivcsw;
}

static __always_inline bool is_of_now(const struct spin_begin *begin, struct task_struct *task)
{
	return begin->task == (u64)task && begin->switches == switches_of(task);
}

static __always_inline void begin_spin(u64 lock, u32 flags)
{
	u32 zero = 0, depth;
	struct spinning *spinning = bpf_map_lookup_elem(&spins, &zero);
	struct task_struct *task = bpf_get_current_task_btf();
	struct spin_begin *begin;

	if (!spinning)
		return;
	depth = spinning->depth;
	if (depth && !is_of_now(&spinning->at[(depth - 1) & (SPINS_NESTED - 1)], task)) {
		lose_spins(depth, 0);
		depth = 0;
	}
	if (depth >= SPINS_NESTED) {
		lose_spins(1, 0);
		return;
	}
	/* The compiler knows that it is small, and leaves out the mask that says so to the verifier (6.1). */
	barrier_var(depth);
	begin = &spinning->at[depth & (SPINS_NESTED - 1)];
	begin->lock = lock;
	begin->flags = flags;
	begin->task = (u64)task;
	begin->switches = switches_of(task);
	begin->begin_ns = bpf_ktime_get_ns();
	spinning->depth = depth + 1;
}

static __always_inline struct spin_row *find_spin_row(u64 hash, u64 cgroup_id, u32 kind, u64 lock, u32 where)
{
	for (u32 i = 0; i < SPIN_PROBES; i++) {
		u32 number = (hash + i) & (SPIN_ROWS - 1);
		struct spin_row *row = bpf_map_lookup_elem(&spin_rows, &number);

		if (!row)
			return NULL;
		if (row->hash == hash)
			return row;
		if (!row->hash) {
			row->cgroup_id = cgroup_id;
			row->kind = kind;
			row->lock = lock;
			row->where = where;
			row->frame_count = 0;
			row->hash = hash;
			return row;
		}
	}
	return NULL;
}

/* Frames as they are: which of them are the lock's own is known by name, to user space. */
static __always_inline u32 take_spin_frames(void *ctx, struct spinning *spinning, u64 *hash)
{
	long bytes = bpf_get_stack(ctx, spinning->frames, sizeof(spinning->frames), 0);
	u32 count = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;

	for (u32 i = 0; i < SPIN_FRAMES && i < count; i++)
		*hash = (*hash ^ spinning->frames[i]) * MIX_1;
	return count <= SPIN_FRAMES ? count : SPIN_FRAMES;
}

static __always_inline void count_spin(void *ctx, struct spinning *spinning, u64 lock, u32 flags, u64 ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 cgroup_id = cgroup_id_of(task), hash;
	u32 count = 0, kind = lock_kind_of(flags), where = LOCK_UNTOLD;
	u64 identity = 0;
	struct spin_row *row;

	if (!slot_is_wanted(task->tgid, cgroup_id))
		return;
	if (task->flags & PF_KTHREAD)
		cgroup_id = 0;
	hash = (cgroup_id ^ kind) * MIX_1;
	if (ns >= SPIN_LONG_NS || spinning->turn++ % SPIN_ONE_IN == 0) {
		identity = lock_identity(lock, &where);
		hash = (hash ^ identity) * MIX_1;
		count = take_spin_frames(ctx, spinning, &hash);
	}
	row = find_spin_row(hash | 1, cgroup_id, kind, identity, where);
	if (!row) {
		lose_spins(1, ns);
		return;
	}
	if (count && !row->frame_count) {
		for (u32 i = 0; i < SPIN_FRAMES; i++)
			row->frames[i] = spinning->frames[i];
		row->frame_count = count;
	}
	row->count++;
	row->total_ns += ns;
	if (ns > row->max_ns)
		row->max_ns = ns;
}

/* True where the lock was one that a CPU of ours was spinning for. */
static __always_inline bool end_spin(void *ctx, u64 lock)
{
	u32 zero = 0, depth;
	struct spinning *spinning = bpf_map_lookup_elem(&spins, &zero);
	struct spin_begin *begin;
	u64 ns;

	if (!spinning || !spinning->depth)
		return false;
	depth = spinning->depth - 1;
	if (spinning->at[depth & (SPINS_NESTED - 1)].lock != lock) {
		/* An end that was not seen: what lies above it is over. */
		if (!depth || spinning->at[(depth - 1) & (SPINS_NESTED - 1)].lock != lock)
			return false;
		depth--;
		lose_spins(1, 0);
	}
	begin = &spinning->at[depth & (SPINS_NESTED - 1)];
	ns = bpf_ktime_get_ns() - begin->begin_ns;
	spinning->depth = depth;
	if (!is_of_now(begin, bpf_get_current_task_btf())) {
		spinning->depth = 0;
		lose_spins(depth + 2, 0);
		return true;
	}
	if (spinning->busy) {
		lose_spins(1, ns);
		return true;
	}
	spinning->busy = 1;
	count_spin(ctx, spinning, lock, begin->flags, ns);
	spinning->busy = 0;
	return true;
}

#endif
