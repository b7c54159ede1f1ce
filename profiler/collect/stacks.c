/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/named_addresses.h"
#include "profiler/collect/python_stack.h"
#include "symbolizer/base/array.h"

#define KERNEL UINT32_MAX /* in place of a process row */
#define PENDING_MAX 65536
#define ROWS_MAX 1024 /* of a stack with everything that was inlined */

struct frame_rows {
	uint32_t rows[ROWS_MAX]; /* [count] */
	size_t count;
};

struct wanted_address {
	uint64_t address;
	const struct process *process; /* NULL: the kernel's */
};

struct pending_address {
	uint64_t address;
	uint32_t process; /* row */
	uint32_t frame;	  /* row of its own */
};

struct stacks {
	struct symbolizer *symbolizer;
	struct recording_writer *writer;
	struct python_names *python_names;
	struct named_addresses named;
	ARRAY(struct wanted_address) wanted;
	ARRAY(uint64_t) asked; /* the addresses of one question */
	struct symbols symbols;
	ARRAY(struct pending_address) pending;
	ARRAY(string_id) strings; /* the writer's number + 1 for each of the symbolizer's; 0: not known yet */
	uint64_t names_forgotten, strings_forgotten; /* the writer's and the symbolizer's, as of all these */
};

int stacks_new(struct symbolizer *symbolizer, struct recording_writer *writer, struct python_names *names,
	       struct stacks **ret_stacks)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	stacks->symbolizer = symbolizer;
	stacks->writer = writer;
	stacks->python_names = names;
	*ret_stacks = stacks;
	return 0;
}

void stacks_free(struct stacks *stacks)
{
	if (!stacks)
		return;
	named_addresses_deinit(&stacks->named);
	array_deinit(&stacks->wanted);
	array_deinit(&stacks->asked);
	symbols_deinit(&stacks->symbols);
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
		[SYMBOL_USER] = FRAME_USER,
		[SYMBOL_KERNEL] = FRAME_KERNEL,
		[SYMBOL_JIT] = FRAME_JIT,
		[SYMBOL_INLINED] = FRAME_INLINED,
	};
	struct recording_frame frame = {.kind = kinds[symbol->kind], .named = symbol->named, .line = symbol->line};

	if (to_writer(stacks, symbol->name, &frame.name) || to_writer(stacks, symbol->module, &frame.module) ||
	    to_writer(stacks, symbol->file, &frame.file))
		return -ENOMEM;
	*ret_frame = frame;
	return 0;
}

static uint32_t owner_of(const struct process *process)
{
	return process ? process->row : KERNEL;
}

static bool is_named(struct stacks *stacks, const struct process *process, uint64_t address)
{
	const uint32_t *frames;
	uint8_t count;

	return named_addresses_find(&stacks->named, owner_of(process), address, &frames, &count);
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

/* Takes the answer for one address: [count] symbols, innermost first. */
static int remember(struct stacks *stacks, uint32_t owner, uint64_t address, const struct symbol *symbols, size_t count)
{
	uint32_t frames[UINT8_MAX];

	/* What does not fit is left out on the outside. */
	count = count < UINT8_MAX ? count : UINT8_MAX;
	for (size_t i = 0; i < count; i++) {
		struct recording_frame row;
		int err = to_frame(stacks, &symbols[i], &row);

		if (!err)
			err = symbols[i].pending ? add_pending(stacks, &row, owner, address, &frames[i])
						 : recording_writer_frame(stacks->writer, &row, &frames[i]);
		if (err)
			return err;
	}
	return named_addresses_add(&stacks->named, owner, address, frames, (uint8_t)count);
}

/* Names those of stacks.asked, which all are of one process (NULL: the kernel's). */
static int name_asked(struct stacks *stacks, const struct process *process)
{
	const uint64_t *addresses = stacks->asked.items;
	size_t count = stacks->asked.count;
	int err = process ? symbolizer_user(process->snapshot, addresses, count, &stacks->symbols)
			  : symbolizer_kernel(stacks->symbolizer, addresses, count, &stacks->symbols);

	for (size_t i = 0; i < count && !err; i++) {
		struct symbol_span span = stacks->symbols.spans.items[i];

		if (!is_named(stacks, process, addresses[i]))
			err = remember(stacks, owner_of(process), addresses[i], stacks->symbols.list.items + span.first,
				       span.count);
	}
	stacks->asked.count = 0;
	return err;
}

static int ask(struct stacks *stacks, uint64_t address)
{
	uint64_t *asked = array_add(&stacks->asked);

	if (!asked)
		return -ENOMEM;
	*asked = address;
	return 0;
}

/* A return address may be the first of the next function: the call lies before it. */
static uint64_t call_address(const uint64_t *addresses, size_t number)
{
	return addresses[number] - (number > 0);
}

static int want_all(struct stacks *stacks, const struct process *process, const uint64_t *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t address = call_address(addresses, i);
		struct wanted_address *added;

		if (is_named(stacks, process, address))
			continue;
		added = array_add(&stacks->wanted);
		if (!added)
			return -ENOMEM;
		*added = (struct wanted_address){address, process};
	}
	return 0;
}

static int by_process_and_address(const void *left, const void *right)
{
	const struct wanted_address *a = left, *b = right;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

int stacks_name_wanted(struct stacks *stacks)
{
	size_t count = stacks->wanted.count;
	int err = 0;

	named_addresses_age(&stacks->named);
	if (count)
		qsort(stacks->wanted.items, count, sizeof(*stacks->wanted.items), by_process_and_address);
	for (size_t i = 0; i < count && !err; i++) {
		const struct wanted_address wanted = stacks->wanted.items[i];
		bool last = i + 1 == count || stacks->wanted.items[i + 1].process != wanted.process;

		if (last || stacks->wanted.items[i + 1].address != wanted.address)
			err = ask(stacks, wanted.address);
		if (!err && last)
			err = name_asked(stacks, wanted.process);
	}
	stacks->wanted.count = 0;
	return err;
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
	rows->count = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t address = call_address(addresses, i);
		const uint32_t *frames;
		uint8_t frame_count;
		int err;

		while (!named_addresses_find(&stacks->named, owner_of(process), address, &frames, &frame_count)) {
			err = ask(stacks, address);
			if (!err)
				err = name_asked(stacks, process);
			if (err)
				return err;
		}
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

void stacks_forget(struct stacks *stacks)
{
	uint64_t names = recording_writer_names_forgotten(stacks->writer);
	uint64_t strings = symbolizer_strings_forgotten(stacks->symbolizer);

	if (names != stacks->names_forgotten || strings != stacks->strings_forgotten)
		stacks->strings.count = 0;
	if (names != stacks->names_forgotten)
		named_addresses_clear(&stacks->named);
	stacks->names_forgotten = names;
	stacks->strings_forgotten = strings;
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

bool stacks_has_pending(const struct stacks *stacks, const struct process *process)
{
	for (size_t i = 0; i < stacks->pending.count; i++)
		if (stacks->pending.items[i].process == process->row)
			return true;
	return false;
}

static const struct process *process_of(struct processes *processes, uint32_t row)
{
	for (size_t i = 0; i < processes_count(processes); i++)
		if (processes_at(processes, i)->row == row)
			return processes_at(processes, i);
	return NULL;
}

static int by_process_row(const void *left, const void *right)
{
	const struct pending_address *a = left, *b = right;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return (a->frame > b->frame) - (a->frame < b->frame);
}

/* Those of one process, from @first on; what is still pending moves to @kept. */
static int name_pending_of(struct stacks *stacks, const struct process *process, size_t first, size_t end, size_t *kept)
{
	int err = 0;

	for (size_t i = first; i < end && !err; i++)
		err = ask(stacks, stacks->pending.items[i].address);
	if (!err)
		err = symbolizer_user(process->snapshot, stacks->asked.items, stacks->asked.count, &stacks->symbols);
	stacks->asked.count = 0;
	for (size_t i = first; i < end && !err; i++) {
		const struct pending_address pending = stacks->pending.items[i];
		const struct symbol *symbol = &stacks->symbols.list.items[stacks->symbols.spans.items[i - first].first];
		struct recording_frame row;

		if (symbol->pending) {
			stacks->pending.items[(*kept)++] = pending;
			continue;
		}
		err = to_frame(stacks, symbol, &row);
		if (!err)
			err = recording_writer_redefine_frame(stacks->writer, pending.frame, &row);
	}
	return err;
}

int stacks_name_pending(struct stacks *stacks, struct processes *processes)
{
	size_t count = stacks->pending.count, kept = 0;
	int err = 0;

	if (count)
		qsort(stacks->pending.items, count, sizeof(*stacks->pending.items), by_process_row);
	for (size_t i = 0, end; i < count && !err; i = end) {
		const struct process *process = process_of(processes, stacks->pending.items[i].process);

		for (end = i + 1; end < count; end++)
			if (stacks->pending.items[end].process != stacks->pending.items[i].process)
				break;
		if (!process)
			continue;
		/* A map that came late is found by reading the process again. */
		if (symbolizer_process_refresh(process->snapshot) == -ENOMEM)
			return -ENOMEM;
		err = name_pending_of(stacks, process, i, end, &kept);
	}
	stacks->pending.count = kept;
	return err;
}
