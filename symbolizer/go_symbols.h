/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * go_symbols: the functions of a Go program from its table (go_table.h). Only the list of functions is read, names wait
 * until they are asked for.
 */
#ifndef SYMBOLIZER_GO_SYMBOLS_H
#define SYMBOLIZER_GO_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_image.h"
#include "symbolizer/function_table.h"

/* Where names are found: places in the file. */
struct go_names {
	uint64_t records, records_bytes;
	uint64_t texts, texts_bytes;
	uint32_t name_at; /* bytes of a record before the number that is its name's place in the texts */
};

/**
 * go_symbols_read() - add the functions of a Go program to a table
 * @ranges: [range_count], code: the functions must be in there
 * @source: for the entries; their name is for go_symbols_name()
 * Returns 0, -ENOENT (no Go program), -ENOEXEC (broken, or of an unknown form), -EIO, -ENOMEM.
 */
int go_symbols_read(const struct elf_image *image, const struct code_range *ranges, size_t range_count,
		    struct function_table *table, unsigned int source, struct go_names *ret_names);

/* Where in the texts the name of an entry is. Returns 0, -ENOENT (outside of the table) or -EIO. */
int go_symbols_name(const struct go_names *names, const struct elf_source *source, uint32_t entry_name,
		    uint32_t *ret_text);

#endif
