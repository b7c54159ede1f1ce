/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/address_frames.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/clock.h"

#define KERNEL UINT32_MAX /* in place of a process's generation */
/*
 * For those that are pending: a quarter of a second, and then a twentieth of the time; the rest of them come first the next
 * time. Whatever one of them takes, the next one is asked five seconds later: whoever has ended is still known then.
 */
#define ASK_LIMIT ((struct time_share_limit){.debt_ns = 250000000, .part = 20})
#define ASK_DEBT_MAX_NS 500000000ull
#define ASK_LAST_NS 5000000000ull

void address_frames_deinit(struct address_frames *frames)
{
	named_addresses_deinit(&frames->named);
	array_deinit(&frames->wanted);
	array_deinit(&frames->asked);
	symbols_deinit(&frames->symbols);
	array_deinit(&frames->still);
	pending_addresses_deinit(&frames->pending);
	array_deinit(&frames->without_room);
	array_deinit(&frames->strings);
}

static int to_writer(struct address_frames *frames, string_id id, string_id *ret_id)
{
	const struct string_table *strings = symbolizer_strings(frames->symbolizer);
	string_id written;
	int err;

	while (frames->strings.count <= id)
		if (!array_add(&frames->strings))
			return -ENOMEM;
	if (!frames->strings.items[id]) {
		err = recording_writer_string(frames->writer, string_table_text(strings, id),
					      string_table_length(strings, id), &written);
		if (err)
			return err;
		frames->strings.items[id] = written + 1;
	}
	*ret_id = frames->strings.items[id] - 1;
	return 0;
}

static int to_frame(struct address_frames *frames, const struct symbol *symbol, struct recording_frame *ret_frame)
{
	static const uint8_t kinds[] = {
		[SYMBOL_USER] = FRAME_USER,
		[SYMBOL_KERNEL] = FRAME_KERNEL,
		[SYMBOL_JIT] = FRAME_JIT,
		[SYMBOL_INLINED] = FRAME_INLINED,
	};
	struct recording_frame frame = {.kind = kinds[symbol->kind], .named = symbol->named, .line = symbol->line};

	if (to_writer(frames, symbol->name, &frame.name) || to_writer(frames, symbol->module, &frame.module) ||
	    to_writer(frames, symbol->file, &frame.file))
		return -ENOMEM;
	*ret_frame = frame;
	return 0;
}

static uint32_t owner_of(const struct process *process)
{
	return process ? symbolizer_process_generation(process->snapshot) : KERNEL;
}

static bool is_named(struct address_frames *frames, uint32_t owner, uint64_t address)
{
	const uint32_t *rows;
	uint8_t count;

	return named_addresses_find(&frames->named, owner, address, &rows, &count);
}

/* More than those are not noted: they wait again once named_addresses has forgotten them. */
static int note_without_room(struct address_frames *frames, struct pending_address without)
{
	if (frames->without_room.count == PENDING_ADDRESSES_MAX)
		return 0;
	if (array_reserve(&frames->without_room, 1))
		return -ENOMEM;
	*array_add(&frames->without_room) = without;
	return 0;
}

/* Those that are sampled again once there is room wait again: not before, as each wait takes a row. */
static void let_wait_again(struct address_frames *frames)
{
	if (frames->pending.count == PENDING_ADDRESSES_MAX)
		return;
	for (size_t i = 0; i < frames->without_room.count; i++)
		named_addresses_forget(&frames->named, frames->without_room.items[i].owner,
				       frames->without_room.items[i].address);
	frames->without_room.count = 0;
}

static int add_pending(struct address_frames *frames, const struct recording_frame *row, const struct process *process,
		       uint32_t owner, uint64_t address, uint32_t *ret_frame)
{
	uint64_t tenant = symbolizer_process_identity(process->snapshot)->tenant;
	struct pending_address without = {.address = address, .owner = owner};
	enum pending_room room = pending_addresses_make_room(&frames->pending, process->row, tenant, &without);

	if (room != PENDING_ROOM && note_without_room(frames, without))
		return -ENOMEM;
	/* It has no name to come: the row that all have for this reason. */
	if (room == PENDING_NO_ROOM)
		return recording_writer_frame(frames->writer, row, ret_frame);
	if (recording_writer_frame_alone(frames->writer, row, ret_frame))
		return -ENOMEM;
	return pending_addresses_add(&frames->pending, process->row, tenant,
				     (struct pending_address){address, *ret_frame, owner}, clock_now_ns());
}

/* Takes the answer for one address: [count] symbols, innermost first. */
static int remember(struct address_frames *frames, const struct process *process, uint32_t owner, uint64_t address,
		    const struct symbol *symbols, size_t count)
{
	uint32_t rows[UINT8_MAX];

	/* What does not fit is left out on the outside. */
	count = count < UINT8_MAX ? count : UINT8_MAX;
	for (size_t i = 0; i < count; i++) {
		struct recording_frame row;
		int err = to_frame(frames, &symbols[i], &row);

		if (!err)
			err = symbols[i].pending ? add_pending(frames, &row, process, owner, address, &rows[i])
						 : recording_writer_frame(frames->writer, &row, &rows[i]);
		if (err)
			return err;
	}
	return named_addresses_add(&frames->named, owner, address, rows, (uint8_t)count);
}

/* Names those of @asked, which all are of one process (NULL: the kernel's). */
static int name_asked(struct address_frames *frames, const struct process *process)
{
	const uint64_t *addresses = frames->asked.items;
	size_t count = frames->asked.count;
	/* That of the question: the process may be read again while it is answered. */
	uint32_t owner = owner_of(process);
	int err = process ? symbolizer_user(process->snapshot, addresses, count, &frames->symbols)
			  : symbolizer_kernel(frames->symbolizer, addresses, count, &frames->symbols);

	for (size_t i = 0; i < count && !err; i++) {
		struct symbol_span span = frames->symbols.spans.items[i];

		if (!is_named(frames, owner, addresses[i]))
			err = remember(frames, process, owner, addresses[i], frames->symbols.list.items + span.first,
				       span.count);
	}
	frames->asked.count = 0;
	return err;
}

static int ask(struct address_frames *frames, uint64_t address)
{
	uint64_t *asked = array_add(&frames->asked);

	if (!asked)
		return -ENOMEM;
	*asked = address;
	return 0;
}

int address_frames_want(struct address_frames *frames, const struct process *process, uint64_t address)
{
	struct wanted_address *added;

	if (is_named(frames, owner_of(process), address))
		return 0;
	added = array_add(&frames->wanted);
	if (!added)
		return -ENOMEM;
	*added = (struct wanted_address){address, process};
	return 0;
}

static int by_process_and_address(const void *left, const void *right)
{
	const struct wanted_address *a = left, *b = right;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

int address_frames_name_wanted(struct address_frames *frames)
{
	size_t count = frames->wanted.count;
	int err = 0;

	named_addresses_age(&frames->named);
	if (count)
		qsort(frames->wanted.items, count, sizeof(*frames->wanted.items), by_process_and_address);
	for (size_t i = 0; i < count && !err; i++) {
		const struct wanted_address wanted = frames->wanted.items[i];
		bool last = i + 1 == count || frames->wanted.items[i + 1].process != wanted.process;

		if (last || frames->wanted.items[i + 1].address != wanted.address)
			err = ask(frames, wanted.address);
		if (!err && last)
			err = name_asked(frames, wanted.process);
	}
	frames->wanted.count = 0;
	return err;
}

int address_frames_of(struct address_frames *frames, const struct process *process, uint64_t address,
		      const uint32_t **ret_rows, uint8_t *ret_count)
{
	int err = 0;

	while (!err && !named_addresses_find(&frames->named, owner_of(process), address, ret_rows, ret_count)) {
		err = ask(frames, address);
		if (!err)
			err = name_asked(frames, process);
	}
	return err;
}

void address_frames_forget(struct address_frames *frames)
{
	uint64_t names = recording_writer_names_forgotten(frames->writer);
	uint64_t strings = symbolizer_strings_forgotten(frames->symbolizer);

	if (names != frames->names_forgotten || strings != frames->strings_forgotten)
		frames->strings.count = 0;
	if (names != frames->names_forgotten)
		named_addresses_clear(&frames->named);
	frames->names_forgotten = names;
	frames->strings_forgotten = strings;
}

bool address_frames_has_pending(const struct address_frames *frames, const struct process *process)
{
	return pending_addresses_has(&frames->pending, process->row);
}

void address_frames_expect(struct address_frames *frames, const struct process *process)
{
	pending_addresses_expect(&frames->pending, process->row);
}

uint64_t address_frames_given_up(const struct address_frames *frames)
{
	return frames->pending.given_up;
}

/* Those of a process that are asked for, from the first on: which of them have no name still? */
static int take_names(struct address_frames *frames, const struct pending_process *pending)
{
	const struct pending_address *first = pending_process_first(pending);

	for (size_t i = 0; i < frames->asked.count; i++) {
		const struct symbol_span span = frames->symbols.spans.items[i];
		/* One row has one name: that of the function which was not inlined. */
		const struct symbol *symbol = &frames->symbols.list.items[span.first + span.count - 1];
		bool *still = array_add(&frames->still);
		struct recording_frame row;

		if (!still)
			return -ENOMEM;
		*still = symbol->pending;
		if (*still)
			continue;
		if (to_frame(frames, symbol, &row) ||
		    recording_writer_redefine_frame(frames->writer, first[i].frame, &row))
			return -ENOMEM;
	}
	return 0;
}

static int name_pending_of(struct address_frames *frames, const struct process *process,
			   struct pending_process *pending)
{
	const struct pending_address *first = pending_process_first(pending);
	size_t count = pending_process_count(pending);
	int err = 0;

	/* A map that came late is found by reading the process again. */
	if (symbolizer_process_refresh(process->snapshot) == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = ask(frames, first[i].address);
	if (!err)
		err = symbolizer_user(process->snapshot, frames->asked.items, count, &frames->symbols);
	frames->still.count = 0;
	if (!err)
		err = take_names(frames, pending);
	frames->asked.count = 0;
	if (!err)
		pending_process_asked(&frames->pending, pending, frames->still.items, clock_now_ns());
	return err;
}

/* Whoever has ended will soon be forgotten, and is asked before. */
static void look_for_ended(struct address_frames *frames, struct processes *processes)
{
	for (size_t i = 0; i < frames->pending.processes.count; i++) {
		struct pending_process *pending = &frames->pending.processes.items[i];
		const struct process *process = processes_find_row(processes, pending->process);

		if (!process) {
			/* Unless it was asked since it has ended. */
			pending_process_forget(&frames->pending, pending, !pending->ended || !pending->after_ns);
		} else if (!pending->ended && processes_has_ended(process)) {
			pending->ended = true;
			pending->after_ns = 0;
		}
	}
}

/* Since @before_ns a process was asked. */
static bool is_in_time(struct address_frames *frames, bool last, uint64_t *before_ns, uint64_t until_ns)
{
	uint64_t now_ns = clock_now_ns();

	time_share_spend(&frames->asking, now_ns - *before_ns);
	if (frames->asking.debt_ns > ASK_DEBT_MAX_NS)
		frames->asking.debt_ns = ASK_DEBT_MAX_NS;
	*before_ns = now_ns;
	return last ? now_ns < until_ns : time_share_left(&frames->asking, ASK_LIMIT, now_ns);
}

int address_frames_name_pending(struct address_frames *frames, struct processes *processes, bool last)
{
	uint64_t now_ns = clock_now_ns(), until_ns = now_ns + ASK_LAST_NS, before_ns = now_ns;
	bool in_time = last || time_share_left(&frames->asking, ASK_LIMIT, now_ns);
	int err = 0;

	look_for_ended(frames, processes);
	pending_addresses_sort(&frames->pending);
	for (size_t i = 0; i < frames->pending.processes.count && !err; i++) {
		struct pending_process *pending = &frames->pending.processes.items[i];

		if (!pending_process_count(pending))
			continue;
		if (in_time && (last || pending->after_ns <= now_ns))
			err = name_pending_of(frames, processes_find_row(processes, pending->process), pending);
		else if (last)
			pending_process_forget(&frames->pending, pending, true);
		in_time = is_in_time(frames, last, &before_ns, until_ns);
	}
	pending_addresses_end(&frames->pending);
	let_wait_again(frames);
	return err;
}
