/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of a .dwp package: DWARF 5, section 7.3.5; version 2 is GCC's and LLVM's for DWARF 4, laid out alike. */
#include "symbolizer/dwarf_unit.h"

#define COLUMNS_MAX 16
#define UNITS_MAX (1u << 20)
#define INDEX_BYTES_MAX (256u << 20)

struct package_index {
	struct dwarf_span ids;	   /* u64 for each slot */
	struct dwarf_span rows;	   /* u32 for each slot: 1 + the row's number */
	struct dwarf_span offsets; /* u32 [units][columns] */
	uint32_t version, columns, units, slots;
	uint32_t section_of[COLUMNS_MAX]; /* enum dwarf_section, or DWARF_SECTION_COUNT for one that we do not read */
};

static uint32_t section_of_column(uint32_t version, uint32_t id)
{
	switch (id) {
	case 1:
		return DWARF_INFO;
	case 3:
		return DWARF_ABBREV;
	case 4:
		return DWARF_LINE;
	case 6:
		return DWARF_STR_OFFSETS;
	case 8:
		return version >= 5 ? DWARF_RNGLISTS : DWARF_SECTION_COUNT;
	default:
		return DWARF_SECTION_COUNT;
	}
}

static struct dwarf_span take_span(struct dwarf_cursor *cursor, uint64_t bytes)
{
	struct dwarf_span span = {cursor->at, (size_t)bytes};

	dwarf_skip(cursor, bytes);
	return cursor->failed ? (struct dwarf_span){0} : span;
}

static bool read_index(struct dwarf_cursor cursor, struct package_index *index)
{
	/* Version 5 is a half word and two bytes of padding: the same 32 bits. */
	index->version = (uint32_t)dwarf_number(&cursor, 4);
	index->columns = (uint32_t)dwarf_number(&cursor, 4);
	index->units = (uint32_t)dwarf_number(&cursor, 4);
	index->slots = (uint32_t)dwarf_number(&cursor, 4);
	if (cursor.failed || (index->version != 2 && index->version != 5) || index->columns > COLUMNS_MAX ||
	    index->units > UNITS_MAX || index->slots > 4 * UNITS_MAX || index->slots & (index->slots - 1))
		return false;
	index->ids = take_span(&cursor, 8ull * index->slots);
	index->rows = take_span(&cursor, 4ull * index->slots);
	for (uint32_t i = 0; i < index->columns; i++)
		index->section_of[i] = section_of_column(index->version, (uint32_t)dwarf_number(&cursor, 4));
	index->offsets = take_span(&cursor, 4ull * index->columns * index->units);
	return !cursor.failed;
}

static void read_row(const struct package_index *index, uint32_t row, struct dwarf_package_row *ret_row)
{
	struct dwarf_cursor cursor = dwarf_cursor_at(index->offsets, 4ull * index->columns * row);

	memset(ret_row, 0, sizeof(*ret_row));
	for (uint32_t i = 0; i < index->columns; i++) {
		uint32_t offset = (uint32_t)dwarf_number(&cursor, 4);

		if (index->section_of[i] < DWARF_SECTION_COUNT)
			ret_row->offsets[index->section_of[i]] = offset;
	}
}

bool dwarf_package_find(struct dwarf_image *image, uint64_t split_id, struct dwarf_package_row *ret_row)
{
	struct dwarf_cursor section = dwarf_image_cursor(image, DWARF_CU_INDEX, 0, INDEX_BYTES_MAX);
	struct package_index index = {0};
	uint32_t mask, step;
	uint64_t slot;

	if (!read_index(section, &index) || !index.slots)
		return false;
	mask = index.slots - 1;
	step = ((uint32_t)(split_id >> 32) & mask) | 1;
	slot = split_id & mask;
	for (uint32_t tries = 0; tries < index.slots; tries++, slot = (slot + step) & mask) {
		struct dwarf_cursor ids = dwarf_cursor_at(index.ids, 8 * slot);
		struct dwarf_cursor rows = dwarf_cursor_at(index.rows, 4 * slot);
		uint64_t id = dwarf_number(&ids, 8);
		uint32_t row = (uint32_t)dwarf_number(&rows, 4);

		if (!row || row > index.units)
			return false;
		if (id == split_id) {
			read_row(&index, row - 1, ret_row);
			return true;
		}
	}
	return false;
}
