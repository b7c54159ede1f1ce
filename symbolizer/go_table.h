/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * go_table: where the parts of the table are that a Go program unwinds and names its functions with (pclntab).
 *
 * strip(1) and `-ldflags "-s -w"` leave that table alone: a Go program always has it. It lists where functions start, and a
 * record for each; a record says where the function's name is, and where its stack depths by place are. The four forms are
 * those of Go 1.2, 1.16, 1.18 and 1.20, little-endian.
 *
 * https://go.dev/s/go12symtab; src/internal/abi/symtab.go and src/debug/gosym/pclntab.go in Go's sources
 */
#ifndef SYMBOLIZER_GO_TABLE_H
#define SYMBOLIZER_GO_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "symbolizer/elf_image.h"
#include "symbolizer/function_table.h"

#define GO_1_2 0xfffffffbu
#define GO_1_16 0xfffffffau
#define GO_1_18 0xfffffff0u
#define GO_1_20 0xfffffff1u

/* A table's outline. All offsets are from its start, and below its size. */
struct go_table {
	uint64_t offset, bytes; /* in the file; up to the end of what it is in */
	uint32_t magic;
	uint32_t quantum;  /* bytes that one step of a list of depths stands for */
	uint32_t word;	   /* bytes of a pointer */
	uint32_t field;	   /* bytes of a number in the list of functions */
	uint64_t count;	   /* functions */
	uint64_t base;	   /* added to the addresses in the list */
	bool base_guessed; /* the table did not say it */
	/* The list of functions is whole within the file: pairs of an address and a record's place, then where the last one ends. */
	uint64_t list, records, texts, depths;
};

/**
 * go_table_find() - a file's table
 * @ranges: [range_count], code: where the list's addresses count from must be in there
 * Returns 0, -ENOENT (no Go program), -ENOEXEC (broken, or of an unknown form), -EIO, -ENOMEM.
 */
int go_table_find(const struct elf_image *image, const struct code_range *ranges, size_t range_count,
		  struct go_table *ret_table);

/* Bytes of a record before the number that is its name's place in the texts. */
static inline uint32_t go_table_name_at(const struct go_table *table)
{
	return table->magic == GO_1_2 || table->magic == GO_1_16 ? table->word : 4;
}

static inline uint64_t go_number_at(const void *bytes, size_t at, uint32_t width)
{
	uint64_t wide = 0;

	memcpy(&wide, (const char *)bytes + at, width);
	return wide;
}

#endif
