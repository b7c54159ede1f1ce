/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * process: cgroups and processes that come and go while recording.
 */
#include "bpf/identity.bpf.h"
#include "bpf/maps.bpf.h"

extern const volatile bool filter_tgids;
extern const volatile bool filter_cgroups;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cgroup_event);
} cgroup_scratch SEC(".maps");

/* The hierarchy of a cgroup as our ids know it, or CGROUP_HIERARCHIES where no sample can name it. */
static __always_inline enum cgroup_hierarchy hierarchy_of(struct cgroup *cgroup)
{
	struct cgroup_root *root = BPF_CORE_READ(cgroup, root);
	u32 subsystems;

	if (!BPF_CORE_READ(root, hierarchy_id))
		return cgroup_use_v2 ? CGROUP_V2 : CGROUP_HIERARCHIES;
	subsystems = BPF_CORE_READ(root, subsys_mask);
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id) &&
	    subsystems & 1u << bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id))
		return CGROUP_V1_MEMORY;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id) &&
	    subsystems & 1u << bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id))
		return CGROUP_V1_CPU;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id) &&
	    subsystems & 1u << bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id))
		return CGROUP_V1_PIDS;
	return CGROUP_HIERARCHIES;
}

static __always_inline void send_cgroup(enum event_type type, struct cgroup *cgroup, const char *path)
{
	enum cgroup_hierarchy hierarchy = hierarchy_of(cgroup);
	struct cgroup *parent;
	struct cgroup_event *event;
	u32 zero = 0;
	long bytes;
	u8 yes = 1;

	event = bpf_map_lookup_elem(&cgroup_scratch, &zero);
	if (!event || hierarchy == CGROUP_HIERARCHIES)
		return;
	parent = BPF_CORE_READ(cgroup, self.parent, cgroup);
	event->type = type;
	event->cgroup_id = cgroup_id_in(BPF_CORE_READ(cgroup, kn, id), hierarchy);
	event->parent_id = cgroup_id_in(BPF_CORE_READ(parent, kn, id), hierarchy);
	bytes = bpf_probe_read_kernel_str(event->path, sizeof(event->path), path);
	if (bytes <= 0)
		return;
	event->path_bytes = bytes;
	/* A cgroup made inside a wanted container is wanted from its first instant. */
	if (type == EVENT_CGROUP_MADE && filter_cgroups && bpf_map_lookup_elem(&wanted_cgroups, &event->parent_id))
		bpf_map_update_elem(&wanted_cgroups, &event->cgroup_id, &yes, BPF_ANY);
	if (type == EVENT_CGROUP_REMOVED && filter_cgroups)
		bpf_map_delete_elem(&wanted_cgroups, &event->cgroup_id);
	bytes += __builtin_offsetof(struct cgroup_event, path);
	if (bytes > 0 && bytes <= sizeof(*event))
		bpf_ringbuf_output(&events, event, bytes, BPF_RB_FORCE_WAKEUP);
}

SEC("raw_tp/cgroup_mkdir")
int cgroup_made(struct bpf_raw_tracepoint_args *ctx)
{
	send_cgroup(EVENT_CGROUP_MADE, (struct cgroup *)ctx->args[0], (const char *)ctx->args[1]);
	return 0;
}

SEC("raw_tp/cgroup_rmdir")
int cgroup_removed(struct bpf_raw_tracepoint_args *ctx)
{
	send_cgroup(EVENT_CGROUP_REMOVED, (struct cgroup *)ctx->args[0], (const char *)ctx->args[1]);
	return 0;
}

SEC("raw_tp/cgroup_rename")
int cgroup_renamed(struct bpf_raw_tracepoint_args *ctx)
{
	send_cgroup(EVENT_CGROUP_RENAMED, (struct cgroup *)ctx->args[0], (const char *)ctx->args[1]);
	return 0;
}

/* With -p: children of a wanted process are wanted too, as perf's -p has it. Attached only then. */
SEC("raw_tp/sched_process_fork")
int process_forked(struct bpf_raw_tracepoint_args *ctx)
{
	u32 parent = BPF_CORE_READ((struct task_struct *)ctx->args[0], tgid);
	u32 child = BPF_CORE_READ((struct task_struct *)ctx->args[1], tgid);
	u8 yes = 1;

	if (parent != child && bpf_map_lookup_elem(&wanted_tgids, &parent))
		bpf_map_update_elem(&wanted_tgids, &child, &yes, BPF_ANY);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exited(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 tgid = BPF_CORE_READ(task, tgid);

	/* The last thread of a process, else a pid that is used again would be wanted. */
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&wanted_tgids, &tgid);
	return 0;
}
