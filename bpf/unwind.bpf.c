/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * unwind: keeps the tables of processes up with forks and exits, and learns where user registers are.
 */
#include "bpf/identity.bpf.h"
#include "bpf/unwind_tables.bpf.h"
#include "bpf/user_registers.bpf.h"

/* A child maps what its parent does: its first sample finds its tables. */
SEC("raw_tp/sched_process_fork")
int walk_process_forked(struct bpf_raw_tracepoint_args *ctx)
{
	u32 parent = BPF_CORE_READ((struct task_struct *)ctx->args[0], tgid);
	u32 child = BPF_CORE_READ((struct task_struct *)ctx->args[1], tgid);
	struct walk_process *process;

	if (parent == child)
		return 0;
	process = bpf_map_lookup_elem(&walk_processes, &parent);
	if (process)
		bpf_map_update_elem(&walk_processes, &child, process, BPF_ANY);
	else
		bpf_map_delete_elem(&walk_processes, &child);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int walk_process_exited(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 tgid = BPF_CORE_READ(task, tgid);

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&walk_processes, &tgid);
	return 0;
}

/* For kernels that do not tell. The tracepoint's first argument is where the system call's registers lie. */
SEC("raw_tp/sys_enter")
int learn_user_registers(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (!user_registers_offset)
		user_registers_offset = ctx->args[0] - (u64)BPF_CORE_READ(task, stack);
	return 0;
}
