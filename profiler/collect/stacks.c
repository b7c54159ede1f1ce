/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/address_frames.h"
#include "profiler/collect/python_stack.h"
#include "symbolizer/base/array.h"

#define ROWS_MAX 1024 /* of a stack with everything that was inlined */

struct frame_rows {
	uint32_t rows[ROWS_MAX]; /* [count] */
	size_t count;
};

struct stacks {
	struct recording_writer *writer;
	struct python_names *python_names;
	struct address_frames frames;
};

int stacks_new(struct symbolizer *symbolizer, struct recording_writer *writer, struct python_names *names,
	       struct stacks **ret_stacks)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	stacks->frames.symbolizer = symbolizer;
	stacks->frames.writer = writer;
	stacks->writer = writer;
	stacks->python_names = names;
	*ret_stacks = stacks;
	return 0;
}

void stacks_free(struct stacks *stacks)
{
	if (!stacks)
		return;
	address_frames_deinit(&stacks->frames);
	free(stacks);
}

/* A return address may be the first of the next function: the call lies before it. */
static uint64_t call_address(const uint64_t *addresses, size_t number)
{
	return addresses[number] - (number > 0);
}

static int want_all(struct stacks *stacks, const struct process *process, const uint64_t *addresses, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = address_frames_want(&stacks->frames, process, call_address(addresses, i));
	return err;
}

int stacks_name_wanted(struct stacks *stacks)
{
	return address_frames_name_wanted(&stacks->frames);
}

/* First functions of a thread, as libcs and runtimes name them. A stack that reaches one is whole. */
static bool is_first_function(const char *name)
{
	static const char *const known[] = {
		"_start",	  "main",	    "__libc_start_main", "__libc_start_call_main",
		"start_thread",	  "clone",	    "__clone",		 "clone3",
		"__clone3",	  "thread_start",   "runtime.goexit",	 "runtime.goexit.abi0",
		"runtime.mstart", "runtime.rt0_go", "ret_from_fork",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if (!strcmp(name, known[i]))
			return true;
	return false;
}

/* Frame pointers do not say where they end: the outermost two functions do. */
static enum stack_end end_by_names(struct stacks *stacks, const uint32_t *frames, size_t count)
{
	for (size_t i = count; i > 0 && i + 2 > count; i--) {
		if (is_first_function(recording_writer_frame_name(stacks->writer, frames[i - 1])))
			return STACK_COMPLETE;
	}
	return count >= STACK_FRAMES_MAX ? STACK_TRUNCATED : STACK_ASSUMED;
}

static enum stack_end end_of(struct stacks *stacks, const uint32_t *frames, size_t count, uint16_t flags)
{
	enum stack_end end = STACK_TRUNCATED;

	switch ((enum user_end)(flags >> STACK_END_SHIFT)) {
	case USER_END_UNSAID:
		return end_by_names(stacks, frames, count);
	case USER_END_COMPLETE:
		end = STACK_COMPLETE;
		break;
	case USER_END_ASSUMED:
		end = end_by_names(stacks, frames, count);
		break;
	case USER_END_DEPTH:
		return STACK_CUT_DEPTH;
	case USER_END_UNREADABLE:
		return STACK_CUT_UNREADABLE;
	case USER_END_NO_TABLE:
		return STACK_CUT_NO_TABLE;
	case USER_END_LOST:
		return STACK_CUT_LOST;
	case USER_END_RULE:
		return STACK_CUT_RULE;
	case USER_END_UNCOPIED:
		return STACK_CUT_UNCOPIED;
	}
	if (end == STACK_COMPLETE && flags & STACK_GUESSED_BY_FP)
		return STACK_GUESSED;
	return end == STACK_COMPLETE && flags & STACK_WALKED_IN_COPY ? STACK_COPIED : end;
}

/* The frame rows of a stack, leaf first; what does not fit is left out at the root. */
static int rows_of(struct stacks *stacks, const struct process *process, const uint64_t *addresses, size_t count,
		   struct frame_rows *rows)
{
	const uint32_t *frames;
	uint8_t frame_count;

	rows->count = 0;
	for (size_t i = 0; i < count; i++) {
		int err =
			address_frames_of(&stacks->frames, process, call_address(addresses, i), &frames, &frame_count);

		if (err)
			return err;
		for (uint8_t j = 0; j < frame_count && rows->count < ROWS_MAX; j++)
			rows->rows[rows->count++] = frames[j];
	}
	return 0;
}

/* Why Python frames are missing; NULL: they are not. */
static const char *python_reason(enum python_end end)
{
	switch (end) {
	case PYTHON_END_NONE:
	case PYTHON_END_COMPLETE:
		break;
	case PYTHON_END_DEPTH:
		return "[python: more than 127 frames]";
	case PYTHON_END_UNREADABLE:
		return "[python: frames not readable]";
	case PYTHON_END_FOREIGN:
		return "[python: thread state not found]";
	case PYTHON_END_VERSION:
		return "[python: version not known]";
	}
	return NULL;
}

/* The rows of all Python frames, leaf first, and of the reason why there are no more. */
static int python_rows_of(struct stacks *stacks, const struct process *process, const struct python_frames *python,
			  uint64_t words[STACK_FRAMES_MAX + 1], struct frame_rows *rows)
{
	uint64_t number = python_process_number(process->tgid, process->exec_generation, process->start_ns);
	const char *reason = python_reason(python->end);
	int err = 0;

	rows->count = 0;
	for (size_t i = 0; i < python->count && i < STACK_FRAMES_MAX && !err; i++) {
		words[i] = python->words[i];
		err = python_names_frame(stacks->python_names, number + PYTHON_FUNCTION(words[i]),
					 &rows->rows[rows->count++]);
	}
	if (err || !reason)
		return err;
	words[rows->count] = 0;
	return python_names_missing(stacks->python_names, reason, &rows->rows[rows->count++]);
}

/* Puts Python frames where the native ones that evaluate them are. A stack without such ones has no place for them. */
static int merge_python(struct stacks *stacks, const struct process *process, const struct python_frames *python,
			bool is_whole, struct frame_rows *rows)
{
	uint64_t words[STACK_FRAMES_MAX + 1];
	bool evaluates[ROWS_MAX], any = false;
	struct frame_rows native = *rows, interpreted;
	struct python_stack stack;
	int err;

	for (size_t i = 0; i < native.count; i++) {
		evaluates[i] = python_stack_evaluates(recording_writer_frame_name(stacks->writer, native.rows[i]));
		any |= evaluates[i];
	}
	if (!python->count && !any)
		return 0;
	err = python_rows_of(stacks, process, python, words, &interpreted);
	if (err)
		return err;
	stack = (struct python_stack){
		.native = native.rows,
		.evaluates = evaluates,
		.native_count = native.count,
		.from_root = is_whole && python->end == PYTHON_END_COMPLETE,
		.words = words,
		.python = interpreted.rows,
		.python_count = interpreted.count,
	};
	rows->count = python_stack_merge(&stack, rows->rows, ROWS_MAX);
	return 0;
}

static int add_rows(struct stacks *stacks, const struct frame_rows *rows, uint32_t *row)
{
	for (size_t i = rows->count; i > 0; i--) {
		struct recording_stack step = {.parent = *row, .frame = rows->rows[i - 1]};
		int err = recording_writer_stack(stacks->writer, &step, row);

		if (err)
			return err;
	}
	return 0;
}

/*
 * A register that was no frame pointer sends the walk through memory that is no code: the outermost frames then lie in
 * no mapping. One of them is kept to show where the walk got lost.
 */
static size_t without_garbage(const struct process *process, const uint64_t *user, size_t count, uint16_t flags)
{
	/* Tables do not get lost, and know more than a snapshot that came too late. */
	if (flags >> STACK_END_SHIFT != USER_END_UNSAID && !(flags & STACK_GUESSED_BY_FP))
		return count;
	while (count > 1 && !symbolizer_process_maps(process->snapshot, user[count - 1]) &&
	       !symbolizer_process_maps(process->snapshot, user[count - 2]))
		count--;
	return count;
}

int stacks_want(struct stacks *stacks, const struct process *process, const uint64_t *kernel, size_t kernel_count,
		const uint64_t *user, size_t user_count, uint16_t flags)
{
	int err = want_all(stacks, NULL, kernel, kernel_count);

	if (!err && user_count && process->snapshot)
		err = want_all(stacks, process, user, without_garbage(process, user, user_count, flags));
	return err;
}

int stacks_row(struct stacks *stacks, const struct process *process, const uint64_t *kernel, size_t kernel_count,
	       const uint64_t *user, size_t user_count, uint16_t flags, const struct python_frames *python,
	       uint32_t *ret_row, enum stack_end *ret_end)
{
	uint32_t row = RECORDING_STACK_ROOT;
	struct frame_rows rows;
	int err = 0;

	*ret_end = STACK_NO_USER;
	if (user_count && process->snapshot) {
		size_t count = without_garbage(process, user, user_count, flags);

		err = rows_of(stacks, process, user, count, &rows);
		if (!err) {
			*ret_end = count < user_count ? STACK_TRUNCATED : end_of(stacks, rows.rows, rows.count, flags);
			if (python && python->end != PYTHON_END_NONE)
				err = merge_python(stacks, process, python, stack_end_is_complete(*ret_end), &rows);
		}
		if (!err) {
			err = add_rows(stacks, &rows, &row);
		}
	}
	if (!err)
		err = rows_of(stacks, NULL, kernel, kernel_count, &rows);
	if (!err)
		err = add_rows(stacks, &rows, &row);
	if (!err)
		*ret_row = row;
	return err;
}

void stacks_forget(struct stacks *stacks)
{
	address_frames_forget(&stacks->frames);
}

bool stacks_has_pending(const struct stacks *stacks, const struct process *process)
{
	return address_frames_has_pending(&stacks->frames, process);
}

void stacks_expect_names(struct stacks *stacks, const struct process *process)
{
	address_frames_expect(&stacks->frames, process);
}

int stacks_name_pending(struct stacks *stacks, struct processes *processes, bool last)
{
	return address_frames_name_pending(&stacks->frames, processes, last);
}

uint64_t stacks_names_given_up(const struct stacks *stacks)
{
	return address_frames_given_up(&stacks->frames);
}
