/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_lines.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/partition_point.h"
#include "symbolizer/dwarf_line_header.h"

struct row {
	uint64_t address;
	uint32_t file, line;
};

/* Rows [first, first + count) are sorted by address; the sequence ends at `end`. */
struct sequence {
	uint64_t start, end;
	size_t first, count;
};

struct dwarf_lines {
	struct dwarf_image *image;
	struct dwarf_line_header header;
	ARRAY(struct row) rows;
	ARRAY(struct sequence) sequences; /* sorted by start */
	char **paths;			  /* [header.files.count], each NULL until asked for */
	size_t path_bytes;
};

/* The machine of DWARF 5, section 6.2.2, as far as addresses and lines need it. */
struct machine {
	uint64_t address;
	uint64_t op_index;
	uint32_t file, line;
	size_t first_row;
};

static void cleanup_lines(struct dwarf_lines **lines)
{
	dwarf_lines_free(*lines);
}

void dwarf_lines_free(struct dwarf_lines *lines)
{
	if (!lines)
		return;
	for (size_t i = 0; lines->paths && i < lines->header.files.count; i++)
		free(lines->paths[i]);
	free(lines->paths);
	array_deinit(&lines->rows);
	array_deinit(&lines->sequences);
	dwarf_line_header_deinit(&lines->header);
	free(lines);
}

size_t dwarf_lines_bytes(const struct dwarf_lines *lines)
{
	return sizeof(*lines) + lines->rows.capacity * sizeof(*lines->rows.items) +
	       lines->sequences.capacity * sizeof(*lines->sequences.items) +
	       lines->header.files.capacity * (sizeof(*lines->header.files.items) + sizeof(char *)) +
	       lines->header.directories.capacity * sizeof(*lines->header.directories.items) + lines->path_bytes;
}

static void reset(struct machine *machine, const struct dwarf_lines *lines)
{
	*machine = (struct machine){.file = 1, .line = 1, .first_row = lines->rows.count};
}

static void advance(struct machine *machine, const struct dwarf_line_header *header, uint64_t operations)
{
	uint64_t slots = header->operations_max;

	if (slots <= 1) {
		machine->address += header->instruction_bytes * operations;
		return;
	}
	machine->address += header->instruction_bytes * ((machine->op_index + operations) / slots);
	machine->op_index = (machine->op_index + operations) % slots;
}

static int add_row(struct dwarf_lines *lines, const struct machine *machine)
{
	struct row *last = lines->rows.count > machine->first_row ? &lines->rows.items[lines->rows.count - 1] : NULL;
	struct row *row;

	if (last && machine->address < last->address)
		return 0;
	if (last && last->address == machine->address) {
		last->file = machine->file;
		last->line = machine->line;
		return 0;
	}
	if (last && last->file == machine->file && last->line == machine->line)
		return 0;
	if (lines->rows.count >= DWARF_LINE_ROWS_MAX)
		return -E2BIG;
	row = array_add(&lines->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct row){machine->address, machine->file, machine->line};
	return 0;
}

/* A sequence at address 0 is code that the linker dropped. */
static int end_sequence(struct dwarf_lines *lines, const struct machine *machine)
{
	size_t count = lines->rows.count - machine->first_row;
	struct sequence *sequence;

	if (!count || !lines->rows.items[machine->first_row].address ||
	    machine->address <= lines->rows.items[lines->rows.count - 1].address) {
		lines->rows.count = machine->first_row;
		return 0;
	}
	sequence = array_add(&lines->sequences);
	if (!sequence)
		return -ENOMEM;
	*sequence = (struct sequence){lines->rows.items[machine->first_row].address, machine->address,
				      machine->first_row, count};
	return 0;
}

static int extended(struct dwarf_lines *lines, struct machine *machine, struct dwarf_cursor *program)
{
	uint64_t length = dwarf_uleb(program);
	struct dwarf_cursor operands = *program;
	int err = 0;

	dwarf_skip(program, length);
	if (program->failed || !length)
		return 0;
	operands.end = program->at;
	switch (dwarf_number(&operands, 1)) {
	case DW_LNE_end_sequence:
		err = end_sequence(lines, machine);
		reset(machine, lines);
		break;
	case DW_LNE_set_address:
		machine->address = dwarf_number(&operands, length - 1 > 8 ? 8 : (size_t)(length - 1));
		machine->op_index = 0;
		break;
	}
	return err;
}

static int standard(struct dwarf_lines *lines, struct machine *machine, struct dwarf_cursor *program, uint8_t opcode)
{
	const struct dwarf_line_header *header = &lines->header;

	switch (opcode) {
	case DW_LNS_copy:
		return add_row(lines, machine);
	case DW_LNS_advance_pc:
		advance(machine, header, dwarf_uleb(program));
		break;
	case DW_LNS_advance_line:
		machine->line += (uint32_t)dwarf_sleb(program);
		break;
	case DW_LNS_set_file:
		machine->file = (uint32_t)dwarf_uleb(program);
		break;
	case DW_LNS_const_add_pc:
		advance(machine, header, (255u - header->opcode_base) / header->line_range);
		break;
	case DW_LNS_fixed_advance_pc:
		machine->address += dwarf_number(program, 2);
		machine->op_index = 0;
		break;
	default:
		for (uint8_t i = 0; i < header->operands[opcode] && !program->failed; i++)
			dwarf_uleb(program);
	}
	return 0;
}

static int run(struct dwarf_lines *lines, struct dwarf_cursor program)
{
	const struct dwarf_line_header *header = &lines->header;
	struct machine machine;
	int err = 0;

	reset(&machine, lines);
	while (!err && dwarf_cursor_left(&program)) {
		uint8_t opcode = (uint8_t)dwarf_number(&program, 1);

		if (opcode >= header->opcode_base) {
			uint8_t special = (uint8_t)(opcode - header->opcode_base);

			advance(&machine, header, special / header->line_range);
			machine.line += (uint32_t)(header->line_base + special % header->line_range);
			err = add_row(lines, &machine);
		} else if (opcode) {
			err = standard(lines, &machine, &program, opcode);
		} else {
			err = extended(lines, &machine, &program);
		}
	}
	/* Rows of a sequence that never ended. */
	lines->rows.count = machine.first_row;
	return err == -E2BIG ? 0 : err;
}

static int by_start(const void *left, const void *right)
{
	const struct sequence *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->end > b->end) - (a->end < b->end);
}

/* Growth leaves up to half of an array unused, and a table does not grow any more. */
static void trim(struct dwarf_lines *lines)
{
	size_t wanted = lines->rows.count ? lines->rows.count : 1;
	struct row *rows = realloc(lines->rows.items, wanted * sizeof(*rows));

	if (!rows)
		return;
	lines->rows.items = rows;
	lines->rows.capacity = wanted;
}

int dwarf_lines_new(struct dwarf_image *image, uint64_t offset, struct dwarf_text_place directory,
		    struct dwarf_lines **ret_lines)
{
	_cleanup_(cleanup_lines) struct dwarf_lines *lines = calloc(1, sizeof(*lines));
	struct dwarf_cursor program;
	int err;

	if (!lines)
		return -ENOMEM;
	lines->image = image;
	err = dwarf_line_header_init(&lines->header, image, offset, directory, &program);
	if (err)
		return err;
	lines->paths = calloc(lines->header.files.count + 1, sizeof(*lines->paths));
	if (!lines->paths)
		return -ENOMEM;
	err = run(lines, program);
	if (err)
		return err;
	if (lines->sequences.count)
		qsort(lines->sequences.items, lines->sequences.count, sizeof(struct sequence), by_start);
	trim(lines);
	*ret_lines = take_ptr(lines);
	return 0;
}

bool dwarf_lines_find(const struct dwarf_lines *lines, uint64_t address, uint32_t *ret_file, uint32_t *ret_line)
{
	size_t at = partition_point(i, lines->sequences.count, lines->sequences.items[i].start <= address);
	const struct sequence *sequence;
	const struct row *rows;

	if (!at || address >= lines->sequences.items[at - 1].end)
		return false;
	sequence = &lines->sequences.items[at - 1];
	rows = &lines->rows.items[sequence->first];
	at = partition_point(i, sequence->count, rows[i].address <= address);
	*ret_file = rows[at - 1].file;
	*ret_line = rows[at - 1].line;
	return true;
}

const char *dwarf_lines_file(struct dwarf_lines *lines, uint64_t file)
{
	uint64_t index = lines->header.version >= 5 ? file : file - 1;
	char path[DWARF_PATH_BYTES_MAX];

	if (index >= lines->header.files.count)
		return NULL;
	if (!lines->paths[index]) {
		dwarf_line_header_path(&lines->header, lines->image, (size_t)index, path, sizeof(path));
		lines->paths[index] = strdup(path);
		lines->path_bytes += strlen(path) + 1;
	}
	return lines->paths[index];
}
