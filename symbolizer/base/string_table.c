/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/base/string_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STRING_BYTES_MAX (1u << 20)
#define BLOCK_BYTES (64u << 10)

static int store(struct string_table *table, const char *text, size_t length, const char **ret_text)
{
	char *place, **block;

	if (!table->arena.count || table->block_size - table->block_used < length + 1) {
		size_t size = length + 1 > BLOCK_BYTES ? length + 1 : BLOCK_BYTES;

		if (array_reserve(&table->arena, 1))
			return -ENOMEM;
		place = malloc(size);
		if (!place)
			return -ENOMEM;
		block = array_add(&table->arena);
		*block = place;
		table->block_used = 0;
		table->block_size = size;
	}
	place = table->arena.items[table->arena.count - 1] + table->block_used;
	if (length)
		memcpy(place, text, length);
	place[length] = '\0';
	table->block_used += length + 1;
	*ret_text = place;
	return 0;
}

static bool find(const struct string_table *table, uint64_t hash, const char *text, size_t length, string_id *ret_id)
{
	uint32_t id;

	for (size_t at = hash_index_first(&table->index, hash); hash_index_next(&table->index, hash, &at, &id);) {
		const struct string_table_entry *entry = &table->entries.items[id];

		if (entry->length == length && !memcmp(entry->text, text, length)) {
			*ret_id = id;
			return true;
		}
	}
	return false;
}

int string_table_init(struct string_table *table)
{
	string_id empty;
	int err;

	memset(table, 0, sizeof(*table));
	err = string_table_add(table, "", 0, &empty);
	if (err)
		string_table_deinit(table);
	return err;
}

void string_table_deinit(struct string_table *table)
{
	for (size_t i = 0; i < table->arena.count; i++)
		free(table->arena.items[i]);
	array_deinit(&table->arena);
	array_deinit(&table->entries);
	hash_index_deinit(&table->index);
}

size_t string_table_bytes(const struct string_table *table)
{
	return table->arena.count * BLOCK_BYTES;
}

void string_table_clear(struct string_table *table)
{
	string_id empty;

	if (!table->entries.count)
		return;
	for (size_t i = 1; i < table->arena.count; i++)
		free(table->arena.items[i]);
	table->arena.count = 1;
	table->block_size = BLOCK_BYTES; /* the first one holds "", so it is no larger one */
	table->block_used = table->entries.count = 0;
	hash_index_clear(&table->index);
	/* There was room for it before. */
	string_table_add(table, "", 0, &empty);
}

int string_table_find(const struct string_table *table, const char *text, size_t length, string_id *ret_id)
{
	length = length ? strnlen(text, length) : 0;
	return find(table, hash_bytes(text, length), text, length, ret_id) ? 0 : -ENOENT;
}

int string_table_add(struct string_table *table, const char *text, size_t length, string_id *ret_id)
{
	struct string_table_entry *entry;
	const char *stored;
	uint64_t hash;

	length = length ? strnlen(text, length) : 0;
	if (length >= STRING_BYTES_MAX)
		return -E2BIG;
	hash = hash_bytes(text, length);
	if (find(table, hash, text, length, ret_id))
		return 0;

	if (array_reserve(&table->entries, 1) || store(table, text, length, &stored) ||
	    hash_index_insert(&table->index, hash, (uint32_t)table->entries.count))
		return -ENOMEM;
	entry = array_add(&table->entries);
	entry->text = stored;
	entry->length = (uint32_t)length;
	*ret_id = (string_id)(table->entries.count - 1);
	return 0;
}
