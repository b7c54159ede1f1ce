/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * locks: waits for kernel locks, from the contention tracepoints (5.19). Only slow paths fire them.
 *
 * Spinlocks are a world apart: spins.bpf.h. Of a sleeping lock, the wait is remembered with its task. Its first begin
 * counts: a mutex tells again when it goes from spinning to sleeping, and may do so several times. A wait that slept is
 * told with its stack, with who held the lock as it began and as it went to sleep, and with who woke it; one that did not
 * adds to a counter and no more. Who has the lock meanwhile is looked at by a clock: lock_holders.bpf.h.
 */
#include "bpf/lock_holders.bpf.h"
#include "bpf/spins.bpf.h"

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

static __always_inline void begin_wait(u64 lock, u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_times *times = times_of(task);

	if (!times || SLOT_IS_UNWANTED(slot_of(task, times)))
		return;
	if (times->lock != lock) {
		if (times->lock_listed)
			unlist_lock(times->lock, times->lock_ns);
		times->lock_ns = bpf_ktime_get_ns();
		times->lock_flags = flags;
		times->lock_owner_slot = SLOT_UNWANTED;
		times->lock_owner = (struct count_key){};
		times->lock_owner_state = LOCK_OWNER_UNTOLD;
		times->lock_waker_slot = SLOT_UNWANTED;
		times->lock_waker = (struct count_key){};
		times->lock_waker_ns = 0;
		times->lock_woken_ns = 0;
		times->lock_switches = task->nvcsw;
		times->lock = lock;
		times->lock_listed = list_lock(lock, flags, times->lock_ns);
	}
	look_at_owner(task, times, lock, flags);
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

struct one_wait {
	u64 ns;
	u64 handoff_ns;
	u64 waker_ns;
};

static __always_inline void add_lock_wait(struct lock_sums *sums, u64 lock, const struct one_wait *wait)
{
	u32 octave = bucket_of(wait->ns) / 4;

	__sync_fetch_and_add(&sums->count, 1);
	__sync_fetch_and_add(&sums->total_ns, wait->ns);
	__sync_fetch_and_add(&sums->handoff_ns, wait->handoff_ns);
	__sync_fetch_and_add(&sums->waker_ns, wait->waker_ns);
	if (wait->ns > sums->max_ns)
		sums->max_ns = wait->ns;
	sums->seen |= 1ull << lock_bit(lock);
	barrier_var(octave);
	if (octave < LOCK_OCTAVES)
		__sync_fetch_and_add(&sums->octaves[octave], 1);
}

static __noinline int note_lock_wait(const struct lock_key *key, u64 lock, const struct one_wait *wait)
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
		add_lock_wait(sums, lock, wait);
		return 0;
	}
	losses = bpf_map_lookup_elem(&wait_losses, &zero);
	if (losses) {
		losses->locks++;
		losses->locks_ns += wait->ns;
	}
	return 0;
}

static __always_inline void tally(u32 slot, u32 kind, u64 ns)
{
	u32 number = LOCK_TALLY(SLOT_PLACE(slot), kind);
	struct lock_tally *tally = bpf_map_lookup_elem(&lock_tallies, &number);

	if (!tally)
		return;
	tally->count++;
	tally->total_ns += ns;
	if (ns > tally->max_ns)
		tally->max_ns = ns;
}

/* An overlay of the call that it is in: where it slept and nothing has asked for that call since, it is with the task. */
static __always_inline void add_to_call(struct task_struct *task, struct task_times *times, u64 ns)
{
	u32 zero = 0;
	struct cpu_call *current = split_calls ? bpf_map_lookup_elem(&cpu_calls, &zero) : NULL;

	if (!current)
		return;
	if (current->task != (u64)task) {
		times->parts.lock_ns += ns;
		return;
	}
	if (!current->call_ns)
		return;
	begin_parts(current);
	current->parts.lock_ns += ns;
}

/* Beside end_wait(), whose stack would otherwise hold the key while that of the task is walked. */
static __noinline int note_slept(struct task_times *times, u64 lock, u64 now, u64 ns)
{
	u32 scratch = SCRATCH_LOCKS;
	struct stack_event *event = bpf_map_lookup_elem(&wait_scratch, &scratch);
	struct one_wait wait = {.ns = ns};
	struct lock_key key = {};

	if (!event || !times)
		return 0;
	if (times->lock_woken_ns > times->lock_ns)
		wait.handoff_ns = now - times->lock_woken_ns;
	wait.waker_ns = times->lock_waker_ns ? times->lock_waker_ns : (ns - wait.handoff_ns) / 2;
	key.stack = event->key;
	key.waker = times->lock_waker;
	key.owner = times->lock_owner;
	key.lock = lock_identity(lock, &key.where);
	key.kind = lock_kind_of(times->lock_flags);
	key.slot = times->slot;
	key.owner_slot = times->lock_owner_slot;
	key.owner_state = times->lock_owner_state;
	key.waker_slot = times->lock_waker_slot;
	return note_lock_wait(&key, lock, &wait);
}

static __always_inline void end_wait(void *ctx, u64 lock, bool got)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_times *times = known_times_of(task);
	u64 now = bpf_ktime_get_ns(), ns;
	u32 scratch = SCRATCH_LOCKS;

	if (!times || times->lock != lock)
		return;
	ns = now - times->lock_ns;
	times->lock = 0;
	if (times->lock_listed)
		unlist_lock(lock, now);
	times->lock_listed = 0;
	if (got) {
		times->lock_got = lock;
		times->lock_got_ns = now;
	}
	add_to_call(task, times, ns);
	if (task->nvcsw == times->lock_switches) {
		tally(slot_of(task, times), lock_kind_of(times->lock_flags), ns);
		return;
	}
	take_own_stack(ctx, bpf_map_lookup_elem(&wait_scratch, &scratch), SCRATCH_LOCKS);
	note_slept(times, lock, now, ns);
}

SEC("tp_btf/contention_end")
int lock_got(u64 *ctx)
{
	if (!end_spin(ctx, ctx[0]))
		end_wait(ctx, ctx[0], !(s32)ctx[1]);
	return 0;
}

SEC("iter/kmem_cache")
int tell_slab_name(struct bpf_iter__kmem_cache *ctx)
{
	struct slab_name told = {};
	struct kmem_cache *cache = ctx->s;

	if (!cache)
		return 0;
	told.cache = (u64)cache;
	bpf_probe_read_kernel_str(told.name, sizeof(told.name), BPF_CORE_READ(cache, name));
	bpf_seq_write(ctx->meta->seq, &told, sizeof(told));
	return 0;
}
