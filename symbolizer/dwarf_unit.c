/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_unit.h"

#include <dwarf.h>
#include <errno.h>

#include "symbolizer/base/partition_point.h"

#define HEADER_BYTES_MAX 64
#define FIRST_ADDRESS_V5 8 /* bytes of a 32-bit table's header, where no base is given */
#define FIRST_RANGE_LIST_V5 12
#define FIRST_STRING_V5 8

void dwarf_file_deinit(struct dwarf_file *file)
{
	dwarf_image_free(file->image);
	array_deinit(&file->units);
	*file = (struct dwarf_file){0};
}

bool dwarf_unit_header_read(struct dwarf_image *image, uint64_t offset, struct dwarf_unit_header *ret_header)
{
	struct dwarf_cursor cursor = dwarf_image_cursor(image, DWARF_INFO, offset, HEADER_BYTES_MAX);
	uint64_t left = dwarf_image_size(image, DWARF_INFO) - offset, length = dwarf_number(&cursor, 4);
	const unsigned char *start = cursor.at;
	struct dwarf_unit_header header = {.offset = offset, .type = DW_UT_compile};

	header.format.offset_bytes = 4;
	header.header_bytes = 4;
	if (length == 0xffffffff) {
		length = dwarf_number(&cursor, 8);
		header.format.offset_bytes = 8;
		header.header_bytes = 12;
	}
	ret_header->end = 0;
	if (cursor.failed || length > left - header.header_bytes)
		return false;
	ret_header->end = header.end = offset + header.header_bytes + length;
	header.format.version = (uint16_t)dwarf_number(&cursor, 2);
	if (header.format.version >= 5) {
		header.type = (uint8_t)dwarf_number(&cursor, 1);
		header.format.address_bytes = (uint8_t)dwarf_number(&cursor, 1);
		header.abbrevs = dwarf_number(&cursor, header.format.offset_bytes);
		if (header.type == DW_UT_skeleton || header.type == DW_UT_split_compile)
			header.split_id = dwarf_number(&cursor, 8);
		else if (header.type == DW_UT_type || header.type == DW_UT_split_type)
			dwarf_skip(&cursor, 8 + header.format.offset_bytes);
	} else {
		header.abbrevs = dwarf_number(&cursor, header.format.offset_bytes);
		header.format.address_bytes = (uint8_t)dwarf_number(&cursor, 1);
	}
	header.header_bytes = (uint8_t)(cursor.at - start + 4);
	if (cursor.failed || header.format.version < 2 || header.format.version > 5 ||
	    (header.format.address_bytes != 4 && header.format.address_bytes != 8) ||
	    header.header_bytes > header.end - offset || header.end - offset > DWARF_UNIT_BYTES_MAX)
		return false;
	*ret_header = header;
	return true;
}

int dwarf_file_init(struct dwarf_file *file, struct dwarf_image *image)
{
	struct dwarf_unit_header header;
	uint64_t offset = 0;

	*file = (struct dwarf_file){.image = image, .abbrev_bytes_left = DWARF_ABBREV_BYTES_MAX};
	/* Each header is at least four bytes, so that this comes to its end. */
	while (file->units.count < DWARF_UNITS_MAX) {
		bool known = dwarf_unit_header_read(image, offset, &header);
		struct dwarf_unit_header *added;

		if (!header.end)
			break;
		offset = header.end;
		if (!known)
			continue;
		added = array_add(&file->units);
		if (!added)
			return -ENOMEM;
		*added = header;
	}
	return 0;
}

const struct dwarf_unit_header *dwarf_file_unit(const struct dwarf_file *file, uint64_t offset)
{
	size_t at = partition_point(i, file->units.count, file->units.items[i].offset <= offset);

	return at && offset < file->units.items[at - 1].end ? &file->units.items[at - 1] : NULL;
}

void dwarf_unit_deinit(struct dwarf_unit *unit)
{
	dwarf_abbrevs_deinit(&unit->abbrevs);
}

struct dwarf_cursor dwarf_unit_cursor(const struct dwarf_unit *unit, uint64_t offset)
{
	if (offset < unit->header.offset + unit->header.header_bytes || offset >= unit->header.end)
		return (struct dwarf_cursor){.failed = true};
	return dwarf_image_cursor(unit->file->image, DWARF_INFO, offset, unit->header.end - offset);
}

/* The bases that entries refer to are in the root, and the root's own values may need them. */
static void read_bases(struct dwarf_unit *unit)
{
	bool v5 = unit->header.format.version >= 5;

	unit->address_base = v5 ? FIRST_ADDRESS_V5 : 0;
	unit->strings_base = v5 ? FIRST_STRING_V5 : 0;
	unit->lists_base = FIRST_RANGE_LIST_V5;
	dwarf_unit_number(&unit->root, DWARF_ADDRESS_BASE, &unit->address_base);
	dwarf_unit_number(&unit->root, DWARF_STRINGS_BASE, &unit->strings_base);
	dwarf_unit_number(&unit->root, DWARF_LISTS_BASE, &unit->lists_base);
	dwarf_unit_number(&unit->root, DWARF_RANGES_BASE, &unit->ranges_base);
	dwarf_unit_number(&unit->root, DWARF_SPLIT_ID, &unit->header.split_id);
	dwarf_unit_address(unit, &unit->root, DWARF_LOW_PC, &unit->low_pc);
}

static void take_bases(struct dwarf_unit *unit, const struct dwarf_unit *skeleton, const struct dwarf_package_row *row)
{
	bool v5 = unit->header.format.version >= 5;

	unit->split = true;
	unit->addresses = skeleton->file;
	unit->header.split_id = skeleton->header.split_id;
	unit->low_pc = skeleton->low_pc;
	unit->address_base = skeleton->address_base;
	unit->ranges_base = skeleton->ranges_base;
	unit->strings_base = (row ? row->offsets[DWARF_STR_OFFSETS] : 0) + (v5 ? FIRST_STRING_V5 : 0);
	unit->lists_part = row ? row->offsets[DWARF_RNGLISTS] : 0;
	unit->lists_base = unit->lists_part + FIRST_RANGE_LIST_V5;
}

int dwarf_unit_init(struct dwarf_unit *unit, struct dwarf_file *file, const struct dwarf_unit_header *header,
		    const struct dwarf_unit *skeleton, const struct dwarf_package_row *row, bool root_only)
{
	struct dwarf_cursor cursor;
	uint64_t code;
	int err;

	*unit = (struct dwarf_unit){
		.file = file, .addresses = file, .header = *header, .list_entries_left = DWARF_LIST_ENTRIES_MAX};
	cursor = root_only ? dwarf_image_cursor(file->image, DWARF_INFO, header->offset + header->header_bytes, 4096)
			   : dwarf_unit_cursor(unit, header->offset + header->header_bytes);
	code = dwarf_uleb(&cursor);
	if (cursor.failed || !code)
		return -ENODATA;
	err = dwarf_abbrevs_init(&unit->abbrevs, file->image, header->abbrevs, header->format, root_only ? code : 0,
				 &file->abbrev_bytes_left);
	if (err)
		return err;
	unit->root.offset = header->offset + header->header_bytes;
	unit->root.abbrev = dwarf_abbrevs_find(&unit->abbrevs, code);
	if (!unit->root.abbrev || !dwarf_values_read(unit, &cursor, &unit->root))
		return -ENODATA;
	if (skeleton)
		take_bases(unit, skeleton, row);
	else
		read_bases(unit);
	return 0;
}

/* Passes over a value whose size depends on itself. */
static void skip_value(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, uint64_t form)
{
	uint8_t address_bytes = unit->header.format.address_bytes, offset_bytes = unit->header.format.offset_bytes;

	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		break;
	case DW_FORM_udata:
	case DW_FORM_sdata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		dwarf_uleb(cursor);
		break;
	case DW_FORM_string:
		dwarf_text(cursor);
		break;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		dwarf_skip(cursor, dwarf_uleb(cursor));
		break;
	case DW_FORM_block1:
		dwarf_skip(cursor, dwarf_number(cursor, 1));
		break;
	case DW_FORM_block2:
		dwarf_skip(cursor, dwarf_number(cursor, 2));
		break;
	case DW_FORM_block4:
		dwarf_skip(cursor, dwarf_number(cursor, 4));
		break;
	case DW_FORM_indirect:
		form = dwarf_uleb(cursor);
		/* Only forms of a size that stands here: none of them is this one again. */
		if (form == DW_FORM_addr)
			dwarf_skip(cursor, address_bytes);
		else if (form == DW_FORM_sec_offset || form == DW_FORM_strp)
			dwarf_skip(cursor, offset_bytes);
		else if (form == DW_FORM_udata || form == DW_FORM_sdata)
			dwarf_uleb(cursor);
		else
			cursor->failed = true;
		break;
	default:
		cursor->failed = true;
	}
}

static void read_value(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, const struct dwarf_form *form,
		       struct dwarf_value *value)
{
	value->form = form->form;
	if (form->bytes && form->bytes <= sizeof(value->number)) {
		value->number = dwarf_number(cursor, form->bytes);
		return;
	}
	switch (form->form) {
	case DW_FORM_implicit_const:
		value->number = (uint64_t)form->constant;
		break;
	case DW_FORM_flag_present:
		value->number = 1;
		break;
	case DW_FORM_sdata:
		value->number = (uint64_t)dwarf_sleb(cursor);
		break;
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		value->number = dwarf_uleb(cursor);
		break;
	case DW_FORM_string:
		value->number = dwarf_image_offset(unit->file->image, DWARF_INFO, cursor);
		dwarf_text(cursor);
		break;
	default:
		/* A block, say: the number means nothing to those who ask for such a form. */
		value->number = 0;
		if (form->bytes)
			dwarf_skip(cursor, form->bytes);
		else
			skip_value(unit, cursor, form->form);
	}
}

bool dwarf_values_read(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, struct dwarf_entry *entry)
{
	const struct dwarf_form *form = unit->abbrevs.forms.items + entry->abbrev->first;

	entry->present = 0;
	for (uint32_t i = 0; i < entry->abbrev->count && !cursor->failed; i++, form++) {
		if (form->attribute != DWARF_PASSED_OVER) {
			read_value(unit, cursor, form, &entry->values[form->attribute]);
			entry->present |= 1u << form->attribute;
		} else if (form->bytes) {
			dwarf_skip(cursor, form->bytes);
		} else {
			skip_value(unit, cursor, form->form);
		}
	}
	return !cursor->failed;
}

bool dwarf_values_skip(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, const struct dwarf_abbrev *abbrev)
{
	const struct dwarf_form *form = unit->abbrevs.forms.items + abbrev->first;

	if (abbrev->bytes) {
		dwarf_skip(cursor, abbrev->bytes);
		return !cursor->failed;
	}
	for (uint32_t i = 0; i < abbrev->count && !cursor->failed; i++, form++) {
		if (form->bytes)
			dwarf_skip(cursor, form->bytes);
		else
			skip_value(unit, cursor, form->form);
	}
	return !cursor->failed;
}
