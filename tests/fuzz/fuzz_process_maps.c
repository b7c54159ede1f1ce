/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_process_maps: the text of /proc/PID/maps, whose paths a container chooses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/process_maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mapping_array mappings = {0};
	char *text = malloc(size + 1);
	struct string_table strings;

	if (!text || string_table_init(&strings))
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (process_maps_parse(text, &strings, &mappings))
		abort();
	for (size_t i = 0; i < mappings.list.count; i++) {
		const struct mapping *mapping = &mappings.list.items[i];

		if (mapping->start >= mapping->end || mapping->kind > MAPPING_OTHER ||
		    mapping->name >= strings.entries.count || mapping->path >= strings.entries.count ||
		    strchr(string_table_text(&strings, mapping->name), '/') || mapping->file)
			abort();
	}
	array_deinit(&mappings.list);
	string_table_deinit(&strings);
	free(text);
	return 0;
}
