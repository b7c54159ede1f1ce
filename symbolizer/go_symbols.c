/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/go_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/go_table.h"

#define BLOCK_FUNCTIONS 4096

/* Pairs of an address and a record's place, in ascending order; where the last function ends comes alone. */
static int read_list(const struct go_table *tab, const struct elf_image *image, struct function_table *table,
		     unsigned int source, bool *ret_has_entry)
{
	size_t pair = 2 * tab->field;
	_cleanup_free_ unsigned char *block = malloc((BLOCK_FUNCTIONS + 1) * pair);
	uint64_t wanted_entry = image->entry - tab->base;

	if (!block)
		return -ENOMEM;
	*ret_has_entry = false;
	for (uint64_t at = 0; at < tab->count; at += BLOCK_FUNCTIONS) {
		uint64_t count = tab->count - at < BLOCK_FUNCTIONS ? tab->count - at : BLOCK_FUNCTIONS;
		size_t bytes = (size_t)count * pair + tab->field; /* with the next one's address */
		ssize_t got = elf_source_read(&image->source, tab->offset + tab->list + at * pair, block, bytes);

		if (got < 0)
			return (int)got;
		if ((size_t)got < bytes)
			return -ENOEXEC;
		for (size_t i = 0; i < count; i++) {
			uint64_t start = go_number_at(block, i * pair, tab->field);
			uint64_t end = go_number_at(block, (i + 1) * pair, tab->field);
			uint64_t record = go_number_at(block, i * pair + tab->field, tab->field);
			int err = 0;

			*ret_has_entry |= start == wanted_entry;
			if (end > start && record <= UINT32_MAX)
				err = function_table_add(table, tab->base + start, end - start, (uint32_t)record,
							 source, FUNCTION_SIZED);
			if (err)
				return err;
		}
	}
	return 0;
}

int go_symbols_read(const struct elf_image *image, const struct code_range *ranges, size_t range_count,
		    struct function_table *table, unsigned int source, struct go_names *ret_names)
{
	size_t before = table->entries.count;
	struct go_table tab = {0};
	bool has_entry;
	int err = go_table_find(image, ranges, range_count, &tab);

	if (err)
		return err;
	err = read_list(&tab, image, table, source, &has_entry);
	/* Go's own linker starts the program in a Go function. Another one does not, and puts code before Go's. */
	if (!err && tab.base_guessed && !has_entry)
		err = -ENOEXEC;
	if (err) {
		table->entries.count = before;
		return err;
	}
	*ret_names = (struct go_names){
		.records = tab.offset + tab.records,
		.records_bytes = tab.bytes - tab.records,
		.texts = tab.offset + tab.texts,
		.texts_bytes = tab.bytes - tab.texts,
		.name_at = go_table_name_at(&tab),
	};
	return 0;
}

int go_symbols_name(const struct go_names *names, const struct elf_source *source, uint32_t entry_name,
		    uint32_t *ret_text)
{
	uint64_t place = (uint64_t)entry_name + names->name_at;
	uint32_t text;
	ssize_t got;

	if (place + sizeof(text) > names->records_bytes)
		return -ENOENT;
	got = elf_source_read(source, names->records + place, &text, sizeof(text));
	if (got < 0)
		return (int)got;
	if ((size_t)got < sizeof(text) || text >= names->texts_bytes)
		return -ENOENT;
	*ret_text = text;
	return 0;
}
