/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_stacks: what the kernel's part of a stack says (kernel_entry.h), read once for each stack however many samples
 * and waits have it.
 */
#ifndef STOKER_PROFILE_KERNEL_STACKS_H
#define STOKER_PROFILE_KERNEL_STACKS_H

#include "profiler/profile/kernel_entry.h"

struct kernel_stack {
	string_id entry;    /* kernel_entry.name; 0 for KERNEL_ENTRY_NONE */
	string_id function; /* kernel_entry.function; likewise */
	string_id
		blocked; /* the first that is not the scheduler's own: of a task that left its CPU; 0: no kernel frames */
	uint16_t interrupt_frames; /* kernel_entry_interrupt_frames() */
	uint8_t kind;		   /* enum kernel_entry_kind */
	bool is_tracing;	   /* kernel_entry_is_tracing() */
	bool sends_signal;
	bool read; /* kernel_stacks.c's own: the fields are filled in */
};

struct kernel_stacks {
	const struct profile *profile;
	struct string_table *strings;
	struct kernel_stack *list; /* [stacks of the profile] */
};

/* @strings: the caller's, where names go. Returns 0 or -ENOMEM; deinit it in both cases. */
int kernel_stacks_init(struct kernel_stacks *stacks, const struct profile *profile, struct string_table *strings);
void kernel_stacks_deinit(struct kernel_stacks *stacks);

/**
 * kernel_stacks_find() - what a stack says
 * @stack: row, or RECORDING_STACK_ROOT: then it says nothing
 * @ret_stack: valid until kernel_stacks_deinit()
 * Returns 0 or -ENOMEM.
 */
int kernel_stacks_find(struct kernel_stacks *stacks, uint32_t stack, const struct kernel_stack **ret_stack);

#endif
