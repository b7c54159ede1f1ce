/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * identity: whose sample is it? Cgroup, process, pid namespace of the current task.
 */
#ifndef STOKER_IDENTITY_BPF_H
#define STOKER_IDENTITY_BPF_H

#include "bpf/maps.bpf.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* Set by user space: which hierarchies to ask, and the ids that mean "nowhere in particular". */
const volatile bool cgroup_use_v2 __weak = true;
const volatile u64 cgroup_v2_root __weak = 1;
const volatile u32 cgroup_v1_mask __weak = 0; /* bit per enum cgroup_hierarchy */

static __always_inline u64 cgroup_id_in(u64 inode, enum cgroup_hierarchy hierarchy)
{
	return inode | (u64)hierarchy << CGROUP_HIERARCHY_SHIFT;
}

/*
 * Where the kernel gives the task with its type (5.11), fields are loaded; elsewhere a helper copies each one. The
 * loader decides, and the verifier sees one of the two.
 */
#define TASK_HAS_TYPE bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)
#define LOAD(pointer, field) (TASK_HAS_TYPE ? (pointer)->field : BPF_CORE_READ(pointer, field))

static __always_inline struct task_struct *current_task(void)
{
	if (TASK_HAS_TYPE)
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

#define CGROUP_V1_TRY(set, name, hierarchy)                                                                          \
	do {                                                                                                         \
		if (cgroup_v1_mask & 1u << (hierarchy) && bpf_core_enum_value_exists(enum cgroup_subsys_id, name)) { \
			struct cgroup_subsys_state *_state;                                                          \
			struct cgroup *_cgroup;                                                                      \
                                                                                                                     \
			_state = LOAD(set, subsys[bpf_core_enum_value(enum cgroup_subsys_id, name)]);                \
			_cgroup = _state ? LOAD(_state, cgroup) : NULL;                                              \
			if (_cgroup && LOAD(_cgroup, level))                                                         \
				return cgroup_id_in(BPF_CORE_READ(_cgroup, kn, id), hierarchy);                      \
		}                                                                                                    \
	} while (0)

/*
 * On v2 the one id. On a hybrid host a container may sit in v1 controllers alone, with the root's id on v2: then the
 * first v1 controller that tells it from the root answers.
 */
static __always_inline u64 current_cgroup_id(struct task_struct *task)
{
	u64 v2 = cgroup_use_v2 ? bpf_get_current_cgroup_id() : 0;
	struct css_set *set;

	if (!cgroup_v1_mask || (v2 && v2 != cgroup_v2_root))
		return v2;
	set = LOAD(task, cgroups);
	CGROUP_V1_TRY(set, memory_cgrp_id, CGROUP_V1_MEMORY);
	CGROUP_V1_TRY(set, cpu_cgrp_id, CGROUP_V1_CPU);
	CGROUP_V1_TRY(set, pids_cgrp_id, CGROUP_V1_PIDS);
	return v2;
}

static __always_inline u64 process_start_ns(struct task_struct *task)
{
	struct task_struct *leader = LOAD(task, group_leader);

	return LOAD(leader, start_boottime);
}

/* The image that a process runs has its stack at a random place; within execve(2) it may still move. */
static __always_inline u64 address_space(struct task_struct *task)
{
	struct mm_struct *mm = LOAD(task, mm);

	return mm ? LOAD(mm, start_stack) : 0;
}

/* A task's number in its innermost pid namespace; all zero for one that has ended. */
static __always_inline struct upid innermost_pid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	u32 level = BPF_CORE_READ(pid, level);
	struct upid innermost = {};

	bpf_probe_read_kernel(&innermost, sizeof(innermost), &pid->numbers[level]);
	return innermost;
}

/* The slow part of an identity, which stays while tgid and start do. */
static __always_inline void read_process(struct task_struct *task, struct stack_event *event)
{
	struct task_struct *leader = LOAD(task, group_leader);
	struct upid innermost = innermost_pid(leader);

	event->ns_tgid = innermost.nr;
	event->pid_namespace = BPF_CORE_READ(innermost.ns, ns.inum);
	event->process_start_ns = LOAD(leader, start_boottime);
}

#endif
