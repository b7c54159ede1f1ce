/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * lock_owner: who holds a sleeping lock, and where that one was as somebody began to wait for it.
 *
 * The lock's own word tells: a mutex's and an rt mutex's owner surely, an rwsem's writer too, of its readers one that may
 * be gone by now. A percpu rwsem tells nobody. The owner's stack can be read while it is off its CPU; on another CPU it
 * runs on under the reader's eyes, and x86 refuses (arch/x86/kernel/unwind_orc.c, task_on_another_cpu()).
 */
#ifndef STOKER_LOCK_OWNER_BPF_H
#define STOKER_LOCK_OWNER_BPF_H

#include "bpf/lock_identity.bpf.h"
#include "bpf/wait_stacks.bpf.h"

#define OWNER_FLAGS 7ull  /* below a task's address in a mutex's or rwsem's owner */
#define OWNER_READER 1ull /* of an rwsem: some reader, a hint only */

/* Set by user space: a task can be had by its number, so that the helpers take it (6.2). */
const volatile bool have_task_from_pid __weak = false;

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;

#define CGROUP_V1_COPY(set, name, hierarchy)                                                                         \
	do {                                                                                                         \
		if (cgroup_v1_mask & 1u << (hierarchy) && bpf_core_enum_value_exists(enum cgroup_subsys_id, name)) { \
			struct cgroup_subsys_state *_state;                                                          \
			struct cgroup *_cgroup;                                                                      \
                                                                                                                     \
			_state = BPF_CORE_READ(set, subsys[bpf_core_enum_value(enum cgroup_subsys_id, name)]);       \
			_cgroup = BPF_CORE_READ(_state, cgroup);                                                     \
			if (BPF_CORE_READ(_cgroup, level))                                                           \
				return cgroup_id_in(BPF_CORE_READ(_cgroup, kn, id), hierarchy);                      \
		}                                                                                                    \
	} while (0)

/* As cgroup_id_of(), of a task by its address alone, which may be gone: every field is copied. */
static __always_inline u64 cgroup_id_at(struct task_struct *address)
{
	u64 v2 = cgroup_use_v2 ? BPF_CORE_READ(address, cgroups, dfl_cgrp, kn, id) : 0;
	struct css_set *set;

	if (!cgroup_v1_mask || (v2 && v2 != cgroup_v2_root))
		return v2;
	set = BPF_CORE_READ(address, cgroups);
	CGROUP_V1_COPY(set, memory_cgrp_id, CGROUP_V1_MEMORY);
	CGROUP_V1_COPY(set, cpu_cgrp_id, CGROUP_V1_CPU);
	CGROUP_V1_COPY(set, pids_cgrp_id, CGROUP_V1_PIDS);
	return v2;
}

static __always_inline u64 owner_word(u64 lock, u32 flags)
{
	struct rw_semaphore *rwsem = (struct rw_semaphore *)lock;
	struct rt_mutex_base *rt = (struct rt_mutex_base *)lock;
	struct mutex *mutex = (struct mutex *)lock;

	if (flags & FLAG_MUTEX)
		return BPF_CORE_READ(mutex, owner.counter);
	if (flags & FLAG_RT)
		return bpf_core_type_exists(struct rt_mutex_base) ? (u64)BPF_CORE_READ(rt, owner) & ~OWNER_FLAGS : 0;
	return flags & FLAG_PERCPU ? 0 : BPF_CORE_READ(rwsem, owner.counter);
}

/* Off its CPU: its stack, as that of its process, whichever thread it is. */
static __noinline int take_owner_stack(struct task_struct *owner, struct task_times *times)
{
	u32 scratch = SCRATCH_LOCKS;
	struct stack_event *event = bpf_map_lookup_elem(&wait_scratch, &scratch);
	struct task_struct *task = bpf_task_from_pid(BPF_CORE_READ(owner, pid));
	u64 address = (u64)task;

	if (!task)
		return 0;
	/* Else the compiler would take the other one, which is a mere number to the verifier. */
	barrier_var(address);
	if (event && address == (u64)owner && !task->on_cpu) {
		take_others_stack(task, event, SCRATCH_LOCKS, true);
		if (event->kernel_count)
			times->lock_owner = event->key;
	}
	bpf_task_release(task);
	return 0;
}

static __always_inline u32 state_of_owner(struct task_struct *owner)
{
	if (BPF_CORE_READ(owner, on_cpu))
		return LOCK_OWNER_RAN;
	return BPF_CORE_READ(owner, on_rq) ? LOCK_OWNER_READY : LOCK_OWNER_ASLEEP;
}

/*
 * As the wait begins, and once more as it goes to sleep: a mutex's waiter spins while the owner runs, and the owner that
 * counts is the one that it sleeps for. Whoever held it before stays where nobody holds it now.
 */
static __always_inline void look_at_owner(struct task_struct *waiter, struct task_times *times, u64 lock, u32 flags)
{
	struct task_struct *owner;
	u64 word;

	if (times->lock_owner_state >= LOCK_OWNER_READER && (flags & FLAG_SPIN || times->lock_owner_slept))
		return;
	times->lock_owner_slept = !(flags & FLAG_SPIN);
	if (flags & FLAG_PERCPU)
		return;
	word = owner_word(lock, flags);
	owner = (struct task_struct *)(word & ~OWNER_FLAGS);
	if (!owner || (owner == waiter && word & OWNER_READER)) {
		if (!times->lock_owner_slot)
			times->lock_owner_state = LOCK_OWNER_NOBODY;
		return;
	}
	times->lock_owner_slot =
		BPF_CORE_READ(owner, flags) & PF_KTHREAD ? SLOT_KERNEL : slot_in(owner, cgroup_id_at(owner));
	if (!(flags & FLAG_MUTEX) && word & OWNER_READER) {
		times->lock_owner_state = LOCK_OWNER_READER;
		return;
	}
	times->lock_owner_state = state_of_owner(owner);
	if (have_task_from_pid && times->lock_owner_slept && times->lock_owner_state != LOCK_OWNER_RAN)
		take_owner_stack(owner, times);
}

#endif
