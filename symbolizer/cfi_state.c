/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/cfi_state.h"

#include <dwarf.h>
#include <string.h>

#include "symbolizer/dwarf_cursor.h"

/* A signal frame's CFA expression: *(rsp + 160) is the interrupted code's stack pointer. */
static const uint8_t signal_cfa[] = {DW_OP_breg7, 0xa0, 0x01, DW_OP_deref};

/* The two forms in which linkers describe a PLT: rsp + 8 + ((rip & 15) >= N ? 8 : 0), with N as 10 or 11. */
static const uint8_t plt_cfa[] = {DW_OP_breg7, 8,	 DW_OP_breg16, 0,	  DW_OP_lit15, DW_OP_and,
				  0,	       DW_OP_ge, DW_OP_lit3,   DW_OP_shl, DW_OP_plus};
#define PLT_CFA_LIMIT_AT 6

const struct unwind_machine *unwind_machine(uint16_t elf_machine)
{
	static const struct unwind_machine x86_64 = {
		.elf_machine = EM_X86_64, .sp = 7, .fp = 6, .return_address = 16, .return_offset = -8};

	return elf_machine == EM_X86_64 ? &x86_64 : NULL;
}

static bool fits(int64_t value, int64_t low, int64_t high)
{
	return value >= low && value <= high;
}

bool cfi_is_register_expression(const uint8_t *bytes, size_t size, uint8_t number, int64_t *ret_offset)
{
	struct dwarf_cursor cursor = {bytes, bytes + size, false};
	int64_t offset;

	if (dwarf_number(&cursor, 1) != (uint64_t)DW_OP_breg0 + number)
		return false;
	offset = dwarf_sleb(&cursor);
	if (cursor.failed || cursor.at != cursor.end)
		return false;
	*ret_offset = offset;
	return true;
}

static bool is_plt(const uint8_t *bytes, size_t size)
{
	return size == sizeof(plt_cfa) && !memcmp(bytes, plt_cfa, PLT_CFA_LIMIT_AT) &&
	       !memcmp(bytes + PLT_CFA_LIMIT_AT + 1, plt_cfa + PLT_CFA_LIMIT_AT + 1, size - PLT_CFA_LIMIT_AT - 1) &&
	       (bytes[PLT_CFA_LIMIT_AT] == DW_OP_lit10 || bytes[PLT_CFA_LIMIT_AT] == DW_OP_lit11);
}

static bool take_op(struct dwarf_cursor *cursor, uint8_t op)
{
	if (cursor->at == cursor->end || *cursor->at != op)
		return false;
	cursor->at++;
	return true;
}

/* DW_OP_bregM 0, DW_OP_lit8, DW_OP_mul, DW_OP_plus: a word's number. */
static bool take_index(struct dwarf_cursor *cursor, uint8_t *ret_number)
{
	size_t left = (size_t)(cursor->end - cursor->at);

	if (left < 5 || cursor->at[0] < DW_OP_breg0 || cursor->at[0] > DW_OP_breg15 || cursor->at[1] ||
	    cursor->at[2] != DW_OP_lit8 || cursor->at[3] != DW_OP_mul || cursor->at[4] != DW_OP_plus)
		return false;
	*ret_number = cursor->at[0] - DW_OP_breg0;
	cursor->at += 5;
	return true;
}

/*
 * Where hand-written assembly keeps its caller's stack pointer while it has aligned its own: in a word of the stack, in bn_mul_mont()
 * of OpenSSL one whose place depends on a register.
 * DW_OP_bregN offset, [as take_index()], DW_OP_deref, [DW_OP_plus_uconst addend]
 */
static void rule_of_expression(const struct cfi_state *state, const struct unwind_machine *machine,
			       struct unwind_rule *rule)
{
	struct dwarf_cursor cursor = {state->expression, state->expression + state->expression_bytes, false};
	uint64_t addend = 0;
	uint8_t index = 0;
	int64_t offset;

	rule->cfa = UNWIND_UNSUPPORTED;
	if (is_plt(state->expression, state->expression_bytes)) {
		rule->cfa = UNWIND_PLT;
		rule->cfa_offset = state->expression[PLT_CFA_LIMIT_AT] - DW_OP_lit0;
		return;
	}
	if (take_op(&cursor, DW_OP_breg0 + machine->sp))
		rule->cfa = UNWIND_SP_DEREF;
	else if (take_op(&cursor, DW_OP_breg0 + machine->fp))
		rule->cfa = UNWIND_FP_DEREF;
	else
		return;
	offset = dwarf_sleb(&cursor);
	if (rule->cfa == UNWIND_SP_DEREF && take_index(&cursor, &index)) {
		rule->cfa = UNWIND_SP_INDEXED;
		rule->fp = (uint8_t)(index << 4);
	}
	if (!take_op(&cursor, DW_OP_deref))
		cursor.failed = true;
	else if (take_op(&cursor, DW_OP_plus_uconst))
		addend = dwarf_uleb(&cursor);
	if (cursor.failed || cursor.at != cursor.end || !fits(offset, INT32_MIN >> 8, INT32_MAX >> 8) ||
	    addend > UINT8_MAX)
		*rule = (struct unwind_rule){.cfa = UNWIND_UNSUPPORTED};
	else
		rule->cfa_offset = (int32_t)(offset * 256 + (int64_t)addend);
}

static void rule_of_register(const struct cfi_state *state, const struct unwind_machine *machine,
			     struct unwind_rule *rule)
{
	rule->cfa_offset = (int32_t)state->cfa_offset;
	if (!fits(state->cfa_offset, INT32_MIN, INT32_MAX))
		rule->cfa = UNWIND_UNSUPPORTED;
	else if (state->cfa_register == machine->sp)
		rule->cfa = UNWIND_SP;
	else if (state->cfa_register == machine->fp)
		rule->cfa = UNWIND_FP;
	else if (state->cfa_register < 16) {
		rule->cfa = UNWIND_REGISTER;
		rule->fp = (uint8_t)(state->cfa_register << 4);
	} else {
		rule->cfa = UNWIND_UNSUPPORTED;
	}
}

static void rule_of_fp(const struct cfi_state *state, struct unwind_rule *rule)
{
	switch (state->fp.kind) {
	case CFI_SAVED_SAME:
		return;
	case CFI_SAVED_AT_CFA:
	case CFI_SAVED_AT_FP:
		rule->fp |= state->fp.kind == CFI_SAVED_AT_CFA ? UNWIND_FP_AT_CFA : UNWIND_FP_AT_FP;
		rule->fp_offset = (int16_t)state->fp.offset;
		if (!fits(state->fp.offset, INT16_MIN, INT16_MAX))
			*rule = (struct unwind_rule){.cfa = UNWIND_UNSUPPORTED};
		return;
	case CFI_SAVED_UNDEFINED:
	case CFI_SAVED_ELSEWHERE:
		rule->fp |= UNWIND_FP_LOST;
	}
}

struct unwind_rule cfi_state_rule(const struct cfi_state *state, const struct unwind_machine *machine, bool signal)
{
	struct unwind_rule rule = {0};

	if (state->return_address.kind == CFI_SAVED_UNDEFINED)
		return (struct unwind_rule){.cfa = UNWIND_END};
	if (signal) {
		rule.cfa = UNWIND_UNSUPPORTED;
		if (state->expression && state->expression_bytes == sizeof(signal_cfa) &&
		    !memcmp(state->expression, signal_cfa, sizeof(signal_cfa)))
			rule.cfa = UNWIND_SIGNAL;
		return rule;
	}
	if (state->return_address.kind != CFI_SAVED_AT_CFA || state->return_address.offset != machine->return_offset)
		return (struct unwind_rule){.cfa = UNWIND_UNSUPPORTED};
	if (state->expression)
		rule_of_expression(state, machine, &rule);
	else
		rule_of_register(state, machine, &rule);
	if (rule.cfa == UNWIND_UNSUPPORTED)
		return (struct unwind_rule){.cfa = UNWIND_UNSUPPORTED};
	rule_of_fp(state, &rule);
	return rule;
}
