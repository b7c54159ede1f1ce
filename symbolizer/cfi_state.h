/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi_state: what call frame instructions say of one place, and the rule that a table can hold of it.
 */
#ifndef SYMBOLIZER_CFI_STATE_H
#define SYMBOLIZER_CFI_STATE_H

#include "symbolizer/unwind_cfi.h"

enum cfi_saved_kind {
	CFI_SAVED_SAME, /* not saved: still in the register */
	CFI_SAVED_AT_CFA,
	CFI_SAVED_AT_FP,
	CFI_SAVED_UNDEFINED,
	CFI_SAVED_ELSEWHERE, /* where no rule can say */
};

struct cfi_saved {
	enum cfi_saved_kind kind;
	int64_t offset;
};

struct cfi_state {
	uint64_t cfa_register;
	int64_t cfa_offset;
	const uint8_t *expression; /* the CFA's, where it is one; else NULL */
	size_t expression_bytes;
	struct cfi_saved fp, return_address;
};

/* The rule of a place; @signal: of a function that the kernel "calls" for a signal. */
struct unwind_rule cfi_state_rule(const struct cfi_state *state, const struct unwind_machine *machine, bool signal);

/* DW_OP_bregN offset: true where the whole expression is that. */
bool cfi_is_register_expression(const uint8_t *bytes, size_t size, uint8_t number, int64_t *ret_offset);

#endif
