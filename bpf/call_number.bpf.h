/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * call_number: which system call it is.
 */
#ifndef STOKER_CALL_NUMBER_BPF_H
#define STOKER_CALL_NUMBER_BPF_H

#include "vmlinux.h"

#include "bpf/shared.h"
#include "bpf/user_registers.bpf.h"

#define THREAD_COMPAT 2u	/* TS_COMPAT, arch/x86/include/asm/thread_info.h: a 32-bit call */
#define CALL_X32_BIT (1u << 30) /* __X32_SYSCALL_BIT */

/* @status: the task's thread_info.status; @number: as the program gave it */
static __always_inline u32 call_number(u32 status, u64 number)
{
	if (status & THREAD_COMPAT || (number < 1ull << 32 && number & CALL_X32_BIT))
		return CALL_32_BIT;
	return number < CALL_UNKNOWN ? number : CALL_UNKNOWN;
}

/*
 * The call that the current task is in, plus 1, for a program that has interrupted it in the kernel; 0: none. Whatever else
 * enters the kernel from user mode leaves no number there (asm_exc_*, asm_sysvec_*: ORIG_RAX is -1); io_uring's workers keep
 * that of the call that made them, and no user stack.
 */
static __always_inline u32 interrupted_call(void)
{
	struct task_struct *task;
	struct pt_regs *regs;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		task = bpf_get_current_task_btf();
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		if ((long)regs->orig_ax < 0 || !regs->sp)
			return 0;
		return 1 + call_number(task->thread_info.status, regs->orig_ax);
	}
	if (!user_registers_offset)
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	regs = (struct pt_regs *)((u64)BPF_CORE_READ(task, stack) + user_registers_offset);
	if ((long)BPF_CORE_READ(regs, orig_ax) < 0 || !BPF_CORE_READ(regs, sp))
		return 0;
	return 1 + call_number(BPF_CORE_READ(task, thread_info.status), BPF_CORE_READ(regs, orig_ax));
}

#endif
