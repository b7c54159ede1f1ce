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

struct spin_key {
	u64 hash;
	u64 cgroup_id;
	u64 lock;
	u32 where;
	u32 kind;
	u32 round;
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
	__uint(max_entries, 2 * SPIN_TABLE);
	__type(key, u32);
	__type(value, struct spin_row);
} spin_rows SEC(".maps");

u32 spin_rounds = 0; /* that are over; user space's */

static __always_inline void lose_spins(u64 untraced, u64 nested, u64 crowded)
{
	u32 zero = 0;
	struct spin_losses *losses = bpf_map_lookup_elem(&spin_losses, &zero);

	if (!losses)
		return;
	losses->untraced += untraced;
	losses->nested += nested;
	losses->crowded += crowded;
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
		lose_spins(depth, 0, 0);
		depth = 0;
	}
	if (depth >= SPINS_NESTED) {
		lose_spins(0, 1, 0);
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

static __always_inline struct spin_row *spin_row_at(u32 round, u32 place)
{
	u32 number = SPIN_AT(round, place);

	return bpf_map_lookup_elem(&spin_rows, &number);
}

static __always_inline void begin_spin_row(struct spin_row *row, const struct spin_key *key)
{
	row->hash = key->hash;
	row->cgroup_id = key->cgroup_id;
	row->lock = key->lock;
	row->count = 0;
	row->total_ns = 0;
	row->max_ns = 0;
	row->where = key->where;
	row->kind = key->kind;
	row->frame_count = 0;
	row->round = key->round;
}

static __always_inline struct spin_row *find_spin_row(const struct spin_key *key)
{
	for (u32 i = 0; i < SPIN_PROBES; i++) {
		struct spin_row *row = spin_row_at(key->round, ((key->hash >> 32) + i) & (SPIN_ROWS - 1));

		if (!row)
			return NULL;
		if (row->round != key->round)
			begin_spin_row(row, key);
		if (row->hash == key->hash)
			return row;
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

static __always_inline u64 hash_of_spin(const struct spin_key *key)
{
	return (key->cgroup_id ^ key->kind) * MIX_1;
}

/* Without its callers, or even without its cgroup: for what has no room in the table. */
static __always_inline struct spin_row *crowded_spin_row(struct spin_key *key)
{
	struct spin_row *row;

	key->lock = 0;
	key->where = LOCK_UNTOLD;
	key->hash = hash_of_spin(key);
	row = find_spin_row(key);
	if (row)
		return row;
	key->cgroup_id = CGROUP_OTHERS;
	row = spin_row_at(key->round, SPIN_ROWS + (key->kind & (LOCK_KINDS - 1)));
	if (row && row->round != key->round)
		begin_spin_row(row, key);
	return row;
}

static __always_inline void count_spin(void *ctx, struct spinning *spinning, u64 lock, u32 flags, u64 ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct spin_key key = {.cgroup_id = cgroup_id_of(task), .kind = lock_kind_of(flags)};
	struct spin_row *row;
	u32 count = 0;

	if (!slot_is_wanted(task->tgid, key.cgroup_id))
		return;
	if (task->flags & PF_KTHREAD)
		key.cgroup_id = CGROUP_KERNEL_THREADS;
	key.round = *(volatile u32 *)&spin_rounds + 1;
	key.hash = hash_of_spin(&key);
	if (ns >= SPIN_LONG_NS || spinning->turn++ % SPIN_ONE_IN == 0) {
		key.lock = lock_identity(lock, &key.where);
		key.hash = (key.hash ^ key.lock) * MIX_1;
		count = take_spin_frames(ctx, spinning, &key.hash);
	}
	row = find_spin_row(&key);
	if (!row) {
		lose_spins(0, 0, 1);
		count = 0;
		row = crowded_spin_row(&key);
	}
	if (!row)
		return;
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

/* Who waits for an rwlock waits in line, for a spinlock within it: that is part of the one wait. */
static __always_inline bool is_part(const struct spin_begin *begin, const struct spin_begin *outer)
{
	u32 kind = lock_kind_of(outer->flags);

	return (kind == LOCK_RWLOCK_READ || kind == LOCK_RWLOCK_WRITE) && begin->lock - outer->lock < sizeof(u64);
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
		lose_spins(1, 0, 0);
	}
	begin = &spinning->at[depth & (SPINS_NESTED - 1)];
	ns = bpf_ktime_get_ns() - begin->begin_ns;
	spinning->depth = depth;
	if (!is_of_now(begin, bpf_get_current_task_btf())) {
		spinning->depth = 0;
		lose_spins(depth + 2, 0, 0);
		return true;
	}
	if (spinning->busy) {
		lose_spins(0, 1, 0);
		return true;
	}
	if (depth && is_part(begin, &spinning->at[(depth - 1) & (SPINS_NESTED - 1)]))
		return true;
	spinning->busy = 1;
	count_spin(ctx, spinning, lock, begin->flags, ns);
	spinning->busy = 0;
	return true;
}

#endif
