/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * function_table: where functions start and end, sixteen bytes each; names are somebody else's.
 *
 * Entries are added in any order, as often as symbol tables repeat them; function_table_finish() then sorts them and
 * keeps one for each address. After it, and until the next addition, entries are sorted by address, no two start at
 * one address, each lies in one range of code, and none is empty. They may be nested.
 */
#ifndef SYMBOLIZER_FUNCTION_TABLE_H
#define SYMBOLIZER_FUNCTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/array.h"

#define FUNCTION_ADDRESS_BITS 56
#define FUNCTION_ADDRESS_MAX ((1ull << FUNCTION_ADDRESS_BITS) - 1)
#define FUNCTION_NONE SIZE_MAX

/*
 * Of several names for one address the one with the lowest rank is kept, of equals the one from the lower source, then the
 * larger, then the one that function_choice prefers, then the one that was added last.
 */
enum {
	FUNCTION_SIZED = 0,
	FUNCTION_SIZELESS = 1, /* ends where the next one starts */
	FUNCTION_LABEL = 2,    /* not said to be a function; dropped where it is inside of one */
};

struct function_entry {
	uint64_t address : FUNCTION_ADDRESS_BITS, source : 4, rank : 4;
	uint32_t bytes; /* larger ones are cut */
	uint32_t name;	/* the adder's; stays with the entry */
};

/* A bit field's sums are of its own width in gcc: these are not. */
static inline uint64_t function_entry_end(const struct function_entry *entry)
{
	return (uint64_t)entry->address + entry->bytes;
}

/* Addresses of code: [start, end). */
struct code_range {
	uint64_t start, end;
};

struct function_table {
	ARRAY(struct function_entry) entries;
};

static inline void function_table_deinit(struct function_table *table)
{
	array_deinit(&table->entries);
}

/* Adds one; an address above FUNCTION_ADDRESS_MAX is ignored. @bytes is not looked at where it is FUNCTION_SIZELESS. */
static inline int function_table_add(struct function_table *table, uint64_t address, uint64_t bytes, uint32_t name,
				     unsigned int source, unsigned int rank)
{
	struct function_entry *entry;

	if (address > FUNCTION_ADDRESS_MAX)
		return 0;
	entry = array_add(&table->entries);
	if (!entry)
		return -ENOMEM;
	entry->address = address;
	entry->source = source & 15;
	entry->rank = rank & 15;
	entry->bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
	entry->name = name;
	return 0;
}

/* Whose name is better? It may not know: both answers may be false. */
struct function_choice {
	bool (*prefers)(void *data, const struct function_entry *entry, const struct function_entry *other);
	void *data;
};

/**
 * function_table_finish() - make a table that can be searched; again, after more was added
 * @ranges:   [range_count], sorted, not overlapping: what is outside of them is dropped, what sticks out is cut
 * @sizeless: whether to keep functions without a size. In a table of exported functions alone they would seem to
 *            reach over all that is not exported.
 * @choice:   may be NULL
 * Returns 0 or -ENOMEM, the table then unsorted.
 */
int function_table_finish(struct function_table *table, const struct code_range *ranges, size_t range_count,
			  bool sizeless, const struct function_choice *choice);

/* What an address is in. All zero before the first look-up. */
struct function_place {
	size_t number;	   /* in entries, or FUNCTION_NONE */
	uint64_t from, to; /* where the answer is the same: smaller than the function where others are nested in it */
	size_t hint;	   /* for the next look-up */
};

/**
 * function_table_find() - the innermost function that holds an address
 * @place: of the last look-up, which makes ascending addresses cheap; filled anew
 */
void function_table_find(const struct function_table *table, uint64_t address, struct function_place *place);

#endif
