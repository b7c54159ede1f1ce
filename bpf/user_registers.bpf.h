/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * user_registers: what the current task's registers were when it left user mode.
 *
 * The kernel keeps them at the end of the task's kernel stack, whatever it was that interrupted user mode: so nothing here
 * needs a program's context, and any program may ask for the current task.
 */
#ifndef STOKER_USER_REGISTERS_BPF_H
#define STOKER_USER_REGISTERS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Above the stack pointer, where a piece of memory is likely to be all there. */
#define STACK_BYTES_NEAR (64 << 10)
#define X86_USER_64 0x33 /* __USER_CS, arch/x86/include/asm/segment.h: 64-bit code */

/*
 * Before 5.15 no helper gives the place: it is learned from a system call's registers, as a distance from the start of the
 * kernel stack (which holds with FRED too, where they lie a little lower). 0: not learned.
 */
u64 user_registers_offset __weak = 0;

struct user_registers {
	u64 ip;
	u64 sp;
	u64 fp;
};

/* 0: not known on this kernel. */
static __always_inline struct pt_regs *user_registers_place(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (!user_registers_offset)
		return NULL;
	return (struct pt_regs *)((u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), stack) +
				  user_registers_offset);
}

/*
 * False where there are none that we understand: 32-bit code, whose frames look otherwise; io_uring's workers, which have
 * no user mode; a process that is ending, whose memory is gone.
 */
static __always_inline bool read_user_registers(struct user_registers *ret)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pt_regs *regs = user_registers_place();

	if (!regs)
		return false;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		task = bpf_get_current_task_btf();
		ret->ip = PT_REGS_IP(regs);
		ret->sp = PT_REGS_SP(regs);
		ret->fp = PT_REGS_FP(regs);
		return (u16)regs->cs == X86_USER_64 && ret->sp && task->mm;
	}
	ret->ip = BPF_CORE_READ(regs, ip);
	ret->sp = BPF_CORE_READ(regs, sp);
	ret->fp = BPF_CORE_READ(regs, bp);
	return (u16)BPF_CORE_READ(regs, cs) == X86_USER_64 && ret->sp && BPF_CORE_READ(task, mm);
}

/*
 * Where a register lies in struct pt_regs, in words, by its number in DWARF (the psABI of x86-64, figure 3.36). Not plainly
 * const: 16 such bytes go to a section of their own (.rodata.cst16), which the linker's BTF does not know, and then no map
 * with BTF can be made.
 */
const volatile u8 user_register_words[16] __weak = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0};

/* One of the current task's registers in user mode, by its number in DWARF; 0 where there are none. */
__weak __noinline u64 user_register(u32 number)
{
	u64 place = (u64)user_registers_place(), value = 0;

	if (place)
		bpf_probe_read_kernel(&value, sizeof(value),
				      (void *)(place + user_register_words[number & 15] * sizeof(u64)));
	return value;
}

#endif
