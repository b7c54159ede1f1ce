/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_symbols: function names of one ELF file, by address.
 *
 * Names come from all of these, the first that has one for an address wins: .symtab; a separate debug file that somebody
 * brings; .dynsym; the xz-compressed table in .gnu_debugdata; Go's own table (.gopclntab) in a stripped Go program;
 * and for the stubs between calls and other libraries "NAME@plt" (x86-64). Sources that are broken are as if they were
 * not there. In memory it is 16 bytes a function; names are read from the file when they are asked for, so descriptors
 * stay open (small string tables are held). Files are read with pread(2), never mapped: a file that shrinks gives
 * errors, not signals. Counts and sizes are capped; every field is taken for a lie until checked.
 */
#ifndef SYMBOLIZER_ELF_SYMBOLS_H
#define SYMBOLIZER_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_image.h"

struct elf_symbols;

enum elf_symbols_source {
	ELF_SYMBOLS_SYMTAB,
	ELF_SYMBOLS_DEBUG_FILE,
	ELF_SYMBOLS_DYNSYM,
	ELF_SYMBOLS_DEBUGDATA,
	ELF_SYMBOLS_GO,
	ELF_SYMBOLS_PLT,
	ELF_SYMBOLS_SOURCES /* how many */
};

/* One function, [start, end) in virtual addresses as the file's segments have them. */
struct elf_function {
	uint64_t start, end; /* end 0: no function */
	uint64_t from, to; /* where the answer is the same: less where functions are nested; also where there is none */
	enum elf_symbols_source source;
	uint32_t name; /* for elf_symbols_name() */
};

/**
 * elf_symbols_new() - index a file
 * @fd: open for reading; owned by the result on success only
 * Returns 0, -ENOEXEC (no ELF file), -EIO, -ENOMEM.
 */
int elf_symbols_new(int fd, struct elf_symbols **ret_symbols);
void elf_symbols_free(struct elf_symbols *symbols);

/**
 * elf_symbols_add_debug_file() - add the .symtab of a separate debug file
 * @fd: open for reading; owned by @symbols on success only. That it belongs to the file is for the caller to know
 *      (elf_debug_file_check()).
 * Functions found before are void. Returns 0, -EALREADY (there is one), -ENODATA (without functions), -ENOEXEC, -EIO,
 * -ENOMEM; @symbols as it was.
 */
int elf_symbols_add_debug_file(struct elf_symbols *symbols, int fd);

/* Memory held, in bytes. */
size_t elf_symbols_bytes(const struct elf_symbols *symbols);

/* The virtual address, as symbols know it, of a place in the file; false where no loadable segment holds it. */
bool elf_symbols_address(const struct elf_symbols *symbols, uint64_t file_offset, uint64_t *ret_address);

/* And back: false where no segment's part of the file holds it. */
bool elf_symbols_file_offset(const struct elf_symbols *symbols, uint64_t address, uint64_t *ret_file_offset);

/**
 * elf_symbols_functions() - the innermost functions that hold virtual addresses
 * @addresses: [count], ascending for speed (under 100 ns each): other orders give the same answers
 * @functions: [count], filled; end 0 where there is none
 */
void elf_symbols_functions(const struct elf_symbols *symbols, const uint64_t *addresses, size_t count,
			   struct elf_function *functions);

/**
 * elf_symbols_name() - the raw name of a function
 * @name: [size], NUL-terminated; a longer name is cut. Symbol versions ("@@GLIBC_2.14") are taken off.
 * Returns 0, -ENOENT (empty, or outside of the file's names), or -EIO.
 */
int elf_symbols_name(const struct elf_symbols *symbols, const struct elf_function *function, char *name, size_t size);

#endif
