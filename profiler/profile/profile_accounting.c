/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile_accounting.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"

/* Frames of a stack from its leaf to the root. */
struct stack_frames {
	uint32_t user, user_named, kernel, kernel_named, python, python_named;
};

static void add_step(const struct recording_frame *frame, struct stack_frames *frames)
{
	if (frame->kind == FRAME_KERNEL) {
		frames->kernel++;
		frames->kernel_named += frame->named;
	} else if (frame->kind != FRAME_DELIMITER) {
		frames->user++;
		frames->user_named += frame->named;
		frames->python += frame->kind == FRAME_PYTHON;
		frames->python_named += frame->kind == FRAME_PYTHON && frame->named;
	}
}

/* A parent's row comes before its children's: one pass from the first row on. */
static struct stack_frames *count_all(const struct recording_tables *rows)
{
	struct stack_frames *frames = calloc(rows->stacks.count + 1, sizeof(*frames));

	for (size_t i = 0; frames && i < rows->stacks.count; i++) {
		const struct recording_stack *stack = &rows->stacks.items[i];

		if (stack->parent != RECORDING_STACK_ROOT)
			frames[i] = frames[stack->parent];
		add_step(&rows->frames.items[stack->frame], &frames[i]);
	}
	return frames;
}

/*
 * The file keeps every state of the accounting; the model keeps the last one of each container, at the container's own
 * number, and of the whole, behind them. What samples tell is counted anew.
 */
static int order_rows(struct recording_tables *rows)
{
	size_t containers = rows->containers.count;
	struct recording_accounting *ordered = calloc(containers + 1, sizeof(*ordered));

	if (!ordered)
		return -ENOMEM;
	for (size_t i = 0; i <= containers; i++)
		ordered[i].container = i < containers ? (uint32_t)i : RECORDING_TOTAL;
	for (size_t i = 0; i < rows->accounting.count; i++) {
		const struct recording_accounting *row = &rows->accounting.items[i];

		ordered[row->container == RECORDING_TOTAL ? containers : row->container] =
			(struct recording_accounting){
				.container = row->container,
				.idle = row->idle,
				.taken = row->taken,
				.kept = row->kept,
				.filtered = row->filtered,
				.lost_ring = row->lost_ring,
				.lost_read = row->lost_read,
			};
	}
	array_deinit(&rows->accounting);
	rows->accounting.items = ordered;
	rows->accounting.count = rows->accounting.capacity = containers + 1;
	return 0;
}

static void add_sample(struct recording_accounting *account, const struct recording_sample *sample,
		       const struct stack_frames *frames)
{
	uint64_t count = sample->count;

	account->user_samples += sample->stack_end != STACK_NO_USER ? count : 0;
	account->user_complete += stack_end_is_complete(sample->stack_end) ? count : 0;
	account->user_assumed += sample->stack_end == STACK_ASSUMED ? count : 0;
	account->user_truncated += stack_end_is_truncated(sample->stack_end) ? count : 0;
	if (sample->stack_end < STACK_ENDS)
		account->user_ends[sample->stack_end] += count;
	account->user_frames += frames->user * count;
	account->user_named += frames->user_named * count;
	account->python_samples += frames->python ? count : 0;
	account->python_whole += frames->python && frames->python == frames->python_named ? count : 0;
	account->kernel_frames += frames->kernel * count;
	account->kernel_named += frames->kernel_named * count;
}

int profile_account(struct recording_tables *rows)
{
	static const struct stack_frames none;
	_cleanup_free_ struct stack_frames *frames = count_all(rows);

	if (!frames || order_rows(rows))
		return -ENOMEM;
	for (size_t i = 0; i < rows->samples.count; i++) {
		const struct recording_sample *sample = &rows->samples.items[i];
		const struct stack_frames *of = sample->stack == RECORDING_STACK_ROOT ? &none : &frames[sample->stack];

		if (sample->kind != SAMPLE_ONCPU)
			continue;
		add_sample(&rows->accounting.items[sample->container], sample, of);
		add_sample(&rows->accounting.items[rows->containers.count], sample, of);
	}
	return 0;
}
