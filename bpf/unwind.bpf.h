/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * unwind: the one place where stacks are captured.
 */
#ifndef STOKER_UNWIND_BPF_H
#define STOKER_UNWIND_BPF_H

#include "bpf/frame_pointers.bpf.h"
#include "bpf/maps.bpf.h"

/* Set by user space: -U and -K. */
const volatile bool want_kernel_stacks __weak = true;
const volatile bool want_user_stacks __weak = true;

static __always_inline u32 ask_kernel_for_user_stack(struct bpf_perf_event_data *ctx, u64 *frames)
{
	long bytes = bpf_get_stack(ctx, frames, STACK_FRAMES_MAX * sizeof(u64), BPF_F_USER_STACK);

	return bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
}

/*
 * Both stacks of the current task into event->frames. A user-mode sample has no kernel part and a kernel thread no
 * user part; the helpers would find that out at the cost of a walk.
 */
static __always_inline void capture_stacks(struct bpf_perf_event_data *ctx, struct stack_event *event)
{
	bool in_user = PT_REGS_IP(&ctx->regs) < 1ull << 63;
	u32 kernel_count = 0, user_count = 0;
	struct user_registers registers;
	long bytes;

	if (want_kernel_stacks && !in_user) {
		bytes = bpf_get_stack(ctx, event->frames, STACK_FRAMES_MAX * sizeof(u64), 0);
		if (bytes > 0)
			kernel_count = (u32)bytes / sizeof(u64);
	}
	kernel_count &= STACK_FRAMES_MAX;
	if (want_user_stacks && !(event->flags & STACK_KERNEL_THREAD)) {
		if (read_user_registers(&registers))
			user_count = follow_frame_pointers(&registers, &event->frames[kernel_count]);
		else
			user_count = ask_kernel_for_user_stack(ctx, &event->frames[kernel_count]);
	}
	event->kernel_count = kernel_count;
	event->user_count = user_count & STACK_FRAMES_MAX;
}

#endif
