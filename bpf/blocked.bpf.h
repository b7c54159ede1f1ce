/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * blocked: where tasks block for long, and who wakes them.
 */
#ifndef STOKER_BLOCKED_BPF_H
#define STOKER_BLOCKED_BPF_H

#include "bpf/syscalls.bpf.h"
#include "bpf/wait_stacks.bpf.h"

/* Set by user space. */
const volatile bool want_blocked = false;
const volatile u64 min_block_ns = 1000000;

u32 active_waits = 0; /* which of the two maps takes new waits; flipped by user space while it empties the other */

struct waits_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct wait_key);
	__type(value, struct wait_sums);
} waits_0 SEC(".maps"), waits_1 SEC(".maps");

static __always_inline struct wait_losses *losses(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&wait_losses, &zero);
}

/* Asking the kernel costs more than all that is done with them: what it says once holds for every task. */
static __always_inline struct pt_regs *registers_place(struct task_struct *task)
{
	struct pt_regs *registers;
	u64 place = 0;

	if (can_cast && user_registers_offset)
		return bpf_rdonly_cast((void *)((u64)task->stack + user_registers_offset),
				       bpf_core_type_id_kernel(struct pt_regs));
	registers = (struct pt_regs *)bpf_task_pt_regs(task);
	if (can_cast) {
		/* By way of memory: the verifier lets nobody count with a pointer. */
		bpf_probe_read_kernel(&place, sizeof(place), &registers);
		user_registers_offset = place - (u64)task->stack;
	}
	return registers;
}

/* Nothing but these changes between two calls from one place; the walk of the stack would tell the rest. */
static __always_inline u64 registers_of(struct task_struct *task)
{
	struct pt_regs *registers;

	if (task->flags & PF_KTHREAD || !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return 0;
	registers = registers_place(task);
	return ((registers->orig_ax * MIX_1 ^ PT_REGS_IP(registers)) * MIX_1 ^ PT_REGS_SP(registers)) * MIX_1 | 1;
}

#define SHORTS_ENOUGH 4 /* blocks in a row that were too short: the next one will be, too */

/*
 * A stack is only of use where the task turns out to be blocked for long, and is taken where it still runs. From a place
 * where the last blocks were all short none is taken: should this one be long, it has the stack of the last time that one
 * was taken here, which is the same but for what the registers do not show. Once long, the next ones are taken again.
 */
static __always_inline void take_blocked_stack(void *ctx, struct task_struct *task, struct task_times *times)
{
	u64 registers = registers_of(task);
	u32 zero = 0, number = registers >> 60 & (BLOCK_SITES - 1);
	struct block_site *site = &times->sites[number];
	struct stack_event *event;

	times->site = number + 1;
	if (!RARELY(site->registers != registers || site->shorts < SHORTS_ENOUGH)) {
		/* A kernel thread's own stack can be had as it is woken. */
		times->stack_taken = STACK_OF_SITE;
		return;
	}
	if (site->registers != registers) {
		site->registers = registers;
		site->shorts = 0;
	}
	event = bpf_map_lookup_elem(&wait_scratch, &zero);
	take_own_stack(ctx, event, SCRATCH_SCHED);
	if (!event)
		return;
	times->stack = event->key;
	times->stack_taken = event->key.hash[0] ? STACK_TAKEN : STACK_NONE;
	site->stack = registers ? event->key : (struct count_key){};
}

static __always_inline void learn(struct task_times *times, bool was_long)
{
	u32 number = times->site - 1;

	if (number >= BLOCK_SITES)
		return;
	if (was_long)
		times->sites[number].shorts = 0;
	else if (times->stack_taken != STACK_OF_SITE)
		times->sites[number].shorts++;
	times->site = 0;
}

static __noinline int note_wait(const struct wait_key *key, u64 ns)
{
	struct wait_sums *sums, first = {.count = 1, .total_ns = ns, .max_ns = ns};
	struct wait_losses *lost;
	bool second = *(volatile u32 *)&active_waits;
	long err;

	sums = second ? bpf_map_lookup_elem(&waits_1, key) : bpf_map_lookup_elem(&waits_0, key);
	if (!sums) {
		err = second ? bpf_map_update_elem(&waits_1, key, &first, BPF_NOEXIST)
			     : bpf_map_update_elem(&waits_0, key, &first, BPF_NOEXIST);
		if (!err)
			return 0;
		/* Another CPU was first, or the map is full. */
		sums = second ? bpf_map_lookup_elem(&waits_1, key) : bpf_map_lookup_elem(&waits_0, key);
	}
	if (sums) {
		__sync_fetch_and_add(&sums->count, 1);
		__sync_fetch_and_add(&sums->total_ns, ns);
		if (ns > sums->max_ns)
			sums->max_ns = ns;
		return 0;
	}
	lost = losses();
	if (lost) {
		lost->waits++;
		lost->waits_ns += ns;
	}
	return 0;
}

/*
 * Where no stack was taken as it went to sleep, or that one was lost: its kernel stack, while it sleeps. That is all that kernel
 * threads have, and those that slept before the recording began.
 */
static __always_inline void take_sleepers_stack(struct task_struct *task, struct task_times *times, u32 scratch)
{
	u32 number = times->site - 1;
	struct stack_event *event;

	if (times->stack_taken == STACK_TAKEN ||
	    (times->stack_taken == STACK_OF_SITE && number < BLOCK_SITES && times->sites[number].stack.hash[0]))
		return;
	event = bpf_map_lookup_elem(&wait_scratch, &scratch);
	take_others_stack(task, event, scratch, false);
	if (!event)
		return;
	times->stack = event->key;
	times->stack_taken = event->key.hash[0] ? STACK_TAKEN : STACK_NONE;
}

static __always_inline void take_waker(void *ctx, struct task_times *times)
{
	struct task_struct *waker = current_task();
	struct task_times *own = times_of(waker);
	struct stack_event *event;
	u32 zero = 0;

	event = bpf_map_lookup_elem(&wait_scratch, &zero);
	take_own_stack(ctx, event, SCRATCH_SCHED);
	if (!event)
		return;
	times->waker = event->key;
	times->waker_slot = own ? slot_of(waker, own) : SLOT_OTHERS;
	times->waker_taken = 1;
}

static __noinline int note_blocked(struct task_times *times, u64 ns, u32 flags)
{
	struct wait_key key = {.flags = flags};
	u32 number;

	if (!times)
		return 0;
	number = times->site - 1;
	if (times->stack_taken == STACK_TAKEN) {
		key.stack = times->stack;
	} else if (times->stack_taken == STACK_OF_SITE && number < BLOCK_SITES) {
		key.stack = times->sites[number].stack;
		key.flags |= key.stack.hash[0] ? WAIT_STACK_GUESSED : 0;
	}
	if (times->waker_taken) {
		key.waker = times->waker;
		key.waker_slot = times->waker_slot;
	}
	key.slot = times->slot;
	key.state = times->state - TASK_BLOCKED;
	return note_wait(&key, ns);
}

#endif
