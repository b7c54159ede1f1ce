/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * slots: the small number that stands for a task's container.
 *
 * Numbers lie in a queue that user space fills. Taking one out is the kernel's own work, under a lock of the queue's: each
 * goes to one CPU, however many ask at once, and also where no atomic instruction returns a value (before 5.12).
 */
#ifndef STOKER_SLOTS_BPF_H
#define STOKER_SLOTS_BPF_H

#include "bpf/identity.bpf.h"
#include "bpf/shared_waits.h"

extern const volatile bool filter_tgids;
extern const volatile bool filter_cgroups;

/* Who has which slot: for user space to read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SLOTS_MAX);
	__type(key, struct slot_key);
	__type(value, u32);
} cgroup_slots __weak SEC(".maps");

/* How many a cgroup has. User space forgets it with the cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SLOTS_MAX);
	__type(key, u64);
	__type(value, u32);
} cgroup_shares __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SLOTS_MAX);
	__type(value, u32);
} free_slots __weak SEC(".maps");

/*
 * By place: the slot that its counters are for. Written by user space, and here where the queue was found empty: then it is
 * SLOT_OTHERS that is valid, until user space has put one in.
 */
u32 slots_valid[SLOTS_MAX] __weak = {};

static __always_inline bool slot_is_valid(u32 slot)
{
	return *(volatile u32 *)&slots_valid[SLOT_PLACE(slot)] == slot;
}

/* As current_cgroup_id() has it, of any task. */
static __always_inline u64 cgroup_id_of(struct task_struct *task)
{
	struct css_set *set = LOAD(task, cgroups);
	u64 v2 = cgroup_use_v2 ? (TASK_HAS_TYPE ? set->dfl_cgrp->kn->id : BPF_CORE_READ(set, dfl_cgrp, kn, id)) : 0;

	if (!cgroup_v1_mask || (v2 && v2 != cgroup_v2_root))
		return v2;
	CGROUP_V1_TRY(set, memory_cgrp_id, CGROUP_V1_MEMORY);
	CGROUP_V1_TRY(set, cpu_cgrp_id, CGROUP_V1_CPU);
	CGROUP_V1_TRY(set, pids_cgrp_id, CGROUP_V1_PIDS);
	return v2;
}

static __always_inline bool slot_is_wanted(u32 tgid, u64 cgroup_id)
{
	if (!filter_tgids && !filter_cgroups)
		return true;
	if (filter_tgids && bpf_map_lookup_elem(&wanted_tgids, &tgid))
		return true;
	return filter_cgroups && bpf_map_lookup_elem(&wanted_cgroups, &cgroup_id);
}

static __always_inline bool has_its_share(u64 cgroup_id)
{
	u32 *slots = bpf_map_lookup_elem(&cgroup_shares, &cgroup_id);

	return slots && *slots >= CGROUP_SLOTS_MAX;
}

static __always_inline void add_to_share(u64 cgroup_id)
{
	u32 *slots = bpf_map_lookup_elem(&cgroup_shares, &cgroup_id), one = 1;

	if (slots)
		__sync_fetch_and_add(slots, 1);
	else
		bpf_map_update_elem(&cgroup_shares, &cgroup_id, &one, BPF_NOEXIST);
}

/* Makes no new one. */
static __always_inline u32 *known_slot(struct slot_key *key)
{
	u32 *slot = bpf_map_lookup_elem(&cgroup_slots, key);

	if (slot || !key->pid_namespace || !has_its_share(key->cgroup_id))
		return slot;
	key->pid_namespace = 0;
	return bpf_map_lookup_elem(&cgroup_slots, key);
}

/* A global function, which the verifier follows once and not for each place that calls it. */
__weak __noinline u32 slot_of_key(u64 cgroup_id, u64 pid_namespace)
{
	struct slot_key key = {cgroup_id, pid_namespace};
	u32 *known = known_slot(&key), slot;

	if (known)
		return *known;
	if (slot_is_valid(SLOT_OTHERS))
		return SLOT_OTHERS;
	if (bpf_map_pop_elem(&free_slots, &slot)) {
		slots_valid[SLOT_OTHERS] = SLOT_OTHERS;
		return SLOT_OTHERS;
	}
	/* Another CPU may have been first: its number counts, and ours is for the next one. */
	if (bpf_map_update_elem(&cgroup_slots, &key, &slot, BPF_NOEXIST))
		bpf_map_push_elem(&free_slots, &slot, 0);
	else
		add_to_share(cgroup_id);
	known = bpf_map_lookup_elem(&cgroup_slots, &key);
	return known ? *known : SLOT_OTHERS;
}

/* As slot_key has it. */
static __always_inline u64 pid_namespace_of(struct task_struct *task)
{
	struct upid innermost = innermost_pid(task);
	u64 began_ns = BPF_CORE_READ(innermost.ns, child_reaper, start_boottime);

	return PID_NAMESPACE(BPF_CORE_READ(innermost.ns, ns.inum), began_ns);
}

/* Of any task that is no kernel thread. */
static __always_inline u32 slot_in(struct task_struct *task, u64 cgroup_id)
{
	return slot_of_key(cgroup_id, pid_namespace_of(task));
}

static __noinline u32 find_slot(struct task_struct *task)
{
	/* Before it is looked for: as somebody is wanted meanwhile, this number is not valid any more. */
	u32 unwanted = *(volatile u32 *)&slots_valid[SLOT_UNWANTED];
	u64 cgroup_id = cgroup_id_of(task);

	if (!slot_is_wanted(LOAD(task, tgid), cgroup_id))
		return unwanted;
	return LOAD(task, flags) & PF_KTHREAD ? SLOT_KERNEL : slot_in(task, cgroup_id);
}

#endif
