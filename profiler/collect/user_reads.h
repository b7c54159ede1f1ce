/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_reads: may a BPF program read user memory here, whatever it has interrupted?
 *
 * Linux 5.18 and 5.19, 6.0, 6.1 before .36, 6.2 and 6.3 before .10 check the buffer that bpf_probe_read_user() fills, and take
 * a lock for that (CONFIG_HARDENED_USERCOPY): a sample that interrupts the lock's holder freezes the host. The fix is "mm: Fix
 * copy_from_user_nofault()", d319f344561d. No type and no symbol came with it, and distributions apply it to kernels of
 * their own numbers; but the kernel's code shows it: the check calls a function that looks in the areas of vmalloc(), and
 * copy_from_user_nofault() calls nmi_uaccess_okay() where it is fixed.
 */
#ifndef STOKER_USER_READS_H
#define STOKER_USER_READS_H

#include <stdint.h>
#include <stdio.h>

enum user_reads {
	USER_READS_SAFE,
	USER_READS_FREEZE,
	USER_READS_UNKNOWN, /* addresses are hidden, or the kernel's code cannot be read */
};

/* Copies @bytes of the kernel's code. 0 or a negative errno. */
typedef int (*kernel_code_reader)(uint64_t address, void *code, size_t bytes);

/**
 * user_reads_judge() - by a list of symbols and the code behind them
 * @kallsyms: read up to the last symbol that matters
 */
enum user_reads user_reads_judge(FILE *kallsyms, kernel_code_reader read_code);

/* The same of the kernel that runs; takes some 10 ms. As root. */
enum user_reads user_reads_probe(void);

#endif
