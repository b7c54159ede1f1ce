/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * stack_copy: sends a sample with its registers and a piece of its user stack, for user space to walk.
 *
 * A copy costs a hundred times what a walk by tables costs: a process has a budget of them, and all together have one.
 */
#ifndef STOKER_STACK_COPY_BPF_H
#define STOKER_STACK_COPY_BPF_H

#include "bpf/unwind.bpf.h"

#define COPY_PAGE_BYTES 4096u

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22); /* set by user space */
} copies __weak SEC(".maps");

u64 copies_woken_for __weak = 0; /* see wakeup_flag() */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack_copy);
} copy_scratch __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct copy_counters);
} copy_counts __weak SEC(".maps");

/* The last one is for all. CPUs that count at the same time may let one more through. */
struct copy_budget {
	u64 window;
	u64 taken;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COPY_BUDGETS + 1);
	__type(key, u32);
	__type(value, struct copy_budget);
} copy_budgets __weak SEC(".maps");

static __always_inline bool spend(u32 number, u64 most)
{
	struct copy_budget *budget = bpf_map_lookup_elem(&copy_budgets, &number);
	u64 window = bpf_ktime_get_ns() >> COPY_WINDOW_SHIFT;

	if (!budget)
		return false;
	if (budget->window != window) {
		budget->window = window;
		budget->taken = 0;
	}
	if (budget->taken >= most)
		return false;
	__sync_fetch_and_add(&budget->taken, 1);
	return true;
}

/* Is a copy of this sample's stack worth it, and within the limits? Then it is spent. */
static __always_inline bool may_copy(const struct stack_event *event)
{
	u32 end = event->flags >> STACK_END_SHIFT, zero = 0;
	struct copy_counters *counters;

	if (copy_stacks == COPY_NONE || !event->user_count)
		return false;
	if (copy_stacks != COPY_CUT)
		return true;
	if (!(event->flags & STACK_UNMAPPED) && end != USER_END_NO_TABLE && end != USER_END_RULE &&
	    end != USER_END_DEPTH)
		return false;
	if (spend(event->tgid % COPY_BUDGETS, COPIES_OF_PROCESS_MAX) && spend(COPY_BUDGETS, COPIES_MAX))
		return true;
	counters = bpf_map_lookup_elem(&copy_counts, &zero);
	if (counters)
		counters->refused++;
	return false;
}

static __always_inline bool begin_at_leaf(struct stack_copy *copy)
{
	struct user_registers registers;

	if (!read_user_registers(&registers))
		return false;
	for (u32 number = 0; number < COPY_IP; number++)
		copy->registers[number] = user_register(number);
	copy->registers[COPY_IP] = registers.ip;
	copy->known = (1u << COPY_REGISTERS) - 1;
	copy->walked = 0;
	copy->after_call = 0;
	return true;
}

/* A walk that was too long goes on where it was: of the other registers it knows nothing. */
static __always_inline bool begin_at_cut(struct stack_copy *copy)
{
	u32 zero = 0;
	const struct walk *walk = bpf_map_lookup_elem(&walks, &zero);

	if (!walk)
		return false;
	copy->registers[COPY_IP] = walk->ip;
	copy->registers[COPY_SP] = walk->sp;
	copy->registers[COPY_FP] = walk->fp;
	copy->known = 1u << COPY_IP | 1u << COPY_SP | (walk->fp != FP_UNKNOWN) << COPY_FP;
	copy->walked = copy->event.user_count;
	copy->after_call = walk->after_call;
	return true;
}

/* Page by page: a read that meets one that is not there gives nothing at all. */
static __always_inline void read_stack(struct stack_copy *copy)
{
	u64 sp = copy->registers[COPY_SP];
	u32 first = COPY_PAGE_BYTES - (sp & (COPY_PAGE_BYTES - 1)), bytes = first;

	copy->bytes = 0;
	if (bpf_probe_read_user(copy->stack, first, (void *)sp))
		return;
	for (int i = 0; i < COPY_BYTES_MAX / COPY_PAGE_BYTES - 1; i++) {
		if (bpf_probe_read_user((void *)copy->stack + bytes, COPY_PAGE_BYTES, (void *)(sp + bytes)))
			break;
		bytes += COPY_PAGE_BYTES;
	}
	copy->bytes = bytes;
}

/*
 * Registers and stack into copy_scratch, beside the event that is there. A global function: the verifier follows it once.
 * Returns how many bytes of stack there are.
 */
__weak __noinline u32 fill_copy(u32 at_cut)
{
	u32 zero = 0;
	struct stack_copy *copy = bpf_map_lookup_elem(&copy_scratch, &zero);

	if (!copy || !(at_cut ? begin_at_cut(copy) : begin_at_leaf(copy)))
		return 0;
	read_stack(copy);
	return copy->bytes;
}

/* What may_copy() allowed; @event is complete, but for its key. True where it has left; else it counts as it is. */
static __always_inline bool send_copy(const struct stack_event *event, bool new_process)
{
	struct copy_counters *counters;
	struct stack_copy *copy;
	u32 zero = 0;
	u64 bytes;

	counters = bpf_map_lookup_elem(&copy_counts, &zero);
	copy = bpf_map_lookup_elem(&copy_scratch, &zero);
	if (!counters || !copy)
		return false;
	bpf_probe_read_kernel(&copy->event, sizeof(copy->event), event);
	if (!fill_copy(copy_stacks == COPY_CUT && event->flags >> STACK_END_SHIFT == USER_END_DEPTH)) {
		counters->unread++;
		return false;
	}
	/* From memory: a bound that the verifier keeps in sight. */
	bytes = *(volatile u32 *)&copy->bytes;
	if (bytes > COPY_BYTES_MAX ||
	    bpf_ringbuf_output(&copies, copy, __builtin_offsetof(struct stack_copy, stack) + bytes,
			       wakeup_flag(&copies, &copies_woken_for, new_process))) {
		counters->no_room++;
		return false;
	}
	counters->taken++;
	return true;
}

#endif
