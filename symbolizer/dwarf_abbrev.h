/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_abbrev: the shapes of entries: DWARF 5, section 7.5.3.
 *
 * A table says for each code which attributes its entries have, in which form. Ours keeps what is asked for and the
 * rest as bytes to pass over.
 */
#ifndef SYMBOLIZER_DWARF_ABBREV_H
#define SYMBOLIZER_DWARF_ABBREV_H

#include "symbolizer/base/array.h"
#include "symbolizer/dwarf_image.h"

#define DWARF_ABBREVS_MAX 65536		  /* in one table; the rest is left out */
#define DWARF_ABBREV_ATTRIBUTES_MAX 65536 /* the same, of all its entries together */

/* The attributes that somebody asks for. */
enum dwarf_attribute {
	DWARF_LOW_PC,
	DWARF_HIGH_PC,
	DWARF_RANGE_LIST,
	DWARF_NAME,
	DWARF_LINKAGE_NAME,
	DWARF_ORIGIN, /* DW_AT_abstract_origin */
	DWARF_SPECIFICATION,
	DWARF_CALL_FILE,
	DWARF_CALL_LINE,
	DWARF_STATEMENTS, /* DW_AT_stmt_list */
	DWARF_DIRECTORY,
	DWARF_STRINGS_BASE,
	DWARF_ADDRESS_BASE,
	DWARF_LISTS_BASE,
	DWARF_RANGES_BASE,
	DWARF_SPLIT_NAME,
	DWARF_SPLIT_ID,
	DWARF_LANGUAGE,
	DWARF_SIBLING,
	DWARF_ATTRIBUTE_COUNT,
	DWARF_PASSED_OVER = DWARF_ATTRIBUTE_COUNT,
};

/* What sizes depend on: all from a unit's header. */
struct dwarf_format {
	uint16_t version; /* 2 to 5 */
	uint8_t offset_bytes, address_bytes;
};

/* A value of an entry, or several in a row that are passed over. */
struct dwarf_form {
	uint16_t form;
	uint8_t attribute; /* enum dwarf_attribute */
	uint8_t bytes;	   /* where the size does not depend on the value; else 0 */
	int64_t constant;  /* of DW_FORM_implicit_const */
};

struct dwarf_abbrev {
	uint64_t code;
	uint16_t tag;
	bool has_children;
	uint32_t first, count; /* of its forms */
	uint32_t bytes;	       /* of all values together, where that does not depend on them; else 0 */
};

struct dwarf_abbrevs {
	ARRAY(struct dwarf_abbrev) abbrevs; /* sorted by code */
	ARRAY(struct dwarf_form) forms;
};

/**
 * dwarf_abbrevs_init() - read the table at an offset of .debug_abbrev
 * @format: of the unit that it is read for
 * @only: its one code that is wanted, or 0 for all
 * @bytes_left: lowered by what was read; where it is 0 the table stays empty
 * A table that is broken ends there. Returns 0 or -ENOMEM; deinit in any case.
 */
int dwarf_abbrevs_init(struct dwarf_abbrevs *table, struct dwarf_image *image, uint64_t offset,
		       struct dwarf_format format, uint64_t only, uint64_t *bytes_left);
void dwarf_abbrevs_deinit(struct dwarf_abbrevs *table);

/* NULL where the table has no such code. */
const struct dwarf_abbrev *dwarf_abbrevs_find_sparse(const struct dwarf_abbrevs *table, uint64_t code);

/* Compilers number from 1 without gaps. */
static inline const struct dwarf_abbrev *dwarf_abbrevs_find(const struct dwarf_abbrevs *table, uint64_t code)
{
	if (code - 1 < table->abbrevs.count && table->abbrevs.items[code - 1].code == code)
		return &table->abbrevs.items[code - 1];
	return dwarf_abbrevs_find_sparse(table, code);
}

#endif
