/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_expression: DWARF expressions as call frame information has them, run on registers and memory.
 *
 * They come from strangers: steps and depth are limited, and what cannot be computed is an answer, not an error.
 *
 * Source: DWARF 5, 2.5 and 6.4.2.
 */
#ifndef SYMBOLIZER_DWARF_EXPRESSION_H
#define SYMBOLIZER_DWARF_EXPRESSION_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_REGISTERS 17 /* by their DWARF numbers; of x86-64: psABI, 3.6.2 */
#define CALL_FP 6
#define CALL_SP 7
#define CALL_IP 16

struct call_registers {
	uint64_t value[CALL_REGISTERS];
	uint32_t known; /* bit by number */
};

/* The word at an address; false where it is not there. */
struct call_memory {
	bool (*read)(void *data, uint64_t address, uint64_t *ret_word);
	void *data;
};

/**
 * dwarf_expression_run() - what an expression comes to
 * @operations: [count], as libdw gives them
 * @cfa: for DW_OP_call_frame_cfa; NULL where that is what is looked for
 * @ret_is_value: true where it ends in DW_OP_stack_value: then it is no address
 * False where it cannot be computed: unknown registers, memory that is not there, operations that make no sense.
 */
bool dwarf_expression_run(const Dwarf_Op *operations, size_t count, const struct call_registers *registers,
			  const uint64_t *cfa, const struct call_memory *memory, uint64_t *ret_result,
			  bool *ret_is_value);

#endif
