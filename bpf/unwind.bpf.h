/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * unwind: the one place where stacks are captured.
 */
#ifndef STOKER_UNWIND_BPF_H
#define STOKER_UNWIND_BPF_H

#include "bpf/frame_pointers.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/python.bpf.h"
#include "bpf/shared_copy.h"
#include "bpf/walk.bpf.h"

/* Set by user space: -U and -K. */
const volatile bool want_kernel_stacks __weak = true;
const volatile bool want_user_stacks __weak = true;
const volatile bool may_read_user __weak = true; /* from here; profiler/collect/user_reads.h */

/* Of samples: enum copy_choice (stack_copy.bpf.h). Set by user space. */
const volatile u32 copy_stacks __weak = COPY_NONE;

/**
 * capture_user_stack() - the current task's user stack, for a sample
 * @tgid: the current task's
 * @frames: [STACK_FRAMES_MAX], leaf first
 * @ret_flags: bits of stack_event.flags that tell how it was walked and how it ended
 * Returns how many frames were stored; 0 where the task has no user registers that we understand, or must not be read.
 */
static __always_inline u32 capture_user_stack(u32 tgid, u64 *frames, u16 *ret_flags)
{
	struct user_registers registers;
	u32 count = 0;

	if (!may_read_user || !read_user_registers(&registers))
		return 0;
	if (copy_stacks == COPY_EVERY) {
		frames[0] = registers.ip;
		*ret_flags = USER_END_UNCOPIED << STACK_END_SHIFT;
		return 1;
	}
	if (walk_by_tables)
		count = walk_user_stack(0, &registers, tgid, frames, ret_flags);
	if (count)
		return count;
	if (walk_by_tables)
		*ret_flags = STACK_UNMAPPED;
	return follow_frame_pointers(&registers, frames);
}

/* The Python frames behind the user stack that was walked last, where the process is known to run Python. */
static __always_inline void capture_python_stack(u32 level, struct stack_event *event, u32 first)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);

	if (walk && walk->process.python && first <= 2 * STACK_FRAMES_MAX)
		*(volatile u8 *)&event->python_count =
			walk_python_stack(level, &event->frames[first], &event->python_end);
}

static __always_inline u32 ask_kernel_for_user_stack(void *ctx, u64 *frames)
{
	long bytes = bpf_get_stack(ctx, frames, STACK_FRAMES_MAX * sizeof(u64), BPF_F_USER_STACK);

	return bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
}

static __always_inline bool in_user_mode(struct bpf_perf_event_data *ctx)
{
	return PT_REGS_IP(&ctx->regs) < 1ull << 63;
}

/*
 * Both stacks of the current task into event->frames. A user-mode sample has no kernel part and a kernel thread no
 * user part; the helpers would find that out at the cost of a walk.
 */
static __always_inline void capture_stacks(struct bpf_perf_event_data *ctx, struct stack_event *event)
{
	u32 kernel_count = 0, user_count = 0;
	u16 flags = 0;
	long bytes;

	if (want_kernel_stacks && !in_user_mode(ctx)) {
		bytes = bpf_get_stack(ctx, event->frames, STACK_FRAMES_MAX * sizeof(u64), 0);
		if (bytes > 0)
			kernel_count = (u32)bytes / sizeof(u64);
	}
	kernel_count &= STACK_FRAMES_MAX;
	if (want_user_stacks && !(event->flags & STACK_KERNEL_THREAD)) {
		user_count = capture_user_stack(event->tgid, &event->frames[kernel_count], &flags);
		if (!user_count)
			user_count = ask_kernel_for_user_stack(ctx, &event->frames[kernel_count]);
	}
	user_count &= STACK_FRAMES_MAX;
	event->python_count = 0;
	event->python_end = PYTHON_END_NONE;
	if (walk_by_tables && user_count)
		capture_python_stack(0, event, kernel_count + user_count);
	event->flags |= flags;
	event->kernel_count = kernel_count;
	/* Volatile: else the verifier follows the loop over the frames once for each number that they can have. */
	*(volatile u8 *)&event->user_count = user_count;
}

#endif
