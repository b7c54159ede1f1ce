/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * locks: waits for kernel locks, from the contention tracepoints (5.19). Only slow paths fire them.
 *
 * Two worlds, kept apart:
 *
 * Sleeping locks. The wait is remembered with its task. Its first begin counts: a mutex tells again when it goes from
 * spinning to sleeping, and may do so several times. A wait that slept is told with its stack, the owner as it began, and
 * who woke it; one that did not adds to a counter and no more.
 *
 * Spinlocks. A hash map's bucket lock is a spinlock that fires these tracepoints itself: whoever touches such a map here
 * comes back for the same bucket and locks the host up. So nothing here takes a lock: per-CPU arrays with fixed rows, a
 * guard against our own stack-taking, and the cgroup's id read from the task instead of its slot from a map.
 */
#include "bpf/wait_stacks.bpf.h"

/* include/trace/events/lock.h */
#define FLAG_SPIN 1u
#define FLAG_READ 2u
#define FLAG_WRITE 4u
#define FLAG_RT 8u
#define FLAG_PERCPU 16u
#define FLAG_MUTEX 32u

#define OWNER_FLAGS 7ull  /* below a task's address in a mutex's or rwsem's owner */
#define OWNER_READER 1ull /* of an rwsem: some reader, a hint only */

/* Which of the two maps takes new waits; flipped by user space while it empties the other. */
u32 active_locks = 0;

struct locks_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct lock_key);
	__type(value, struct lock_sums);
} locks_0 SEC(".maps"), locks_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS_MAX *LOCK_KINDS);
	__type(key, u32);
	__type(value, struct lock_tally);
} lock_tallies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lock_sums);
} new_lock_sums SEC(".maps");

/* Spinlock waits of one CPU: an interrupt may wait for a lock while what it interrupted waits, too. */
#define SPINS_NESTED 4
#define SPIN_LONG_NS 20000 /* from here on each has its stack */
#define SPIN_ONE_IN 32	   /* of the shorter ones */
#define SPIN_PROBES 8

struct spinning {
	u32 depth;
	u32 busy;
	u64 turn;
	struct {
		u64 lock;
		u64 begin_ns;
		u64 flags;
	} at[SPINS_NESTED];
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

static __always_inline u32 kind_of(u32 flags)
{
	if (flags & FLAG_SPIN && !(flags & FLAG_MUTEX)) {
		if (flags & FLAG_READ)
			return LOCK_RWLOCK_READ;
		return flags & FLAG_WRITE ? LOCK_RWLOCK_WRITE : LOCK_SPIN;
	}
	if (flags & FLAG_MUTEX)
		return LOCK_MUTEX;
	if (flags & FLAG_PERCPU)
		return LOCK_PERCPU;
	if (flags & FLAG_RT)
		return LOCK_RT;
	return flags & FLAG_READ ? LOCK_RWSEM_READ : LOCK_RWSEM_WRITE;
}

static __always_inline void lose_spin(u64 ns)
{
	u32 zero = 0;
	struct spin_losses *losses = bpf_map_lookup_elem(&spin_losses, &zero);

	if (!losses)
		return;
	losses->waits++;
	losses->waits_ns += ns;
}

static __always_inline void begin_spin(u64 lock, u32 flags)
{
	u32 zero = 0, depth;
	struct spinning *spinning = bpf_map_lookup_elem(&spins, &zero);

	if (!spinning)
		return;
	depth = spinning->depth;
	if (depth >= SPINS_NESTED) {
		lose_spin(0);
		return;
	}
	spinning->at[depth & (SPINS_NESTED - 1)].lock = lock;
	spinning->at[depth & (SPINS_NESTED - 1)].flags = flags;
	spinning->at[depth & (SPINS_NESTED - 1)].begin_ns = bpf_ktime_get_ns();
	spinning->depth = depth + 1;
}

static __always_inline struct spin_row *find_spin_row(u64 hash, u64 cgroup_id, u32 kind)
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

static __always_inline void count_spin(void *ctx, struct spinning *spinning, u32 flags, u64 ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 cgroup_id = cgroup_id_of(task), hash;
	u32 count = 0, kind = kind_of(flags);
	struct spin_row *row;

	if (!slot_is_wanted(task->tgid, cgroup_id))
		return;
	if (task->flags & PF_KTHREAD)
		cgroup_id = 0;
	hash = (cgroup_id ^ kind) * MIX_1;
	if (ns >= SPIN_LONG_NS || spinning->turn++ % SPIN_ONE_IN == 0)
		count = take_spin_frames(ctx, spinning, &hash);
	row = find_spin_row(hash | 1, cgroup_id, kind);
	if (!row) {
		lose_spin(ns);
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
	u64 ns;

	if (!spinning || !spinning->depth)
		return false;
	depth = spinning->depth - 1;
	if (spinning->at[depth & (SPINS_NESTED - 1)].lock != lock) {
		/* An end that was not seen: what lies above it is over. */
		if (!depth || spinning->at[(depth - 1) & (SPINS_NESTED - 1)].lock != lock)
			return false;
		depth--;
		lose_spin(0);
	}
	ns = bpf_ktime_get_ns() - spinning->at[depth & (SPINS_NESTED - 1)].begin_ns;
	spinning->depth = depth;
	if (spinning->busy) {
		lose_spin(ns);
		return true;
	}
	spinning->busy = 1;
	count_spin(ctx, spinning, spinning->at[depth & (SPINS_NESTED - 1)].flags, ns);
	spinning->busy = 0;
	return true;
}

/* The slot of who holds the lock now; 0: nobody, or not to be known. */
static __always_inline u32 owner_slot(struct task_struct *waiter, u64 lock, u32 flags)
{
	struct rw_semaphore *rwsem = (struct rw_semaphore *)lock;
	struct mutex *mutex = (struct mutex *)lock;
	struct task_struct *owner;
	u64 word = 0;

	if (flags & FLAG_MUTEX)
		word = BPF_CORE_READ(mutex, owner.counter);
	else if (!(flags & (FLAG_PERCPU | FLAG_RT)))
		word = BPF_CORE_READ(rwsem, owner.counter);
	owner = (struct task_struct *)(word & ~OWNER_FLAGS);
	if (!owner || (owner == waiter && word & OWNER_READER))
		return SLOT_UNWANTED;
	if (BPF_CORE_READ(owner, flags) & PF_KTHREAD)
		return SLOT_KERNEL;
	return slot_of_cgroup(cgroup_id_of(owner));
}

static __always_inline void begin_wait(u64 lock, u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_times *times = times_of(task);

	if (!times || slot_of(task, times) == SLOT_UNWANTED)
		return;
	if (times->lock == lock) {
		if (!times->lock_owner_slot)
			times->lock_owner_slot = owner_slot(task, lock, flags);
		return;
	}
	times->lock_ns = bpf_ktime_get_ns();
	times->lock_flags = flags;
	times->lock_owner_slot = owner_slot(task, lock, flags);
	times->lock_waker_slot = SLOT_UNWANTED;
	times->lock_waker = (struct count_key){};
	times->lock_woken_ns = 0;
	times->lock_switches = task->nvcsw;
	times->lock = lock;
}

SEC("tp_btf/contention_begin")
int lock_contended(u64 *ctx)
{
	u32 flags = ctx[1];

	if (flags & FLAG_SPIN && !(flags & FLAG_MUTEX))
		begin_spin(ctx[0], flags);
	else
		begin_wait(ctx[0], flags);
	return 0;
}

static __always_inline void add_lock_wait(struct lock_sums *sums, u64 lock, u64 ns, u64 handoff)
{
	u32 octave = bucket_of(ns) / 4;

	__sync_fetch_and_add(&sums->count, 1);
	__sync_fetch_and_add(&sums->total_ns, ns);
	__sync_fetch_and_add(&sums->handoff_ns, handoff);
	if (ns > sums->max_ns)
		sums->max_ns = ns;
	sums->seen |= 1ull << ((lock * MIX_1) >> 58);
	barrier_var(octave);
	if (octave < LOCK_OCTAVES)
		__sync_fetch_and_add(&sums->octaves[octave], 1);
}

static __noinline int note_lock_wait(const struct lock_key *key, u64 lock, u64 ns, u64 handoff)
{
	bool second = *(volatile u32 *)&active_locks;
	struct wait_losses *losses;
	struct lock_sums *sums, *fresh;
	u32 zero = 0;

	sums = second ? bpf_map_lookup_elem(&locks_1, key) : bpf_map_lookup_elem(&locks_0, key);
	if (!sums) {
		fresh = bpf_map_lookup_elem(&new_lock_sums, &zero);
		if (!fresh)
			return 0;
		if (second)
			bpf_map_update_elem(&locks_1, key, fresh, BPF_NOEXIST);
		else
			bpf_map_update_elem(&locks_0, key, fresh, BPF_NOEXIST);
		sums = second ? bpf_map_lookup_elem(&locks_1, key) : bpf_map_lookup_elem(&locks_0, key);
	}
	if (sums) {
		add_lock_wait(sums, lock, ns, handoff);
		return 0;
	}
	losses = bpf_map_lookup_elem(&wait_losses, &zero);
	if (losses) {
		losses->locks++;
		losses->locks_ns += ns;
	}
	return 0;
}

static __always_inline void tally(u32 slot, u32 kind, u64 ns)
{
	u32 number = LOCK_TALLY(slot, kind);
	struct lock_tally *tally = bpf_map_lookup_elem(&lock_tallies, &number);

	if (!tally)
		return;
	tally->count++;
	tally->total_ns += ns;
	if (ns > tally->max_ns)
		tally->max_ns = ns;
}

/* An overlay of the call that it is in. */
static __always_inline void add_to_call(struct task_struct *task, struct task_times *times, u64 ns)
{
	u32 zero = 0;
	struct cpu_call *current = split_calls ? bpf_map_lookup_elem(&cpu_calls, &zero) : NULL;

	if (!current || current->task != (u64)task || !current->call_ns)
		return;
	if (times->lock_call_ns != current->call_ns) {
		times->lock_call_ns = current->call_ns;
		times->call_lock_ns = 0;
	}
	times->call_lock_ns += ns;
	current->parted = 1;
}

static __always_inline void end_wait(void *ctx, u64 lock)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_times *times = known_times_of(task);
	u64 now = bpf_ktime_get_ns(), ns, handoff = 0;
	struct lock_key key = {};
	u32 scratch = SCRATCH_LOCKS;
	struct stack_event *event;

	if (!times || times->lock != lock)
		return;
	ns = now - times->lock_ns;
	times->lock = 0;
	add_to_call(task, times, ns);
	key.slot = times->slot;
	key.kind = kind_of(times->lock_flags);
	if (task->nvcsw == times->lock_switches) {
		tally(key.slot, key.kind, ns);
		return;
	}
	if (times->lock_woken_ns > times->lock_ns)
		handoff = now - times->lock_woken_ns;
	event = bpf_map_lookup_elem(&wait_scratch, &scratch);
	take_own_stack(ctx, event, SCRATCH_LOCKS);
	if (event)
		key.stack = event->key;
	key.waker = times->lock_waker;
	key.owner_slot = times->lock_owner_slot;
	key.waker_slot = times->lock_waker_slot;
	note_lock_wait(&key, lock, ns, handoff);
}

SEC("tp_btf/contention_end")
int lock_got(u64 *ctx)
{
	if (!end_spin(ctx, ctx[0]))
		end_wait(ctx, ctx[0]);
	return 0;
}
