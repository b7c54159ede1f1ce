/* SPDX-License-Identifier: BSD-2-Clause */
/* The second half of dwarf_unit.h: what values mean. */
#include <dwarf.h>
#include <errno.h>

#include "symbolizer/dwarf_unit.h"

#define LIST_FIRST_BYTES 4096 /* of a range list: it does not say how long it is */
#define LIST_BYTES_MAX (16u << 20)

static bool is_string_index(unsigned int form)
{
	return form == DW_FORM_strx || (form >= DW_FORM_strx1 && form <= DW_FORM_strx4) ||
	       form == DW_FORM_GNU_str_index;
}

static bool is_address_index(unsigned int form)
{
	return form == DW_FORM_addrx || (form >= DW_FORM_addrx1 && form <= DW_FORM_addrx4) ||
	       form == DW_FORM_GNU_addr_index;
}

/* Entry @index of a table of numbers of @bytes each. */
static bool table_entry(struct dwarf_image *image, enum dwarf_section_id section, uint64_t base, uint64_t index,
			uint8_t bytes, uint64_t *ret_number)
{
	struct dwarf_cursor cursor;
	uint64_t number;

	if (base > dwarf_image_size(image, section) || index > dwarf_image_size(image, section))
		return false;
	cursor = dwarf_image_cursor(image, section, base + index * bytes, bytes);
	number = dwarf_number(&cursor, bytes);
	if (cursor.failed)
		return false;
	*ret_number = number;
	return true;
}

bool dwarf_unit_text(const struct dwarf_unit *unit, const struct dwarf_entry *entry, enum dwarf_attribute attribute,
		     bool *ret_alternate, struct dwarf_text_place *ret_place)
{
	const struct dwarf_value *value = dwarf_entry_value(entry, attribute);
	struct dwarf_text_place place = {.section = DWARF_STR};
	bool alternate = false;

	if (!value)
		return false;
	place.offset = value->number;
	switch (value->form) {
	case DW_FORM_string:
		place.section = DWARF_INFO;
		break;
	case DW_FORM_strp:
		break;
	case DW_FORM_line_strp:
		place.section = DWARF_LINE_STR;
		break;
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		alternate = true;
		break;
	default:
		if (!is_string_index(value->form) ||
		    !table_entry(unit->file->image, DWARF_STR_OFFSETS, unit->strings_base, value->number,
				 unit->header.format.offset_bytes, &place.offset))
			return false;
	}
	*ret_alternate = alternate;
	*ret_place = place;
	return true;
}

static bool indexed_address(const struct dwarf_unit *unit, uint64_t index, uint64_t *ret_address)
{
	return table_entry(unit->addresses->image, DWARF_ADDR, unit->address_base, index,
			   unit->header.format.address_bytes, ret_address);
}

bool dwarf_unit_address(const struct dwarf_unit *unit, const struct dwarf_entry *entry, enum dwarf_attribute attribute,
			uint64_t *ret_address)
{
	const struct dwarf_value *value = dwarf_entry_value(entry, attribute);

	if (!value)
		return false;
	if (is_address_index(value->form))
		return indexed_address(unit, value->number, ret_address);
	if (value->form != DW_FORM_addr)
		return false;
	*ret_address = value->number;
	return true;
}

bool dwarf_unit_number(const struct dwarf_entry *entry, enum dwarf_attribute attribute, uint64_t *ret_number)
{
	const struct dwarf_value *value = dwarf_entry_value(entry, attribute);

	if (!value)
		return false;
	switch (value->form) {
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_udata:
	case DW_FORM_sdata:
	case DW_FORM_implicit_const:
	case DW_FORM_sec_offset:
		*ret_number = value->number;
		return true;
	default:
		return false;
	}
}

bool dwarf_unit_reference(const struct dwarf_unit *unit, const struct dwarf_entry *entry,
			  enum dwarf_attribute attribute, bool *ret_alternate, uint64_t *ret_offset)
{
	const struct dwarf_value *value = dwarf_entry_value(entry, attribute);

	if (!value)
		return false;
	switch (value->form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		if (value->number >= unit->header.end - unit->header.offset)
			return false;
		*ret_offset = unit->header.offset + value->number;
		*ret_alternate = false;
		return true;
	case DW_FORM_ref_addr:
		*ret_offset = value->number;
		*ret_alternate = false;
		return true;
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
	case DW_FORM_GNU_ref_alt:
		*ret_offset = value->number;
		*ret_alternate = true;
		return true;
	default:
		return false;
	}
}

static int add_range(uint64_t start, uint64_t end, uint32_t value, dwarf_range_array *ranges)
{
	struct range *range;

	if (!start || start >= end || ranges->count >= DWARF_RANGES_MAX)
		return 0;
	range = array_add(ranges);
	if (!range)
		return -ENOMEM;
	*range = (struct range){start, end, value};
	return 0;
}

/* .debug_ranges, DWARF 4, section 2.17.3. False at the list's end. */
static bool read_pair(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, uint64_t *base, uint64_t *ret_start,
		      uint64_t *ret_end)
{
	uint8_t bytes = unit->header.format.address_bytes;
	uint64_t start = dwarf_number(cursor, bytes), end = dwarf_number(cursor, bytes);

	*ret_start = *ret_end = 0;
	if (cursor->failed || (!start && !end))
		return false;
	if (start == (bytes == 8 ? UINT64_MAX : UINT32_MAX)) {
		*base = end;
		return true;
	}
	*ret_start = *base + start;
	*ret_end = *base + end;
	return true;
}

/* .debug_rnglists, DWARF 5, section 2.17.3. False at the list's end or where it is broken. */
static bool read_list_entry(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, uint64_t *base,
			    uint64_t *ret_start, uint64_t *ret_end)
{
	uint8_t bytes = unit->header.format.address_bytes;
	bool known = true;

	*ret_start = *ret_end = 0;
	switch (dwarf_number(cursor, 1)) {
	case DW_RLE_base_addressx:
		known = indexed_address(unit, dwarf_uleb(cursor), base);
		break;
	case DW_RLE_startx_endx:
		known = indexed_address(unit, dwarf_uleb(cursor), ret_start);
		known &= indexed_address(unit, dwarf_uleb(cursor), ret_end);
		break;
	case DW_RLE_startx_length:
		known = indexed_address(unit, dwarf_uleb(cursor), ret_start);
		*ret_end = *ret_start + dwarf_uleb(cursor);
		break;
	case DW_RLE_offset_pair:
		*ret_start = *base + dwarf_uleb(cursor);
		*ret_end = *base + dwarf_uleb(cursor);
		break;
	case DW_RLE_base_address:
		*base = dwarf_number(cursor, bytes);
		break;
	case DW_RLE_start_end:
		*ret_start = dwarf_number(cursor, bytes);
		*ret_end = dwarf_number(cursor, bytes);
		break;
	case DW_RLE_start_length:
		*ret_start = dwarf_number(cursor, bytes);
		*ret_end = *ret_start + dwarf_uleb(cursor);
		break;
	default: /* DW_RLE_end_of_list too */
		return false;
	}
	if (!known)
		*ret_start = *ret_end = 0;
	return !cursor->failed;
}

/* What lies in one stretch of the section; @ret_whole: the list ended there. */
static int read_stretch(struct dwarf_unit *unit, struct dwarf_cursor cursor, bool pairs, uint32_t value,
			dwarf_range_array *ranges, bool *ret_whole)
{
	uint64_t base = unit->low_pc, start, end;

	while (unit->list_entries_left) {
		bool more = pairs ? read_pair(unit, &cursor, &base, &start, &end)
				  : read_list_entry(unit, &cursor, &base, &start, &end);
		int err = more ? add_range(start, end, value, ranges) : 0;

		unit->list_entries_left--;
		if (err)
			return err;
		if (!more)
			break;
	}
	*ret_whole = !cursor.failed;
	return 0;
}

static int read_list(struct dwarf_unit *unit, struct dwarf_image *image, enum dwarf_section_id section, uint64_t offset,
		     uint32_t value, dwarf_range_array *ranges)
{
	size_t before = ranges->count;
	bool whole = false;
	int err = 0;

	for (uint64_t length = LIST_FIRST_BYTES; length <= LIST_BYTES_MAX && !whole && !err; length *= 16) {
		struct dwarf_cursor cursor = dwarf_image_cursor(image, section, offset, length);

		if (cursor.failed)
			break;
		ranges->count = before;
		err = read_stretch(unit, cursor, section == DWARF_RANGES, value, ranges, &whole);
		whole |= dwarf_cursor_left(&cursor) < length;
	}
	return err;
}

static int read_ranges(struct dwarf_unit *unit, const struct dwarf_value *list, uint32_t value,
		       dwarf_range_array *ranges)
{
	struct dwarf_image *lists = unit->file->image;
	uint64_t offset = list->number;

	if (list->form == DW_FORM_rnglistx) {
		if (!table_entry(lists, DWARF_RNGLISTS, unit->lists_base, list->number,
				 unit->header.format.offset_bytes, &offset))
			return 0;
		return read_list(unit, lists, DWARF_RNGLISTS, unit->lists_base + offset, value, ranges);
	}
	if (list->form != DW_FORM_sec_offset && list->form != DW_FORM_data4 && list->form != DW_FORM_data8)
		return 0;
	if (unit->header.format.version >= 5)
		return read_list(unit, lists, DWARF_RNGLISTS, unit->lists_part + offset, value, ranges);
	/* The skeleton's base is for the entries of its .dwo; its own list, in the linked file, is not relative. */
	return read_list(unit, unit->addresses->image, DWARF_RANGES, offset + (unit->split ? unit->ranges_base : 0),
			 value, ranges);
}

int dwarf_unit_ranges(struct dwarf_unit *unit, const struct dwarf_entry *entry, uint32_t value,
		      dwarf_range_array *ranges)
{
	const struct dwarf_value *list = dwarf_entry_value(entry, DWARF_RANGE_LIST);
	uint64_t start, end;

	if (list)
		return read_ranges(unit, list, value, ranges);
	if (!dwarf_unit_address(unit, entry, DWARF_LOW_PC, &start))
		return 0;
	if (dwarf_unit_address(unit, entry, DWARF_HIGH_PC, &end))
		return add_range(start, end, value, ranges);
	if (!dwarf_unit_number(entry, DWARF_HIGH_PC, &end))
		return 0;
	return add_range(start, start + end, value, ranges);
}
