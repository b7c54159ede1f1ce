/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/unnamed_stacks.h"

#include <errno.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

void unnamed_stacks_deinit(struct unnamed_stacks *unnamed)
{
	array_deinit(&unnamed->list);
	array_deinit(&unnamed->addresses);
}

int unnamed_stacks_add(struct unnamed_stacks *unnamed, const struct stack_event *event, struct process *process,
		       uint64_t tag)
{
	size_t count = stack_event_frames(event);

	if (unnamed->list.count >= UNNAMED_STACKS_MAX || unnamed->addresses.count + count > UNNAMED_ADDRESSES_MAX)
		return -ENOBUFS;
	if (array_reserve(&unnamed->list, 1) || array_reserve(&unnamed->addresses, count))
		return -ENOMEM;
	*array_add(&unnamed->list) = (struct unnamed_stack){
		.tag = tag,
		.process = process,
		.first = unnamed->addresses.count,
		.flags = event->flags,
		.kernel_count = event->kernel_count,
		.user_count = event->user_count,
		.python_count = event->python_count,
		.python_end = event->python_end,
	};
	if (count)
		memcpy(unnamed->addresses.items + unnamed->addresses.count, event->frames, count * sizeof(uint64_t));
	unnamed->addresses.count += count;
	return 0;
}

static int want(const struct unnamed_stack *stack, const uint64_t *kernel, struct stacks *stacks, uint64_t tick)
{
	const uint64_t *user = kernel + stack->kernel_count;
	int err = processes_look_late(stack->process, user, stack->user_count, tick);

	return err ? err
		   : stacks_want(stacks, stack->process, kernel, stack->kernel_count, user, stack->user_count,
				 stack->flags);
}

static int tell(const struct unnamed_stack *stack, const uint64_t *kernel, struct stacks *stacks,
		const struct unnamed_stacks_taker *taker)
{
	const uint64_t *user = kernel + stack->kernel_count;
	struct python_frames python = {user + stack->user_count, stack->python_count, stack->python_end};
	enum stack_end end;
	uint32_t row;
	int err = stacks_row(stacks, stack->process, kernel, stack->kernel_count, user, stack->user_count, stack->flags,
			     &python, &row, &end);

	if (!err)
		taker->named(taker->data, stack->tag, row, end);
	return err;
}

int unnamed_stacks_name(struct unnamed_stacks *unnamed, struct stacks *stacks, uint64_t tick,
			const struct unnamed_stacks_taker *taker)
{
	struct unnamed_stacks round __attribute__((cleanup(unnamed_stacks_deinit))) = *unnamed;
	int err = 0;

	memset(unnamed, 0, sizeof(*unnamed));
	for (size_t i = 0; i < round.list.count && !err; i++)
		err = want(&round.list.items[i], round.addresses.items + round.list.items[i].first, stacks, tick);
	if (!err && round.list.count)
		err = stacks_name_wanted(stacks);
	for (size_t i = 0; i < round.list.count && !err; i++)
		err = tell(&round.list.items[i], round.addresses.items + round.list.items[i].first, stacks, taker);
	return err;
}
