/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/python_stack.h"

#include <string.h>

struct merge {
	const struct python_stack *stack;
	size_t next; /* Python frame */
	uint32_t *rows;
	size_t count, capacity;
};

bool python_stack_evaluates(const char *name)
{
	static const char loop[] = "_PyEval_EvalFrameDefault";
	size_t length = sizeof(loop) - 1;

	return !strncmp(name, loop, length) && (!name[length] || name[length] == '.');
}

static void put(struct merge *merge, uint32_t row)
{
	if (merge->count < merge->capacity)
		merge->rows[merge->count++] = row;
}

/* All frames up to where the next run begins. */
static void put_run(struct merge *merge)
{
	const struct python_stack *stack = merge->stack;

	do
		put(merge, stack->python[merge->next++]);
	while (merge->next < stack->python_count && !(stack->words[merge->next] & PYTHON_FRAME_EVALUATED));
}

static size_t count_runs(const struct python_stack *stack)
{
	size_t runs = stack->python_count > 0;

	for (size_t i = 1; i < stack->python_count; i++)
		runs += (stack->words[i] & PYTHON_FRAME_EVALUATED) != 0;
	return runs;
}

static size_t count_evaluations(const struct python_stack *stack)
{
	size_t evaluations = 0;

	for (size_t i = 0; i < stack->native_count; i++)
		evaluations += stack->evaluates[i];
	return evaluations;
}

size_t python_stack_merge(const struct python_stack *stack, uint32_t *rows, size_t capacity)
{
	struct merge merge = {.stack = stack, .rows = rows, .capacity = capacity};
	size_t runs = count_runs(stack), evaluations = count_evaluations(stack), bare = 0;

	/* Evaluations at the leaf that have no run. */
	if (stack->from_root && evaluations > runs)
		bare = evaluations - runs;
	else if (!stack->from_root && stack->python_count && stack->words[0] & PYTHON_FRAME_EVALUATED)
		bare = 1;
	for (; stack->from_root && runs > evaluations; runs--)
		put_run(&merge);
	for (size_t i = 0; i < stack->native_count; i++) {
		if (stack->evaluates[i] && bare) {
			bare--;
			put(&merge, stack->native[i]);
		} else if (stack->evaluates[i] && merge.next < stack->python_count) {
			put_run(&merge);
		} else {
			put(&merge, stack->native[i]);
		}
	}
	while (merge.next < stack->python_count)
		put_run(&merge);
	return merge.count;
}
