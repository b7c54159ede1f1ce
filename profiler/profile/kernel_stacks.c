/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/kernel_stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 256

int kernel_stacks_init(struct kernel_stacks *stacks, const struct profile *profile, struct string_table *strings)
{
	*stacks = (struct kernel_stacks){.profile = profile, .strings = strings};
	stacks->list = calloc(profile->rows.stacks.count + 1, sizeof(*stacks->list));
	return stacks->list ? 0 : -ENOMEM;
}

void kernel_stacks_deinit(struct kernel_stacks *stacks)
{
	free(stacks->list);
	stacks->list = NULL;
}

/* Is it a function that any task goes through as it leaves its CPU? */
static bool is_scheduler(const char *function)
{
	static const char *const known[] = {
		"schedule",
		"__schedule",
		"preempt_schedule",
		"schedule_idle",
		"schedule_preempt_disabled",
		"schedule_timeout",
		"schedule_timeout_interruptible",
		"schedule_timeout_killable",
		"schedule_timeout_uninterruptible",
		"schedule_hrtimeout",
		"schedule_hrtimeout_range",
		"schedule_hrtimeout_range_clock",
		"io_schedule",
		"io_schedule_timeout",
		"__traceiter_sched_switch",
		"__bpf_trace_sched_switch",
	};
	size_t length = strcspn(function, ".");

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if (strlen(known[i]) == length && !strncmp(function, known[i], length))
			return true;
	return false;
}

/* __send_signal_locked() and its like: who was killed or stopped had not waited for whoever did it. */
static bool sends_signal(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(names[i], "send_signal"))
			return true;
	return false;
}

static int add_text(struct kernel_stacks *stacks, const char *text, string_id *ret_id)
{
	return string_table_add(stacks->strings, text, strlen(text), ret_id);
}

static int add_names(struct kernel_stacks *stacks, const char *const *names, size_t count,
		     const struct kernel_entry *entry, struct kernel_stack *stack)
{
	size_t at = 0;
	int err;

	while (at + 1 < count && is_scheduler(names[at]))
		at++;
	err = add_text(stacks, names[at], &stack->blocked);
	if (!err && entry->kind != KERNEL_ENTRY_NONE)
		err = add_text(stacks, entry->name, &stack->entry);
	if (!err && entry->kind != KERNEL_ENTRY_NONE)
		err = add_text(stacks, entry->function, &stack->function);
	return err;
}

static int read_stack(struct kernel_stacks *stacks, uint32_t number, struct kernel_stack *stack)
{
	const char *names[FRAMES_MAX];
	size_t count = kernel_entry_names(stacks->profile, number, names, FRAMES_MAX);
	struct kernel_entry entry;
	int err;

	if (!count)
		return 0;
	kernel_entry_find(names, count, &entry);
	err = add_names(stacks, names, count, &entry, stack);
	stack->kind = (uint8_t)entry.kind;
	stack->interrupt_frames = (uint16_t)kernel_entry_interrupt_frames(names, count);
	stack->is_tracing = kernel_entry_is_tracing(names, count);
	stack->sends_signal = sends_signal(names, count);
	return err;
}

int kernel_stacks_find(struct kernel_stacks *stacks, uint32_t number, const struct kernel_stack **ret_stack)
{
	static const struct kernel_stack none = {.kind = KERNEL_ENTRY_NONE};
	struct kernel_stack *stack;
	int err = 0;

	if (number == RECORDING_STACK_ROOT) {
		*ret_stack = &none;
		return 0;
	}
	stack = &stacks->list[number];
	if (!stack->read)
		err = read_stack(stacks, number, stack);
	if (err)
		return err;
	stack->read = true;
	*ret_stack = stack;
	return 0;
}
