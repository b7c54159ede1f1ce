/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_unit: the units of .debug_info, their entries, and what the values of these mean.
 *
 * This decodes by itself, and not with libdw. libdw 0.188 opens split units and alternate files by path, from inside
 * of a look-up (in the parser's sandbox there are no paths), knows no packages, cannot inflate zstd, and holds whole
 * sections. It walks a unit's entries about as fast as this does; it is its look-ups that walk them every time.
 *
 * A unit of split DWARF is two: the skeleton, in the linked file, and the entries, in a .dwo or .dwp. Values that are
 * indexes (addrx, strx, rnglistx) are resolved with the bases that both carry. Formats: DWARF 5, chapter 7; DWARF 4
 * with https://gcc.gnu.org/wiki/DebugFission and the GNU forms of dwz.
 */
#ifndef SYMBOLIZER_DWARF_UNIT_H
#define SYMBOLIZER_DWARF_UNIT_H

#include "symbolizer/dwarf_abbrev.h"
#include "symbolizer/range_layers.h"

#define DWARF_UNITS_MAX (1u << 20)
#define DWARF_UNIT_BYTES_MAX (256u << 20)
#define DWARF_RANGES_MAX (2u << 20)		/* of one array of them; further ones are left out */
#define DWARF_LIST_ENTRIES_MAX (8u << 20)	/* of range lists: read for all entries of a unit, or for all units */
#define DWARF_ABBREV_BYTES_MAX (512ull << 20)	/* read to list the units of a file */
#define DWARF_UNIT_ABBREV_BYTES_MAX (64u << 20) /* read for one of them, and for those that it refers to */

struct dwarf_unit_header {
	uint64_t offset, end; /* in .debug_info */
	uint64_t abbrevs;     /* in .debug_abbrev */
	uint64_t split_id;    /* 0 where the header has none */
	struct dwarf_format format;
	uint8_t type;	      /* DW_UT_... */
	uint8_t header_bytes; /* the first entry follows */
};

/* One file with debug sections. */
struct dwarf_file {
	struct dwarf_image *image;
	ARRAY(struct dwarf_unit_header) units; /* sorted by offset; empty for a package */
	uint64_t abbrev_bytes_left;	       /* until somebody sets it again */
};

/* One value of an entry; a form of 0: not there. */
struct dwarf_value {
	uint16_t form;
	uint64_t number; /* as it stands there; of DW_FORM_string: its offset in .debug_info */
};

struct dwarf_entry {
	uint64_t offset; /* in .debug_info */
	const struct dwarf_abbrev *abbrev;
	uint32_t present; /* a bit for each of values that is set: the others are undefined */
	struct dwarf_value values[DWARF_ATTRIBUTE_COUNT];
};

/* A unit that is being read. */
struct dwarf_unit {
	struct dwarf_file *file; /* holds the entries */
	struct dwarf_file
		*addresses; /* holds .debug_addr, and .debug_ranges for DWARF 4: the skeleton's, or the same */
	struct dwarf_unit_header header;
	struct dwarf_abbrevs abbrevs;
	struct dwarf_entry root;
	bool split;
	uint64_t low_pc;       /* what range lists start from */
	uint64_t address_base; /* in .debug_addr */
	uint64_t strings_base; /* in .debug_str_offsets */
	uint64_t lists_base;   /* in .debug_rnglists: of the table of offsets */
	uint64_t lists_part;   /* in .debug_rnglists: where the unit's part of a package starts */
	uint64_t ranges_base;  /* in .debug_ranges */
	uint32_t list_entries_left;
};

/* Where a package keeps the parts of one unit; offsets into the image's sections. */
struct dwarf_package_row {
	uint64_t offsets[DWARF_SECTION_COUNT]; /* 0 where the unit has no such part */
};

typedef ARRAY(struct range) dwarf_range_array;

/**
 * dwarf_file_init() - the list of a file's units
 * @image: owned from here on, also on failure
 * Units whose headers make no sense are left out. Returns 0 or -ENOMEM; deinit in any case.
 */
int dwarf_file_init(struct dwarf_file *file, struct dwarf_image *image);
void dwarf_file_deinit(struct dwarf_file *file);

/* The unit that holds an offset of .debug_info; NULL where there is none. */
const struct dwarf_unit_header *dwarf_file_unit(const struct dwarf_file *file, uint64_t offset);

/* Reads the header at @offset. False where it makes no sense; then @ret_header->end says where the next one is, or 0. */
bool dwarf_unit_header_read(struct dwarf_image *image, uint64_t offset, struct dwarf_unit_header *ret_header);

/**
 * dwarf_unit_init() - make a unit ready to be read
 * @skeleton: that the unit belongs to, or NULL
 * @row: of the package that it is in, or NULL; @header is corrected by it already
 * @root_only: no other entry will be read
 * Returns 0, -ENODATA (broken) or -ENOMEM; deinit in any case.
 */
int dwarf_unit_init(struct dwarf_unit *unit, struct dwarf_file *file, const struct dwarf_unit_header *header,
		    const struct dwarf_unit *skeleton, const struct dwarf_package_row *row, bool root_only);
void dwarf_unit_deinit(struct dwarf_unit *unit);

/* At the entry at @offset of .debug_info, up to the unit's end. */
struct dwarf_cursor dwarf_unit_cursor(const struct dwarf_unit *unit, uint64_t offset);

/**
 * dwarf_values_read() - the values of an entry; the cursor stands behind its code
 * @entry: abbrev and offset are given
 * False where they are broken; the cursor has failed then.
 */
bool dwarf_values_read(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, struct dwarf_entry *entry);

/* The same, without looking at them. */
bool dwarf_values_skip(const struct dwarf_unit *unit, struct dwarf_cursor *cursor, const struct dwarf_abbrev *abbrev);

/* The value of an attribute, or NULL. */
static inline const struct dwarf_value *dwarf_entry_value(const struct dwarf_entry *entry,
							  enum dwarf_attribute attribute)
{
	return entry->present & 1u << attribute ? &entry->values[attribute] : NULL;
}

/*
 * Each false, @ret untouched, where the attribute is not there, broken, or of another class. Text is of the unit's
 * file, or with @ret_alternate of the alternate one.
 */
bool dwarf_unit_text(const struct dwarf_unit *unit, const struct dwarf_entry *entry, enum dwarf_attribute attribute,
		     bool *ret_alternate, struct dwarf_text_place *ret_place);
bool dwarf_unit_address(const struct dwarf_unit *unit, const struct dwarf_entry *entry, enum dwarf_attribute attribute,
			uint64_t *ret_address);
bool dwarf_unit_number(const struct dwarf_entry *entry, enum dwarf_attribute attribute, uint64_t *ret_number);

/* @ret_offset: in .debug_info, of this file or of the alternate one. */
bool dwarf_unit_reference(const struct dwarf_unit *unit, const struct dwarf_entry *entry,
			  enum dwarf_attribute attribute, bool *ret_alternate, uint64_t *ret_offset);

/**
 * dwarf_unit_ranges() - append the addresses that an entry covers, each with @value
 * Ranges that start at 0 belong to code that the linker dropped, and are left out.
 * Returns 0 or -ENOMEM.
 */
int dwarf_unit_ranges(struct dwarf_unit *unit, const struct dwarf_entry *entry, uint32_t value,
		      dwarf_range_array *ranges);

/**
 * dwarf_package_find() - a unit of a package by its id (DWARF 5, section 7.3.5)
 * Returns false, @ret_row untouched, where the package has none.
 */
bool dwarf_package_find(struct dwarf_image *image, uint64_t split_id, struct dwarf_package_row *ret_row);

#endif
