/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_go: rows of a Go program's own functions, from its table (go_table.h).
 *
 * The table has for each place how far the stack pointer is below the return address: that is all that a step needs, in
 * prologues too, and it says more than .debug_frame, which stripped programs have not. (.eh_frame there is C's.)
 *
 * What the table does not say is known by the names of a few functions of the runtime:
 *
 *	the first of a goroutine, of a thread, of the program		nobody called them
 *	systemstack, asmcgocall, morestack				have gone to a stack of the runtime; who called them is
 *									where the runtime noted it: on the goroutine's stack
 *	mcall								the same, to leave the goroutine for good: an end
 *	nanotime1 and the like						have gone there for the vdso; their frame pointer has not
 *	sigreturn							the kernel's signal frame
 *
 * src/runtime/{asm,sys_linux,time_linux}_amd64.s and gentraceback() in Go's sources
 */
#ifndef SYMBOLIZER_UNWIND_GO_H
#define SYMBOLIZER_UNWIND_GO_H

#include "symbolizer/elf_image.h"
#include "symbolizer/unwind_cfi.h"

/**
 * unwind_go_run() - the rows of a Go program
 * @rows: appended to, as unwind_cfi_run() does
 * Returns 0, -ENOENT (no Go program), -ENOEXEC (broken, or of an unknown form: nothing was appended), -EIO or -ENOMEM.
 * Past a limit what was taken before is kept.
 */
int unwind_go_run(const struct elf_image *image, struct unwind_cfi_rows *rows);

#endif
