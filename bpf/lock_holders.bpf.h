/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * lock_holders: who has the locks that are waited for, looked at by a clock.
 *
 * Waits that sleep tell of a lock as somebody sleeps for it. Where holders run, others spin, and whoever gets a lock by
 * spinning gets it without a word. So locks that are waited for are listed, and a timer of one CPU reads their owners at
 * even steps of time: how often it finds whom is the share of the time that each had the lock, and with each look counting
 * once for each task that waits, of the waiting.
 *
 * A lock is listed while somebody waits for it, and HOT_NS longer. By then it may be gone, and its memory be something
 * else: all is copied, which no address can harm, and the only owners that count are of containers that are known. An end that
 * was not seen leaves a lock listed for OLD_NS.
 */
#ifndef STOKER_LOCK_HOLDERS_BPF_H
#define STOKER_LOCK_HOLDERS_BPF_H

#include "bpf/lock_owner.bpf.h"

#define HOT_LOCKS 64
#define HOT_PROBES 4
#define HOT_NS 100000000ll   /* since a wait for it began or ended */
#define OLD_NS 10000000000ll /* the same, though one has not ended */
#define TIDS_MAX 0x400000u   /* include/linux/threads.h: PID_MAX_LIMIT */

struct hot_lock {
	u64 lock; /* 0: free */
	u64 last_ns;
	u64 identity; /* lock_identity() */
	u32 where;
	u32 flags;
	s32 waiters; /* may be off by a few after two CPUs met */
	u32 pad;
};

static struct hot_lock hot_locks[HOT_LOCKS];

/* Which of the two maps takes new looks; flipped by user space while it empties the other. */
u32 active_holders = 0;

struct holders_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct holder_key);
	__type(value, struct holder_sums);
} holders_0 SEC(".maps"), holders_1 SEC(".maps");

static __always_inline u32 lock_bit(u64 lock)
{
	return (lock * MIX_1) >> 58;
}

static __always_inline struct hot_lock *hot_lock_at(u64 lock, u32 probe)
{
	return &hot_locks[(lock_bit(lock) + probe) & (HOT_LOCKS - 1)];
}

static __always_inline bool is_hot(const struct hot_lock *hot, u64 now)
{
	s64 age = now - hot->last_ns;

	return hot->lock && age < (hot->waiters > 0 ? OLD_NS : HOT_NS);
}

static __always_inline struct hot_lock *find_hot_lock(u64 lock)
{
	for (u32 i = 0; i < HOT_PROBES; i++) {
		struct hot_lock *hot = hot_lock_at(lock, i);

		if (hot->lock == lock)
			return hot;
	}
	return NULL;
}

static __always_inline struct hot_lock *new_hot_lock(u64 lock, u32 flags, u64 now)
{
	for (u32 i = 0; i < HOT_PROBES; i++) {
		struct hot_lock *hot = hot_lock_at(lock, i);
		u64 old = hot->lock;

		if (is_hot(hot, now) || __sync_val_compare_and_swap(&hot->lock, old, lock) != old)
			continue;
		hot->waiters = 0;
		hot->last_ns = now;
		hot->flags = flags;
		hot->identity = lock_identity(lock, &hot->where);
		return hot;
	}
	return NULL;
}

/* Of a wait that begins: 1 where the lock is in the list now. A function of its own, with a stack of its own. */
static __noinline int list_lock(u64 lock, u32 flags, u64 now)
{
	struct hot_lock *hot = find_hot_lock(lock);
	struct wait_losses *losses;
	u32 zero = 0;

	/* It tells nobody. */
	if (flags & FLAG_PERCPU)
		return 0;
	if (!hot)
		hot = new_hot_lock(lock, flags, now);
	if (hot) {
		hot->last_ns = now;
		__sync_fetch_and_add(&hot->waiters, 1);
		return 1;
	}
	losses = bpf_map_lookup_elem(&wait_losses, &zero);
	if (losses)
		losses->looks++;
	return 0;
}

/* It ended, or its end was not seen. */
static __noinline int unlist_lock(u64 lock, u64 now)
{
	struct hot_lock *hot = find_hot_lock(lock);

	if (!hot)
		return 0;
	hot->last_ns = now;
	__sync_fetch_and_add(&hot->waiters, -1);
	return 0;
}

/* Of an rwsem that readers have, one of them; nobody where they have let go of it: its word goes on to name the last one. */
static __always_inline struct task_struct *holder_of(u64 lock, u32 flags)
{
	struct rw_semaphore *rwsem = (struct rw_semaphore *)lock;
	u64 word = owner_word(lock, flags);

	/* include/linux/rwsem.h: readers are counted above its low byte. */
	if (!(flags & (FLAG_MUTEX | FLAG_RT)) && word & OWNER_READER && BPF_CORE_READ(rwsem, count.counter) >> 8 <= 0)
		return NULL;
	return (struct task_struct *)(word & ~OWNER_FLAGS);
}

/* Makes no new slot: this may be no task at all. */
static __always_inline u32 known_slot_of(struct task_struct *owner)
{
	struct slot_key key;
	u32 *slot;

	if (BPF_CORE_READ(owner, flags) & PF_KTHREAD)
		return SLOT_KERNEL;
	key = (struct slot_key){cgroup_id_at(owner), pid_namespace_of(owner)};
	slot = known_slot(&key);
	return slot ? *slot : SLOT_UNWANTED;
}

static __always_inline void count_look(const struct holder_key *key, s32 waiters)
{
	bool second = *(volatile u32 *)&active_holders;
	struct holder_sums *sums, first = {1, waiters > 0 ? waiters : 0};
	struct wait_losses *losses;
	u32 zero = 0;
	long err;

	sums = second ? bpf_map_lookup_elem(&holders_1, key) : bpf_map_lookup_elem(&holders_0, key);
	if (sums) {
		sums->looks++;
		sums->waiters += first.waiters;
		return;
	}
	err = second ? bpf_map_update_elem(&holders_1, key, &first, BPF_NOEXIST)
		     : bpf_map_update_elem(&holders_0, key, &first, BPF_NOEXIST);
	losses = err ? bpf_map_lookup_elem(&wait_losses, &zero) : NULL;
	if (losses)
		losses->looks++;
}

/* A global function, which the verifier follows once and not for each lock. */
__weak __noinline int look_at_holder(u32 number)
{
	struct hot_lock *hot = &hot_locks[number & (HOT_LOCKS - 1)];
	struct task_struct *owner;
	struct holder_key key = {};
	u64 lock = hot->lock;
	u32 tid;

	if (!is_hot(hot, bpf_ktime_get_ns()))
		return 0;
	owner = holder_of(lock, hot->flags);
	if (!owner)
		return 0;
	tid = BPF_CORE_READ(owner, pid);
	if (!tid || tid > TIDS_MAX)
		return 0;
	key.lock = hot->identity;
	key.where = hot->where;
	key.kind = lock_kind_of(hot->flags);
	key.slot = known_slot_of(owner);
	key.bit = lock_bit(lock);
	count_look(&key, hot->waiters);
	return 0;
}

SEC("perf_event")
int look_at_holders(void *ctx)
{
	for (u32 i = 0; i < HOT_LOCKS; i++)
		look_at_holder(i);
	return 0;
}

#endif
