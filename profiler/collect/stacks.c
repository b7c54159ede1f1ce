/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

#define KERNEL UINT32_MAX /* in place of a process row */
#define NAMED_MAX (1u << 20)
#define PENDING_MAX 65536

struct named_address {
	uint64_t address;
	uint32_t process; /* row, or KERNEL */
	uint32_t frame;	  /* row */
};

struct pending_address {
	uint64_t address;
	uint32_t process; /* row */
	uint32_t frame;	  /* row of its own */
};

struct stacks {
	struct symbolizer *symbolizer;
	struct recording_writer *writer;
	ARRAY(struct named_address) named;
	struct hash_index index;
	ARRAY(struct pending_address) pending;
	ARRAY(string_id) strings; /* the writer's number + 1 for each of the symbolizer's; 0: not known yet */
};

int stacks_new(struct symbolizer *symbolizer, struct recording_writer *writer, struct stacks **ret_stacks)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	stacks->symbolizer = symbolizer;
	stacks->writer = writer;
	*ret_stacks = stacks;
	return 0;
}

void stacks_free(struct stacks *stacks)
{
	if (!stacks)
		return;
	array_deinit(&stacks->named);
	hash_index_deinit(&stacks->index);
	array_deinit(&stacks->pending);
	array_deinit(&stacks->strings);
	free(stacks);
}

static int to_writer(struct stacks *stacks, string_id id, string_id *ret_id)
{
	const struct string_table *strings = symbolizer_strings(stacks->symbolizer);
	string_id written;
	int err;

	while (stacks->strings.count <= id)
		if (!array_add(&stacks->strings))
			return -ENOMEM;
	if (!stacks->strings.items[id]) {
		err = recording_writer_string(stacks->writer, string_table_text(strings, id),
					      string_table_length(strings, id), &written);
		if (err)
			return err;
		stacks->strings.items[id] = written + 1;
	}
	*ret_id = stacks->strings.items[id] - 1;
	return 0;
}

static int to_frame(struct stacks *stacks, const struct symbol *symbol, struct recording_frame *ret_frame)
{
	static const uint8_t kinds[] = {
		[SYMBOL_USER] = FRAME_USER, [SYMBOL_KERNEL] = FRAME_KERNEL, [SYMBOL_JIT] = FRAME_JIT};
	struct recording_frame frame = {.kind = kinds[symbol->kind], .named = symbol->named};

	if (to_writer(stacks, symbol->name, &frame.name) || to_writer(stacks, symbol->module, &frame.module))
		return -ENOMEM;
	*ret_frame = frame;
	return 0;
}

static int remember(struct stacks *stacks, uint64_t hash, uint32_t process, uint64_t address, uint32_t frame)
{
	struct named_address *added;

	if (stacks->named.count >= NAMED_MAX) {
		stacks->named.count = 0;
		hash_index_clear(&stacks->index);
	}
	if (array_reserve(&stacks->named, 1) || hash_index_insert(&stacks->index, hash, (uint32_t)stacks->named.count))
		return -ENOMEM;
	added = array_add(&stacks->named);
	*added = (struct named_address){address, process, frame};
	return 0;
}

static int add_pending(struct stacks *stacks, const struct recording_frame *row, uint32_t process, uint64_t address,
		       uint32_t *ret_frame)
{
	struct pending_address *added;

	if (stacks->pending.count >= PENDING_MAX)
		return recording_writer_frame(stacks->writer, row, ret_frame);
	added = array_add(&stacks->pending);
	if (!added || recording_writer_frame_alone(stacks->writer, row, ret_frame))
		return -ENOMEM;
	*added = (struct pending_address){address, process, *ret_frame};
	return 0;
}

static int frame_of(struct stacks *stacks, const struct process *process, uint64_t address, uint32_t *ret_frame)
{
	uint32_t owner = process ? process->row : KERNEL, number;
	uint64_t hash = hash_words(address, owner);
	struct recording_frame row;
	struct symbol symbol;
	int err;

	for (size_t at = hash_index_first(&stacks->index, hash); hash_index_next(&stacks->index, hash, &at, &number);) {
		const struct named_address *known = &stacks->named.items[number];

		if (known->address == address && known->process == owner) {
			*ret_frame = known->frame;
			return 0;
		}
	}
	err = process ? symbolizer_user(process->snapshot, &address, 1, &symbol)
		      : symbolizer_kernel(stacks->symbolizer, &address, 1, &symbol);
	if (!err)
		err = to_frame(stacks, &symbol, &row);
	if (err)
		return err;
	err = symbol.pending ? add_pending(stacks, &row, owner, address, ret_frame)
			     : recording_writer_frame(stacks->writer, &row, ret_frame);
	return err ? err : remember(stacks, hash, owner, address, *ret_frame);
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
static enum stack_end end_of(struct stacks *stacks, const uint32_t *frames, size_t count)
{
	for (size_t i = count; i > 0 && i + 2 > count; i--) {
		string_id name = recording_writer_frame_name(stacks->writer, frames[i - 1]);

		if (is_first_function(recording_writer_text(stacks->writer, name)))
			return STACK_COMPLETE;
	}
	return count >= STACK_FRAMES_MAX ? STACK_TRUNCATED : STACK_ASSUMED;
}

static int name_all(struct stacks *stacks, const struct process *process, const uint64_t *addresses, size_t count,
		    uint32_t *frames)
{
	for (size_t i = 0; i < count; i++) {
		/* A return address may be the first of the next function: the call lies before it. */
		int err = frame_of(stacks, process, addresses[i] - (i > 0), &frames[i]);

		if (err)
			return err;
	}
	return 0;
}

static int add_rows(struct stacks *stacks, const uint32_t *frames, size_t count, uint32_t *row)
{
	for (size_t i = count; i > 0; i--) {
		struct recording_stack step = {.parent = *row, .frame = frames[i - 1]};
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
static size_t without_garbage(const struct process *process, const uint64_t *user, size_t count)
{
	while (count > 1 && !symbolizer_process_maps(process->snapshot, user[count - 1]) &&
	       !symbolizer_process_maps(process->snapshot, user[count - 2]))
		count--;
	return count;
}

int stacks_row(struct stacks *stacks, const struct process *process, const uint64_t *kernel, size_t kernel_count,
	       const uint64_t *user, size_t user_count, uint32_t *ret_row, enum stack_end *ret_end)
{
	uint32_t frames[STACK_FRAMES_MAX], row = RECORDING_STACK_ROOT;
	int err = 0;

	*ret_end = STACK_NO_USER;
	if (user_count && process->snapshot) {
		size_t count = without_garbage(process, user, user_count);

		err = name_all(stacks, process, user, count, frames);
		if (!err) {
			*ret_end = count < user_count ? STACK_TRUNCATED : end_of(stacks, frames, count);
			err = add_rows(stacks, frames, count, &row);
		}
	}
	if (!err)
		err = name_all(stacks, NULL, kernel, kernel_count, frames);
	if (!err)
		err = add_rows(stacks, frames, kernel_count, &row);
	if (!err)
		*ret_row = row;
	return err;
}

static const struct process *process_of(struct processes *processes, uint32_t row)
{
	for (size_t i = 0; i < processes_count(processes); i++)
		if (processes_at(processes, i)->row == row)
			return processes_at(processes, i);
	return NULL;
}

int stacks_name_pending(struct stacks *stacks, struct processes *processes)
{
	const struct process *process = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < stacks->pending.count; i++) {
		const struct pending_address pending = stacks->pending.items[i];
		struct recording_frame row;
		struct symbol symbol;
		int err;

		if (!process || process->row != pending.process) {
			process = process_of(processes, pending.process);
			/* A map that came late is found by reading the process again. */
			if (process && symbolizer_process_refresh(process->snapshot) == -ENOMEM)
				return -ENOMEM;
		}
		if (!process)
			continue;
		err = symbolizer_user(process->snapshot, &pending.address, 1, &symbol);
		if (!err && symbol.pending) {
			stacks->pending.items[kept++] = pending;
			continue;
		}
		if (!err)
			err = to_frame(stacks, &symbol, &row);
		if (!err)
			err = recording_writer_redefine_frame(stacks->writer, pending.frame, &row);
		if (err)
			return err;
	}
	stacks->pending.count = kept;
	return 0;
}
