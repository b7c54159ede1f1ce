/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * string_table: every string once, by number.
 *
 * Number 0 is the empty string, so a zeroed struct has empty names. Strings are bytes with a length and a closing NUL;
 * they may hold anything else but NUL, and they neither move nor go away before the table does, or is cleared.
 */
#ifndef STOKER_BASE_STRING_TABLE_H
#define STOKER_BASE_STRING_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

typedef uint32_t string_id;

struct string_table_entry {
	const char *text; /* NUL-terminated, owned by the table's arena */
	uint32_t length;  /* bytes, without the NUL */
};

struct string_table {
	ARRAY(struct string_table_entry) entries;
	ARRAY(char *) arena; /* blocks; the last one is being filled */
	size_t block_used;   /* bytes of the last block */
	size_t block_size;
	struct hash_index index;
};

/* Returns 0 or -ENOMEM. */
int string_table_init(struct string_table *table);
void string_table_deinit(struct string_table *table);

/* Memory that the texts take, in whole blocks. */
size_t string_table_bytes(const struct string_table *table);

/* Forgets every string but number 0. */
void string_table_clear(struct string_table *table);

/**
 * string_table_add() - the number of a string, new or known
 * @text:   [length], copied; not NULL where @length > 0; read up to its first NUL, if it has one
 * @ret_id: untouched on failure
 * Returns 0, -ENOMEM, or -E2BIG (strings are at most 1 MiB long).
 */
int string_table_add(struct string_table *table, const char *text, size_t length, string_id *ret_id);

/**
 * string_table_find() - the number of a known string
 * Returns 0, or -ENOENT where the table has no such string.
 */
int string_table_find(const struct string_table *table, const char *text, size_t length, string_id *ret_id);

/* The text of a number that this table gave; "" for any other. */
static inline const char *string_table_text(const struct string_table *table, string_id id)
{
	return id < table->entries.count ? table->entries.items[id].text : "";
}

static inline size_t string_table_length(const struct string_table *table, string_id id)
{
	return id < table->entries.count ? table->entries.items[id].length : 0;
}

#endif
