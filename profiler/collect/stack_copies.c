/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/stack_copies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/copy_unwinder.h"

#define WAITING_MAX 2048u	       /* of whole copies 32 MiB; what is over keeps the kernel's walk */
#define UNWINDING_NS_MAX 1000000000ull /* of a tick: on a busy machine most of it is waiting for a CPU */

struct waiting_copy {
	struct process *process;
	struct stack_copy *copy; /* owned, and as long as it came */
	struct recording_sample row;
	string_id call;	  /* 0: none */
	uint64_t *frames; /* [user_count], owned: of the user stack; NULL: copy->event's */
	uint32_t user_count;
	uint16_t flags;
};
typedef ARRAY(struct waiting_copy) waiting_array;

struct stack_copies {
	struct stack_copies_parts parts;
	waiting_array waiting;
	struct unwound unwound;
	struct stack_copies_counts counts;
};

int stack_copies_new(const struct stack_copies_parts *parts, struct stack_copies **ret_copies)
{
	struct stack_copies *copies = calloc(1, sizeof(*copies));

	if (!copies)
		return -ENOMEM;
	copies->parts = *parts;
	*ret_copies = copies;
	return 0;
}

static void free_waiting(waiting_array *waiting)
{
	for (size_t i = 0; i < waiting->count; i++) {
		free(waiting->items[i].copy);
		free(waiting->items[i].frames);
	}
	array_deinit(waiting);
}

void stack_copies_free(struct stack_copies *copies)
{
	if (!copies)
		return;
	free_waiting(&copies->waiting);
	free(copies);
}

struct stack_copies_counts stack_copies_counts(const struct stack_copies *copies)
{
	return copies->counts;
}

static bool makes_sense(const struct stack_copy *copy, size_t size)
{
	size_t head = offsetof(struct stack_copy, stack);

	return size >= head && copy->bytes <= sizeof(copy->stack) && size >= head + copy->bytes &&
	       (size_t)copy->event.kernel_count + copy->event.user_count + copy->event.python_count <=
		       ARRAY_LENGTH(copy->event.frames) &&
	       copy->walked <= copy->event.user_count;
}

int stack_copies_add(struct stack_copies *copies, const struct stack_copy *copy, size_t size, struct process *process,
		     const struct recording_sample *row, string_id call)
{
	bool late = copies->waiting.count >= WAITING_MAX;
	struct waiting_copy *added;
	size_t kept;

	if (!makes_sense(copy, size))
		return -EPROTO;
	kept = offsetof(struct stack_copy, stack) + (late ? 0 : copy->bytes);
	if (array_reserve(&copies->waiting, 1))
		return -ENOMEM;
	added = array_add(&copies->waiting);
	*added = (struct waiting_copy){
		.process = process,
		.copy = malloc(kept),
		.row = *row,
		.call = call,
		.user_count = copy->event.user_count,
		.flags = copy->event.flags,
	};
	if (!added->copy) {
		copies->waiting.count--;
		return -ENOMEM;
	}
	memcpy(added->copy, copy, kept);
	added->copy->bytes = late ? 0 : copy->bytes;
	copies->counts.taken++;
	return 0;
}

static uint16_t flags_of(const struct unwound *unwound)
{
	static const uint8_t ends[UNWOUND_ENDS] = {
		[UNWOUND_COMPLETE] = USER_END_COMPLETE,
		[UNWOUND_ASSUMED] = USER_END_ASSUMED,
		[UNWOUND_OUT] = USER_END_DEPTH,
		[UNWOUND_LOST] = USER_END_LOST,
		[UNWOUND_UNREADABLE] = USER_END_UNREADABLE,
	};
	uint16_t flags = (uint16_t)(ends[unwound->end] << STACK_END_SHIFT | STACK_WALKED_IN_COPY);

	if (unwound->flags & UNWOUND_GUESSED)
		flags |= STACK_GUESSED_BY_FP;
	if (unwound->flags & UNWOUND_UNMAPPED)
		flags |= STACK_UNMAPPED;
	return flags;
}

static bool is_whole(uint16_t flags)
{
	return flags >> STACK_END_SHIFT == USER_END_COMPLETE;
}

static uint64_t *walked_frames(const struct waiting_copy *waiting)
{
	return waiting->copy->event.frames + waiting->copy->event.kernel_count;
}

/* In place of what the kernel's walk found; unless that went further, and neither arrived. */
static int take_unwound(struct stack_copies *copies, struct waiting_copy *waiting)
{
	const struct unwound *unwound = &copies->unwound;
	uint32_t walked = waiting->copy->walked, count = walked + (uint32_t)unwound->count;
	uint16_t flags = flags_of(unwound);

	copies->counts.unwound++;
	if (copies->parts.choice == COPY_BESIDE)
		return stack_compare(waiting->copy, unwound, copies->parts.symbolizer, waiting->process->snapshot,
				     &copies->counts.compare);
	if (!is_whole(flags) && count <= waiting->user_count)
		return 0;
	if (count > UNWOUND_FRAMES_MAX) {
		count = UNWOUND_FRAMES_MAX;
		flags = (uint16_t)(USER_END_DEPTH << STACK_END_SHIFT);
	}
	waiting->frames = malloc(count * sizeof(*waiting->frames));
	if (!waiting->frames)
		return -ENOMEM;
	memcpy(waiting->frames, walked_frames(waiting), walked * sizeof(*waiting->frames));
	memcpy(waiting->frames + walked, unwound->frames, (count - walked) * sizeof(*waiting->frames));
	waiting->user_count = count;
	waiting->flags = (uint16_t)(flags | (walked ? waiting->flags & STACK_GUESSED_BY_FP : 0));
	return 0;
}

static int unwind(struct stack_copies *copies, struct waiting_copy *waiting)
{
	const struct stack_copy *copy = waiting->copy;
	struct copy_to_unwind what = {
		.known = copy->known,
		.after_call = copy->after_call & 1,
		.inner = copy->walked > 0,
		.words = copy->stack,
		.word_count = copy->bytes / sizeof(uint64_t),
	};
	int err;

	_Static_assert(sizeof(what.registers) == sizeof(copy->registers), "registers by DWARF number");
	memcpy(what.registers, copy->registers, sizeof(what.registers));
	if (!waiting->process->snapshot) {
		copies->counts.failed++;
		return 0;
	}
	err = copy_unwinder_run(waiting->process->snapshot, &what, &copies->unwound);
	if (!err)
		return take_unwound(copies, waiting);
	if (err == -EDQUOT)
		copies->counts.late++;
	else
		copies->counts.failed++;
	return err == -ENOMEM ? err : 0;
}

static int unwind_all(struct stack_copies *copies, waiting_array *waiting)
{
	uint64_t until = clock_now_ns() + UNWINDING_NS_MAX;
	int err = 0;

	for (size_t i = 0; i < waiting->count && !err; i++) {
		if (!waiting->items[i].copy->bytes || (copies->parts.choice == COPY_CUT && clock_now_ns() > until))
			copies->counts.late++;
		else
			err = unwind(copies, &waiting->items[i]);
	}
	return err;
}

static const uint64_t *user_frames(const struct waiting_copy *waiting)
{
	return waiting->frames ? waiting->frames : walked_frames(waiting);
}

static int write_one(struct stack_copies *copies, const struct waiting_copy *waiting, uint64_t time_ns)
{
	const struct stack_event *event = &waiting->copy->event;
	struct recording_sample row = waiting->row;
	const struct python_frames python = {event->frames + event->kernel_count + event->user_count,
					     event->python_count, event->python_end};
	enum stack_end end;
	int err = stacks_row(copies->parts.stacks, waiting->process, event->frames, event->kernel_count,
			     user_frames(waiting), waiting->user_count, waiting->flags, &python, &row.stack, &end);

	row.time_ns = time_ns;
	row.stack_end = (uint8_t)end;
	if (!err)
		err = recording_writer_sample(copies->parts.writer, &row);
	return err || !waiting->call ? err : recording_writer_sample_call(copies->parts.writer, waiting->call);
}

/* While this goes on more come in: those wait in a fresh array for the next time. */
int stack_copies_write(struct stack_copies *copies, uint64_t time_ns)
{
	waiting_array waiting = copies->waiting;
	int err;

	memset(&copies->waiting, 0, sizeof(copies->waiting));
	err = unwind_all(copies, &waiting);
	for (size_t i = 0; i < waiting.count && !err; i++)
		err = stacks_want(copies->parts.stacks, waiting.items[i].process, waiting.items[i].copy->event.frames,
				  waiting.items[i].copy->event.kernel_count, user_frames(&waiting.items[i]),
				  waiting.items[i].user_count, waiting.items[i].flags);
	if (!err)
		err = stacks_name_wanted(copies->parts.stacks);
	for (size_t i = 0; i < waiting.count && !err; i++)
		err = write_one(copies, &waiting.items[i], time_ns);
	free_waiting(&waiting);
	return err;
}
