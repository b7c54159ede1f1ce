/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_aranges.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"

#define SECTION_BYTES_MAX (64u << 20)

struct set {
	uint32_t unit; /* its number */
	uint8_t address_bytes;
	struct dwarf_cursor pairs;
};

/* False where the section ends; a set without a unit has no pairs. */
static bool next_set(const struct dwarf_file *file, struct dwarf_cursor *section, struct set *set)
{
	const unsigned char *start = section->at;
	const struct dwarf_unit_header *unit;
	uint64_t length = dwarf_number(section, 4), offset;
	uint8_t offset_bytes = 4;
	struct dwarf_cursor at;

	if (length == 0xffffffff) {
		length = dwarf_number(section, 8);
		offset_bytes = 8;
	}
	at = *section;
	dwarf_skip(section, length);
	if (section->failed)
		return false;
	at.end = section->at;
	dwarf_skip(&at, 2);
	offset = dwarf_number(&at, offset_bytes);
	set->address_bytes = (uint8_t)dwarf_number(&at, 1);
	dwarf_skip(&at, 1);
	/* Pairs start at a multiple of their size, counted from the set's start. */
	if (!at.failed && (set->address_bytes == 4 || set->address_bytes == 8))
		dwarf_skip(&at, -(uint64_t)(at.at - start) & (2u * set->address_bytes - 1));
	unit = dwarf_file_unit(file, offset);
	if (!unit || unit->offset != offset || (set->address_bytes != 4 && set->address_bytes != 8))
		at.failed = true;
	else
		set->unit = (uint32_t)(unit - file->units.items);
	set->pairs = at;
	return true;
}

static int add_pairs(struct set *set, dwarf_range_array *ranges)
{
	while (dwarf_cursor_left(&set->pairs) && ranges->count < DWARF_RANGES_MAX) {
		uint64_t start = dwarf_number(&set->pairs, set->address_bytes);
		uint64_t bytes = dwarf_number(&set->pairs, set->address_bytes);
		struct range *range;

		if (set->pairs.failed || (!start && !bytes))
			break;
		if (!start || bytes > UINT64_MAX - start)
			continue;
		range = array_add(ranges);
		if (!range)
			return -ENOMEM;
		*range = (struct range){start, start + bytes, set->unit};
	}
	return 0;
}

int dwarf_aranges_read(struct dwarf_file *file, const dwarf_range_array *own, dwarf_range_array *others)
{
	struct dwarf_cursor section;
	_cleanup_free_ unsigned char *known = calloc(file->units.count + 1, 1);
	size_t missing = file->units.count;
	struct set set;
	int err = 0;

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < own->count; i++) {
		missing -= !known[own->items[i].value];
		known[own->items[i].value] = 1;
	}
	if (!missing)
		return 0;
	section = dwarf_image_cursor(file->image, DWARF_ARANGES, 0, SECTION_BYTES_MAX);
	while (!err && dwarf_cursor_left(&section) && next_set(file, &section, &set))
		if (!set.pairs.failed && !known[set.unit])
			err = add_pairs(&set, others);
	return err;
}
