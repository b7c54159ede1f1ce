/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_rows: how to step from a frame to its caller, for every place in a file's code.
 *
 * Made of .eh_frame, else .debug_frame, else the .debug_frame of a separate debug file; also of stripped and static
 * files (no .eh_frame_hdr is needed). The result is in the form in which a walker in the kernel looks it up: pages of
 * 4 KiB, in each of them rows sorted by address, each row the number of a rule. A row holds from its address to that of
 * the next one; each page starts with the rule that is carried in, so that pages stand alone.
 *
 * The files come from containers: sizes, counts and time are limited, the file is read with pread(2) and never mapped,
 * and nothing is opened. Unwind data that makes no sense leaves gaps, it never fails a whole file.
 *
 * What is particular to a machine is in unwind_machine(): which registers stand behind SP, FP and the return address. Rules
 * say "SP" and "FP" and fit AArch64 too, where the return address lies beside the saved frame pointer.
 *
 * Sources: DWARF 5, 6.4; the LSB's chapter on .eh_frame; the psABI of x86-64, 3.7.
 */
#ifndef STOKER_UNWIND_ROWS_H
#define STOKER_UNWIND_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/elf_image.h"
#include "symbolizer/python_runtime.h"

#define UNWIND_PAGE_SHIFT 12

/* How the canonical frame address (the caller's SP) is found. A zeroed rule is a gap. */
enum unwind_cfa {
	UNWIND_GAP = 0,		/* nothing is known here: code without unwind data */
	UNWIND_SP = 1,		/* SP + cfa_offset */
	UNWIND_FP = 2,		/* FP + cfa_offset */
	UNWIND_SP_DEREF = 3,	/* the word at SP + (cfa_offset >> 8), and cfa_offset & 0xff on top */
	UNWIND_FP_DEREF = 4,	/* the same at FP + … */
	UNWIND_PLT = 5,		/* SP + 8, and 8 more where (PC & 15) >= cfa_offset: one entry of a PLT */
	UNWIND_REGISTER = 6,	/* register unwind_rule.fp >> 4 + cfa_offset: for sure at a leaf only */
	UNWIND_SIGNAL = 7,	/* the kernel's signal frame at SP: registers from its ucontext */
	UNWIND_END = 8,		/* a thread's first function: there is no caller */
	UNWIND_UNSUPPORTED = 9, /* an expression that a table cannot hold */
	UNWIND_SP_INDEXED = 10, /* as UNWIND_SP_DEREF, at SP + 8 * register + …; the register as for UNWIND_REGISTER */
	UNWIND_GOROUTINE = 11,	/* on a stack of Go's runtime: the caller is on the goroutine's, as below */
	UNWIND_FP_ELSEWHERE = 12, /* FP leads to the frame, and that is on another stack */
};

/*
 * UNWIND_GOROUTINE: a thread's g lies cfa_offset >> UNWIND_GO_TLS_SHIFT from FS, the g's m in it, and in that, at the offset in
 * the low bits, the goroutine's g, which has the SP that it left with. fp_offset from there the return address lies.
 */
#define UNWIND_GO_TLS_SHIFT 16
#define UNWIND_GO_G_M 0x30
#define UNWIND_GO_G_SP 0x38

/* Where the caller's FP is. In the low four bits of unwind_rule.fp. */
enum unwind_fp {
	UNWIND_FP_SAME = 0,   /* still in the register */
	UNWIND_FP_AT_CFA = 1, /* saved at CFA + fp_offset */
	UNWIND_FP_AT_FP = 2,  /* saved at FP + fp_offset */
	UNWIND_FP_LOST = 3,   /* no longer known */
};

struct unwind_rule {
	uint8_t cfa; /* enum unwind_cfa */
	uint8_t fp;  /* enum unwind_fp; a register's number, where the CFA needs one, in the high four bits */
	int16_t fp_offset;
	int32_t cfa_offset;
};

struct unwind_row {
	uint16_t low;  /* of the address: its last UNWIND_PAGE_SHIFT bits */
	uint16_t rule; /* number in unwind_rows.rules */
};

struct unwind_page {
	uint32_t first; /* of unwind_rows.rows, where the page before ends; at least one row */
	uint32_t count;
};

#define UNWIND_RULES_MAX 4096u /* real files have up to 600; what is beyond reads UNWIND_UNSUPPORTED */
#define UNWIND_ROWS_MAX (8u << 20)
#define UNWIND_PAGES_MAX (1u << 18) /* 1 GiB of code */

/* Where the file's bytes lie in memory: to get from a mapping to virtual addresses. */
struct unwind_segment {
	uint64_t offset, address, bytes;
};
#define UNWIND_SEGMENTS_MAX 16

/* All-zero is empty. */
struct unwind_rows {
	struct unwind_segment segments[UNWIND_SEGMENTS_MAX]; /* executable ones */
	size_t segment_count;
	bool frame_pointers; /* Go: code without rows keeps frame pointers, always */
	uint64_t first_page; /* virtual address of the first page >> UNWIND_PAGE_SHIFT */
	ARRAY(struct unwind_page) pages;
	ARRAY(struct unwind_row) rows;
	ARRAY(struct unwind_rule) rules; /* each once */
	size_t functions;		 /* FDEs taken */
	size_t broken;			 /* FDEs that made no sense: gaps */
	struct python_runtime python;	 /* where the file is an interpreter */
	/* For most of its code there are no rows, and a debug file, by what the file says of it, may have some. */
	bool lacks_rows;
	struct elf_build_id build_id;	  /* of a file that lacks rows */
	struct elf_debug_link debug_link; /* the same */
};

/**
 * unwind_rows_read() - the rows of a file
 * @fd: open for reading; not closed
 * @debug_fd: a separate debug file, or -1
 * @rows: empty; the caller deinits it, also after an error
 * Returns 0 (with no pages, where there is no unwind data), -ENOEXEC (not ELF, or broken), -EOPNOTSUPP (another machine's or
 * class's code), -EIO, -ENOMEM.
 */
int unwind_rows_read(int fd, int debug_fd, struct unwind_rows *rows);
void unwind_rows_deinit(struct unwind_rows *rows);

/* Is @debug_fd the debug file of @fd? As elf_debug_file_check() has it; nothing is closed. */
int unwind_rows_check_debug(int fd, int debug_fd);

#endif
