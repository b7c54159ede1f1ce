/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <string.h>

#include "symbolizer/cfi_state.h"
#include "symbolizer/dwarf_cursor.h"

#define STATES_MAX 64	     /* depth of DW_CFA_remember_state */
#define WORK_PER_BYTE 4	     /* instructions run, CIEs' again for each FDE included */
#define WORK_FREE (1u << 20) /* … and so many besides */
#define FUNCTION_BYTES_MAX (1ull << 31)

struct common {
	bool known, usable;
	Dwarf_Off offset;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer_encoding;
	bool augmented, signal;
	struct cfi_state initial;
};

struct run {
	const struct unwind_cfi_section *section;
	struct unwind_cfi_rows *rows;
	Elf_Data data;
	struct common common; /* the last one that was used: almost always the next one's too */
	uint64_t work_left;
	struct cfi_state remembered[STATES_MAX];
};

/* Of one FDE, or of a CIE's initial instructions (then @emit is false). */
struct program {
	struct run *run;
	const struct common *common;
	struct dwarf_cursor cursor;
	struct cfi_state state;
	size_t remembered;
	uint64_t pc, end;
	bool emit;
	size_t first_row; /* of this function */
};

/* A value in the size and sign that an encoding's low four bits say. */
static uint64_t take_encoded(struct dwarf_cursor *cursor, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return dwarf_number(cursor, 8);
	case DW_EH_PE_udata2:
		return dwarf_number(cursor, 2);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int64_t)(int16_t)dwarf_number(cursor, 2);
	case DW_EH_PE_udata4:
		return dwarf_number(cursor, 4);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int64_t)(int32_t)dwarf_number(cursor, 4);
	case DW_EH_PE_uleb128:
		return dwarf_uleb(cursor);
	case DW_EH_PE_sleb128:
		return (uint64_t)dwarf_sleb(cursor);
	}
	cursor->failed = true;
	return 0;
}

/* An address; only what is absolute or relative to its own place is used for functions. */
static uint64_t take_address(struct dwarf_cursor *cursor, const struct unwind_cfi_section *section, uint8_t encoding)
{
	uint64_t place = section->address + (uint64_t)(cursor->at - (const uint8_t *)section->bytes);

	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		return take_encoded(cursor, encoding);
	case DW_EH_PE_pcrel:
		return place + take_encoded(cursor, encoding);
	}
	cursor->failed = true;
	return 0;
}

int unwind_cfi_add_row(struct unwind_cfi_rows *rows, uint64_t pc, struct unwind_rule rule)
{
	struct unwind_cfi_row *row;

	if (rows->list.count >= UNWIND_ROWS_MAX)
		return -EFBIG;
	row = array_add(&rows->list);
	if (!row)
		return -ENOMEM;
	*row = (struct unwind_cfi_row){pc, rule};
	return 0;
}

/* The place moves on: what was said until now holds for the places before it. */
static int advance_to(struct program *program, uint64_t pc)
{
	struct unwind_rule rule;
	size_t count;

	if (!program->emit || pc == program->pc)
		return 0;
	if (pc < program->pc || pc > program->end) {
		program->cursor.failed = true;
		return 0;
	}
	rule = cfi_state_rule(&program->state, program->run->section->machine, program->common->signal);
	count = program->run->rows->list.count;
	if (count > program->first_row &&
	    !memcmp(&program->run->rows->list.items[count - 1].rule, &rule, sizeof(rule))) {
		program->pc = pc;
		return 0;
	}
	if (unwind_cfi_add_row(program->run->rows, program->pc, rule))
		return program->run->rows->list.count >= UNWIND_ROWS_MAX ? -EFBIG : -ENOMEM;
	program->pc = pc;
	return 0;
}

static struct cfi_saved *saved_of(struct cfi_state *state, const struct unwind_machine *machine, uint64_t number)
{
	return number == machine->fp ? &state->fp : number == machine->return_address ? &state->return_address : NULL;
}

static void set_saved(struct program *program, uint64_t number, enum cfi_saved_kind kind, int64_t offset)
{
	struct cfi_saved *saved = saved_of(&program->state, program->run->section->machine, number);

	if (saved)
		*saved = (struct cfi_saved){kind, offset};
}

static int64_t factored(const struct program *program, int64_t value)
{
	int64_t product;

	/* One that overflows cannot be meant; 0 is no offset of a saved register. */
	return __builtin_mul_overflow(value, program->common->data_align, &product) ? 0 : product;
}

static void restore(struct program *program, uint64_t number)
{
	struct cfi_saved *saved = saved_of(&program->state, program->run->section->machine, number);
	struct cfi_state initial = program->common->initial;

	if (saved)
		*saved = *saved_of(&initial, program->run->section->machine, number);
}

static void remember_state(struct program *program)
{
	if (program->remembered == STATES_MAX)
		program->cursor.failed = true;
	else
		program->run->remembered[program->remembered++] = program->state;
}

static void restore_state(struct program *program)
{
	if (!program->remembered)
		program->cursor.failed = true;
	else
		program->state = program->run->remembered[--program->remembered];
}

static void set_cfa(struct program *program, uint64_t number, int64_t offset)
{
	program->state.cfa_register = number;
	program->state.cfa_offset = offset;
	program->state.expression = NULL;
}

static void set_cfa_expression(struct program *program)
{
	uint64_t bytes = dwarf_uleb(&program->cursor);

	program->state.expression = program->cursor.at;
	program->state.expression_bytes = bytes;
	dwarf_skip(&program->cursor, bytes);
}

static void set_saved_expression(struct program *program, uint64_t number)
{
	uint64_t bytes = dwarf_uleb(&program->cursor);
	const uint8_t *expression = program->cursor.at;
	int64_t offset;

	dwarf_skip(&program->cursor, bytes);
	if (program->cursor.failed)
		return;
	if (cfi_is_register_expression(expression, bytes, program->run->section->machine->fp, &offset))
		set_saved(program, number, CFI_SAVED_AT_FP, offset);
	else
		set_saved(program, number, CFI_SAVED_ELSEWHERE, 0);
}

/* The instructions about the CFA. False where @op is none of them. */
static bool run_cfa(struct program *program, uint8_t op)
{
	struct dwarf_cursor *cursor = &program->cursor;
	uint64_t number;

	switch (op) {
	case DW_CFA_def_cfa:
		number = dwarf_uleb(cursor);
		set_cfa(program, number, (int64_t)dwarf_uleb(cursor));
		return true;
	case DW_CFA_def_cfa_sf:
		number = dwarf_uleb(cursor);
		set_cfa(program, number, factored(program, dwarf_sleb(cursor)));
		return true;
	case DW_CFA_def_cfa_register:
		set_cfa(program, dwarf_uleb(cursor), program->state.cfa_offset);
		return true;
	case DW_CFA_def_cfa_offset:
		set_cfa(program, program->state.cfa_register, (int64_t)dwarf_uleb(cursor));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		set_cfa(program, program->state.cfa_register, factored(program, dwarf_sleb(cursor)));
		return true;
	case DW_CFA_def_cfa_expression:
		set_cfa_expression(program);
		return true;
	case DW_CFA_remember_state:
		remember_state(program);
		return true;
	case DW_CFA_restore_state:
		restore_state(program);
		return true;
	}
	return false;
}

/* The instructions about one register. False where @op is none of them. */
static bool run_register(struct program *program, uint8_t op)
{
	struct dwarf_cursor *cursor = &program->cursor;
	uint64_t number = dwarf_uleb(cursor);

	switch (op) {
	case DW_CFA_offset_extended:
		set_saved(program, number, CFI_SAVED_AT_CFA, factored(program, (int64_t)dwarf_uleb(cursor)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_saved(program, number, CFI_SAVED_AT_CFA, factored(program, dwarf_sleb(cursor)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_saved(program, number, CFI_SAVED_AT_CFA, -factored(program, (int64_t)dwarf_uleb(cursor)));
		return true;
	case DW_CFA_restore_extended:
		restore(program, number);
		return true;
	case DW_CFA_undefined:
		set_saved(program, number, CFI_SAVED_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_saved(program, number, CFI_SAVED_SAME, 0);
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		dwarf_uleb(cursor);
		set_saved(program, number, CFI_SAVED_ELSEWHERE, 0);
		return true;
	case DW_CFA_expression:
		set_saved_expression(program, number);
		return true;
	case DW_CFA_val_expression:
		dwarf_skip(cursor, dwarf_uleb(cursor));
		set_saved(program, number, CFI_SAVED_ELSEWHERE, 0);
		return true;
	case DW_CFA_GNU_args_size:
		return true;
	}
	return false;
}

static int advance_by(struct program *program, uint64_t units)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(units, program->common->code_align, &bytes) || bytes > FUNCTION_BYTES_MAX) {
		program->cursor.failed = true;
		return 0;
	}
	return advance_to(program, program->pc + bytes);
}

static int run_instruction(struct program *program)
{
	struct dwarf_cursor *cursor = &program->cursor;
	uint8_t op = (uint8_t)dwarf_number(cursor, 1), low = op & 0x3f;

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		return advance_by(program, low);
	case DW_CFA_offset:
		set_saved(program, low, CFI_SAVED_AT_CFA, factored(program, (int64_t)dwarf_uleb(cursor)));
		return 0;
	case DW_CFA_restore:
		restore(program, low);
		return 0;
	}
	switch (op) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_set_loc:
		return advance_to(program,
				  take_address(cursor, program->run->section, program->common->pointer_encoding));
	case DW_CFA_advance_loc1:
		return advance_by(program, dwarf_number(cursor, 1));
	case DW_CFA_advance_loc2:
		return advance_by(program, dwarf_number(cursor, 2));
	case DW_CFA_advance_loc4:
		return advance_by(program, dwarf_number(cursor, 4));
	}
	if (!run_cfa(program, op) && !run_register(program, op))
		cursor->failed = true;
	return 0;
}

static int run_program(struct program *program)
{
	while (program->cursor.at < program->cursor.end && !program->cursor.failed) {
		int err;

		if (!program->run->work_left--) {
			program->run->work_left = 0;
			return -EFBIG;
		}
		err = run_instruction(program);
		if (err)
			return err;
	}
	return 0;
}

static bool take_augmentation(struct run *run, const Dwarf_CIE *cie, struct common *common)
{
	struct dwarf_cursor data = {cie->augmentation_data, cie->augmentation_data + cie->augmentation_data_size,
				    false};
	const char *letter = cie->augmentation;

	common->pointer_encoding = DW_EH_PE_absptr;
	if (!*letter)
		return true;
	/* Without a "z" the length of what follows is not known. */
	if (*letter != 'z')
		return false;
	common->augmented = true;
	while (*++letter && !data.failed) {
		switch (*letter) {
		case 'R':
			common->pointer_encoding = (uint8_t)dwarf_number(&data, 1);
			break;
		case 'L':
			dwarf_number(&data, 1);
			break;
		case 'P':
			take_encoded(&data, (uint8_t)dwarf_number(&data, 1));
			break;
		case 'S':
			common->signal = true;
			break;
		default:
			return true; /* the rest says nothing of addresses */
		}
	}
	return !data.failed;
}

/* The CIE at @offset into run->common; common.usable tells whether it made sense. */
static int use_common(struct run *run, Dwarf_Off offset)
{
	struct program program = {.run = run, .common = &run->common};
	struct common *common = &run->common;
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;
	int err;

	if (common->known && common->offset == offset)
		return 0;
	*common = (struct common){.known = true, .offset = offset};
	if (offset + 4 >= run->data.d_size ||
	    dwarf_next_cfi(run->section->identity, &run->data, run->section->eh_frame, offset, &next, &entry) ||
	    !dwarf_cfi_cie_p(&entry))
		return 0;
	common->code_align = entry.cie.code_alignment_factor;
	common->data_align = entry.cie.data_alignment_factor;
	if (entry.cie.return_address_register != run->section->machine->return_address ||
	    !take_augmentation(run, &entry.cie, common))
		return 0;
	program.cursor =
		(struct dwarf_cursor){entry.cie.initial_instructions, entry.cie.initial_instructions_end, false};
	err = run_program(&program);
	common->initial = program.state;
	common->usable = !err && !program.cursor.failed;
	return err;
}

/* A function whose instructions make no sense is a gap from its start to its end. */
static int drop_function(struct program *program, uint64_t start)
{
	program->run->rows->list.count = program->first_row;
	program->run->rows->broken++;
	return unwind_cfi_add_row(program->run->rows, start, (struct unwind_rule){0});
}

static int run_function(struct run *run, const Dwarf_FDE *fde)
{
	struct program program = {.run = run, .common = &run->common, .emit = true};
	uint64_t start, bytes;
	int err = use_common(run, fde->CIE_pointer);

	if (err || !run->common.usable) {
		run->rows->broken++;
		return err;
	}
	program.cursor = (struct dwarf_cursor){fde->start, fde->end, false};
	start = take_address(&program.cursor, run->section, run->common.pointer_encoding);
	bytes = take_encoded(&program.cursor, run->common.pointer_encoding);
	if (run->common.augmented)
		dwarf_skip(&program.cursor, dwarf_uleb(&program.cursor));
	if (program.cursor.failed || !start || !bytes || bytes > FUNCTION_BYTES_MAX || start + bytes < start) {
		run->rows->broken++;
		return 0;
	}
	program.pc = start;
	program.end = start + bytes;
	program.state = run->common.initial;
	program.first_row = run->rows->list.count;
	err = run_program(&program);
	if (!err && !program.cursor.failed)
		err = advance_to(&program, program.end);
	if (err)
		return err;
	if (program.cursor.failed)
		err = drop_function(&program, start);
	else
		run->rows->functions++;
	return err ? err : unwind_cfi_add_row(run->rows, program.end, (struct unwind_rule){0});
}

static bool is_terminator(const struct run *run, Dwarf_Off offset)
{
	uint32_t length;

	memcpy(&length, (const uint8_t *)run->data.d_buf + offset, sizeof(length));
	return !length;
}

int unwind_cfi_run(const struct unwind_cfi_section *section, struct unwind_cfi_rows *rows)
{
	struct run run = {
		.section = section,
		.rows = rows,
		.data = {.d_buf = section->bytes,
			 .d_type = ELF_T_BYTE,
			 .d_size = section->size,
			 .d_version = EV_CURRENT},
		.work_left = (uint64_t)section->size * WORK_PER_BYTE + WORK_FREE,
	};
	Dwarf_Off offset = 0, next;
	int err = 0;

	while (!err && offset + 4 < section->size) {
		Dwarf_CFI_Entry entry;

		/* Start-up files bring terminators of their own: what the linker put behind one counts too. */
		if (section->eh_frame && is_terminator(&run, offset)) {
			offset += 4;
			continue;
		}
		next = offset;
		if (!dwarf_next_cfi(section->identity, &run.data, section->eh_frame, offset, &next, &entry) &&
		    !dwarf_cfi_cie_p(&entry))
			err = run_function(&run, &entry.fde);
		if (next <= offset || next == (Dwarf_Off)-1)
			break;
		offset = next;
	}
	return err;
}
