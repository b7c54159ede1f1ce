/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_symbols: names of kernel functions, modules, BPF programs and trampolines, from kallsyms.
 */
#ifndef SYMBOLIZER_KERNEL_SYMBOLS_H
#define SYMBOLIZER_KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct kernel_symbols;

/**
 * kernel_symbols_new() - read a kallsyms file
 * @path: "/proc/kallsyms"
 * Errors: what open(2) or read(2) gave, -ENOMEM. Hidden (all zero) addresses are no error.
 */
int kernel_symbols_new(const char *path, struct kernel_symbols **ret_symbols);
void kernel_symbols_free(struct kernel_symbols *symbols);

/* True where every address was zero: kernel.kptr_restrict, or not root. */
bool kernel_symbols_hidden(const struct kernel_symbols *symbols);

/**
 * kernel_symbols_find() - the function that holds @address
 * @ret_name, @ret_module: NUL-terminated, valid as long as @symbols; the module is "vmlinux" for the kernel itself
 * Returns false, nothing set, where no symbol lies at or below it within 16 MiB.
 */
bool kernel_symbols_find(const struct kernel_symbols *symbols, uint64_t address, const char **ret_name,
			 const char **ret_module);

#endif
