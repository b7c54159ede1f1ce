/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * lock_identity: what kind of lock is it, and which one, as far as its address tells.
 *
 * Nothing here takes a lock, so that waits for spinlocks may ask, too.
 */
#ifndef STOKER_LOCK_IDENTITY_BPF_H
#define STOKER_LOCK_IDENTITY_BPF_H

#include "bpf/maps.bpf.h"
#include "bpf/shared_waits.h"

/* include/trace/events/lock.h */
#define FLAG_SPIN 1u
#define FLAG_READ 2u
#define FLAG_WRITE 4u
#define FLAG_RT 8u
#define FLAG_PERCPU 16u
#define FLAG_MUTEX 32u

/* x86-64: the kernel's image and its modules lie from here on (Documentation/arch/x86/x86_64/mm.rst). */
#define STATIC_FROM 0xffffffff80000000ull

/* Set by user space: the kernel tells of which slab cache an address is (6.13). */
const volatile bool have_slab_caches __weak = false;

extern struct kmem_cache *bpf_get_kmem_cache(u64 address) __ksym __weak;

static __always_inline u32 lock_kind_of(u32 flags)
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

/* What tells locks of a place apart: the address of a static one, the cache of one in an object. */
static __always_inline u64 lock_identity(u64 lock, u32 *ret_where)
{
	struct kmem_cache *cache;
	u64 number = 0;

	*ret_where = LOCK_ELSEWHERE;
	if (lock >= STATIC_FROM) {
		*ret_where = LOCK_STATIC;
		return lock;
	}
	cache = have_slab_caches ? bpf_get_kmem_cache(lock) : NULL;
	if (!cache)
		return 0;
	*ret_where = LOCK_IN_SLAB;
	/* By way of memory: the verifier lets nobody count with a pointer. */
	bpf_probe_read_kernel(&number, sizeof(number), &cache);
	return number;
}

#endif
