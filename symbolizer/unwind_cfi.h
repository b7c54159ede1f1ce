/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_cfi: call frame information, run once through, into rows.
 *
 * libdw splits the section into entries; their instructions are run here, each once. (libdw's dwarf_cfi_addrframe() answers for
 * one address and runs a function's instructions from their start each time: quadratic in what a hostile file can write.)
 */
#ifndef SYMBOLIZER_UNWIND_CFI_H
#define SYMBOLIZER_UNWIND_CFI_H

#include <elf.h>
#include <stdbool.h>

#include "symbolizer/unwind_rows.h"

/* From @pc on, until the next row. Functions end with a gap. */
struct unwind_cfi_row {
	uint64_t pc; /* virtual address */
	struct unwind_rule rule;
};

struct unwind_cfi_rows {
	ARRAY(struct unwind_cfi_row) list; /* in no order */
	size_t functions, broken;	   /* as in struct unwind_rows */
};

/* From @pc on @rule holds. Returns 0, -EFBIG (UNWIND_ROWS_MAX) or -ENOMEM. */
int unwind_cfi_add_row(struct unwind_cfi_rows *rows, uint64_t pc, struct unwind_rule rule);

/* Which DWARF registers are meant by a rule's SP and FP, and where a call leaves the return address. */
struct unwind_machine {
	uint16_t elf_machine;
	uint8_t sp, fp, return_address;
	int8_t return_offset; /* of the return address from the CFA */
};

/* NULL where we cannot unwind the machine's code. */
const struct unwind_machine *unwind_machine(uint16_t elf_machine);

struct unwind_cfi_section {
	const struct unwind_machine *machine;
	const unsigned char *identity; /* e_ident of the file */
	void *bytes;		       /* [size], not written to */
	size_t size;
	uint64_t address; /* where the section lies when loaded; 0 for .debug_frame */
	bool eh_frame;
};

/**
 * unwind_cfi_run() - all rows of a section
 * @rows: appended to; functions that make no sense become gaps
 * Returns 0, -EFBIG (past a limit on rows or on work: what was taken before is kept) or -ENOMEM.
 */
int unwind_cfi_run(const struct unwind_cfi_section *section, struct unwind_cfi_rows *rows);

#endif
