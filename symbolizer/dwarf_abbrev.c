/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_abbrev.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_STEP_BYTES 4096
#define TABLE_BYTES_MAX (16u << 20)

void dwarf_abbrevs_deinit(struct dwarf_abbrevs *table)
{
	array_deinit(&table->abbrevs);
	array_deinit(&table->forms);
}

static const uint8_t attributes[DW_AT_linkage_name + 12] = {
	[DW_AT_sibling] = DWARF_SIBLING + 1,
	[DW_AT_name] = DWARF_NAME + 1,
	[DW_AT_stmt_list] = DWARF_STATEMENTS + 1,
	[DW_AT_low_pc] = DWARF_LOW_PC + 1,
	[DW_AT_high_pc] = DWARF_HIGH_PC + 1,
	[DW_AT_language] = DWARF_LANGUAGE + 1,
	[DW_AT_comp_dir] = DWARF_DIRECTORY + 1,
	[DW_AT_abstract_origin] = DWARF_ORIGIN + 1,
	[DW_AT_specification] = DWARF_SPECIFICATION + 1,
	[DW_AT_ranges] = DWARF_RANGE_LIST + 1,
	[DW_AT_call_file] = DWARF_CALL_FILE + 1,
	[DW_AT_call_line] = DWARF_CALL_LINE + 1,
	[DW_AT_linkage_name] = DWARF_LINKAGE_NAME + 1,
	[DW_AT_str_offsets_base] = DWARF_STRINGS_BASE + 1,
	[DW_AT_addr_base] = DWARF_ADDRESS_BASE + 1,
	[DW_AT_rnglists_base] = DWARF_LISTS_BASE + 1,
	[DW_AT_dwo_name] = DWARF_SPLIT_NAME + 1,
};

static uint8_t attribute_of(uint64_t name)
{
	if (name < sizeof(attributes))
		return attributes[name] ? attributes[name] - 1 : DWARF_PASSED_OVER;
	switch (name) {
	case DW_AT_MIPS_linkage_name:
		return DWARF_LINKAGE_NAME;
	case DW_AT_GNU_addr_base:
		return DWARF_ADDRESS_BASE;
	case DW_AT_GNU_ranges_base:
		return DWARF_RANGES_BASE;
	case DW_AT_GNU_dwo_name:
		return DWARF_SPLIT_NAME;
	case DW_AT_GNU_dwo_id:
		return DWARF_SPLIT_ID;
	default:
		return DWARF_PASSED_OVER;
	}
}

static uint8_t bytes_of(uint64_t form, struct dwarf_format format)
{
	switch (form) {
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return format.address_bytes;
	case DW_FORM_ref_addr:
		return format.version <= 2 ? format.address_bytes : format.offset_bytes;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return format.offset_bytes;
	default:
		return 0;
	}
}

/* Values that nobody asks for and whose sizes are known are passed over in one step. */
static int add_form(struct dwarf_abbrevs *table, struct dwarf_abbrev *abbrev, struct dwarf_form form)
{
	bool empty = form.form == DW_FORM_flag_present || form.form == DW_FORM_implicit_const;
	struct dwarf_form *last = abbrev->count ? &table->forms.items[table->forms.count - 1] : NULL, *added;

	if (form.attribute == DWARF_PASSED_OVER && empty)
		return 0;
	if (form.attribute == DWARF_PASSED_OVER && form.bytes && last && last->attribute == DWARF_PASSED_OVER &&
	    last->bytes && last->bytes + form.bytes <= UINT8_MAX) {
		last->bytes = (uint8_t)(last->bytes + form.bytes);
		return 0;
	}
	added = array_add(&table->forms);
	if (!added)
		return -ENOMEM;
	*added = form;
	abbrev->count++;
	return 0;
}

/* The attributes of one code; false where they are broken. */
static bool read_forms(struct dwarf_abbrevs *table, struct dwarf_cursor *cursor, struct dwarf_format format,
		       struct dwarf_abbrev *abbrev, bool keep, int *err)
{
	bool fixed = true;

	abbrev->first = (uint32_t)table->forms.count;
	while (!*err) {
		uint64_t name = dwarf_uleb(cursor), form = dwarf_uleb(cursor);
		int64_t constant = form == DW_FORM_implicit_const ? dwarf_sleb(cursor) : 0;
		uint8_t bytes;

		if (cursor->failed || form > UINT16_MAX || table->forms.count >= DWARF_ABBREV_ATTRIBUTES_MAX)
			return false;
		if (!name && !form)
			break;
		bytes = bytes_of(form, format);
		abbrev->bytes += bytes;
		fixed &= bytes || form == DW_FORM_flag_present || form == DW_FORM_implicit_const;
		if (keep)
			*err = add_form(table, abbrev,
					(struct dwarf_form){(uint16_t)form, attribute_of(name), bytes, constant});
	}
	if (!fixed)
		abbrev->bytes = 0;
	return !*err;
}

static int by_code(const void *left, const void *right)
{
	const struct dwarf_abbrev *a = left, *b = right;

	return (a->code > b->code) - (a->code < b->code);
}

/* As much of the table as @cursor holds; false where the cursor ended before the table did. */
static bool read_table(struct dwarf_abbrevs *table, struct dwarf_cursor *cursor, struct dwarf_format format,
		       uint64_t only, int *err)
{
	bool sorted = true;

	table->abbrevs.count = table->forms.count = 0;
	while (table->abbrevs.count < DWARF_ABBREVS_MAX && !*err) {
		struct dwarf_abbrev abbrev = {.code = dwarf_uleb(cursor)}, *added;
		bool keep = !only || abbrev.code == only;

		if (cursor->failed || !abbrev.code)
			break;
		abbrev.tag = (uint16_t)dwarf_uleb(cursor);
		abbrev.has_children = dwarf_number(cursor, 1) != 0;
		if (!read_forms(table, cursor, format, &abbrev, keep, err))
			break;
		if (!keep)
			continue;
		added = array_add(&table->abbrevs);
		if (!added) {
			*err = -ENOMEM;
			break;
		}
		*added = abbrev;
		if (only)
			break;
		sorted &= table->abbrevs.count < 2 || added[-1].code < added->code;
	}
	if (!sorted)
		qsort(table->abbrevs.items, table->abbrevs.count, sizeof(*table->abbrevs.items), by_code);
	return !cursor->failed;
}

int dwarf_abbrevs_init(struct dwarf_abbrevs *table, struct dwarf_image *image, uint64_t offset,
		       struct dwarf_format format, uint64_t only, uint64_t *bytes_left)
{
	int err;

	memset(table, 0, sizeof(*table));
	/* So that even a table without forms has a place where they would be. */
	err = array_reserve(&table->forms, 1);
	for (uint64_t length = FIRST_STEP_BYTES; length <= TABLE_BYTES_MAX && !err; length *= 8) {
		struct dwarf_cursor cursor = dwarf_image_cursor(image, DWARF_ABBREV, offset, length);
		bool last = cursor.failed || dwarf_cursor_left(&cursor) < length;
		const unsigned char *start = cursor.at;
		uint64_t read;
		bool whole;

		if (cursor.failed || !*bytes_left)
			break;
		whole = read_table(table, &cursor, format, only, &err);
		read = (uint64_t)(cursor.at - start);
		*bytes_left = *bytes_left > read ? *bytes_left - read : 0;
		if (whole || last)
			break;
	}
	return err;
}

const struct dwarf_abbrev *dwarf_abbrevs_find_sparse(const struct dwarf_abbrevs *table, uint64_t code)
{
	const struct dwarf_abbrev wanted = {.code = code};

	if (!table->abbrevs.count)
		return NULL;
	return bsearch(&wanted, table->abbrevs.items, table->abbrevs.count, sizeof(wanted), by_code);
}
