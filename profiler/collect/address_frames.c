/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/address_frames.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/array.h"

#define KERNEL UINT32_MAX /* in place of a process row */
#define PENDING_MAX 65536

void address_frames_deinit(struct address_frames *frames)
{
	named_addresses_deinit(&frames->named);
	array_deinit(&frames->wanted);
	array_deinit(&frames->asked);
	symbols_deinit(&frames->symbols);
	array_deinit(&frames->pending);
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
	return process ? process->row : KERNEL;
}

static bool is_named(struct address_frames *frames, const struct process *process, uint64_t address)
{
	const uint32_t *rows;
	uint8_t count;

	return named_addresses_find(&frames->named, owner_of(process), address, &rows, &count);
}

static int add_pending(struct address_frames *frames, const struct recording_frame *row, uint32_t process,
		       uint64_t address, uint32_t *ret_frame)
{
	struct pending_address *added;

	if (frames->pending.count >= PENDING_MAX)
		return recording_writer_frame(frames->writer, row, ret_frame);
	added = array_add(&frames->pending);
	if (!added || recording_writer_frame_alone(frames->writer, row, ret_frame))
		return -ENOMEM;
	*added = (struct pending_address){address, process, *ret_frame};
	return 0;
}

/* Takes the answer for one address: [count] symbols, innermost first. */
static int remember(struct address_frames *frames, uint32_t owner, uint64_t address, const struct symbol *symbols,
		    size_t count)
{
	uint32_t rows[UINT8_MAX];

	/* What does not fit is left out on the outside. */
	count = count < UINT8_MAX ? count : UINT8_MAX;
	for (size_t i = 0; i < count; i++) {
		struct recording_frame row;
		int err = to_frame(frames, &symbols[i], &row);

		if (!err)
			err = symbols[i].pending ? add_pending(frames, &row, owner, address, &rows[i])
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
	int err = process ? symbolizer_user(process->snapshot, addresses, count, &frames->symbols)
			  : symbolizer_kernel(frames->symbolizer, addresses, count, &frames->symbols);

	for (size_t i = 0; i < count && !err; i++) {
		struct symbol_span span = frames->symbols.spans.items[i];

		if (!is_named(frames, process, addresses[i]))
			err = remember(frames, owner_of(process), addresses[i], frames->symbols.list.items + span.first,
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

	if (is_named(frames, process, address))
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
	for (size_t i = 0; i < frames->pending.count; i++)
		if (frames->pending.items[i].process == process->row)
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
static int name_pending_of(struct address_frames *frames, const struct process *process, size_t first, size_t end,
			   size_t *kept)
{
	int err = 0;

	for (size_t i = first; i < end && !err; i++)
		err = ask(frames, frames->pending.items[i].address);
	if (!err)
		err = symbolizer_user(process->snapshot, frames->asked.items, frames->asked.count, &frames->symbols);
	frames->asked.count = 0;
	for (size_t i = first; i < end && !err; i++) {
		const struct pending_address pending = frames->pending.items[i];
		const struct symbol *symbol = &frames->symbols.list.items[frames->symbols.spans.items[i - first].first];
		struct recording_frame row;

		if (symbol->pending) {
			frames->pending.items[(*kept)++] = pending;
			continue;
		}
		err = to_frame(frames, symbol, &row);
		if (!err)
			err = recording_writer_redefine_frame(frames->writer, pending.frame, &row);
	}
	return err;
}

int address_frames_name_pending(struct address_frames *frames, struct processes *processes)
{
	size_t count = frames->pending.count, kept = 0;
	int err = 0;

	if (count)
		qsort(frames->pending.items, count, sizeof(*frames->pending.items), by_process_row);
	for (size_t i = 0, end; i < count && !err; i = end) {
		const struct process *process = process_of(processes, frames->pending.items[i].process);

		for (end = i + 1; end < count; end++)
			if (frames->pending.items[end].process != frames->pending.items[i].process)
				break;
		if (!process)
			continue;
		/* A map that came late is found by reading the process again. */
		if (symbolizer_process_refresh(process->snapshot) == -ENOMEM)
			return -ENOMEM;
		err = name_pending_of(frames, process, i, end, &kept);
	}
	frames->pending.count = kept;
	return err;
}
