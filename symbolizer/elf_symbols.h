/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_symbols: function names of one ELF file, by file offset.
 *
 * .symtab where there is one, else .dynsym. The table in memory is 16 bytes a function; names are read from the file
 * when asked for, so the descriptor stays open. Files are read with pread(2), never mapped: a file that shrinks gives
 * errors, not signals. Counts and sizes are capped; every field is taken for a lie until checked.
 */
#ifndef SYMBOLIZER_ELF_SYMBOLS_H
#define SYMBOLIZER_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_symbols;

/**
 * elf_symbols_new() - index a file
 * @fd: open for reading; owned by the result on success only
 * Returns 0, -ENOEXEC (not ELF, or broken), -EIO, -ENOMEM.
 */
int elf_symbols_new(int fd, struct elf_symbols **ret_symbols);
void elf_symbols_free(struct elf_symbols *symbols);

/* False where the file has neither .symtab nor .dynsym with functions in it. */
bool elf_symbols_any(const struct elf_symbols *symbols);
/* Whether .symtab was there: without it, a miss means "stripped". */
bool elf_symbols_full(const struct elf_symbols *symbols);

/* The virtual address, as symbols know it, of a place in the file; false where no loadable segment holds it. */
bool elf_symbols_address(const struct elf_symbols *symbols, uint64_t file_offset, uint64_t *ret_address);

/**
 * elf_symbols_find() - the raw name of the function that holds a virtual address
 * @name: [size], NUL-terminated; a longer name is cut
 * Returns 0, -ENOENT, or -EIO.
 */
int elf_symbols_find(const struct elf_symbols *symbols, uint64_t address, char *name, size_t size);

#endif
