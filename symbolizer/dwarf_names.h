/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_names: what the entry of a function is called, over all its references.
 *
 * An entry may get its name from another one (DW_AT_abstract_origin, DW_AT_specification), which may lie in another
 * unit, or in the alternate file. A linkage name anywhere on the way is preferred to a plain one.
 */
#ifndef SYMBOLIZER_DWARF_NAMES_H
#define SYMBOLIZER_DWARF_NAMES_H

#include "symbolizer/dwarf_unit.h"

#define DWARF_NAME_HOPS_MAX 16
#define DWARF_NAME_UNITS 8

/* Units that references led to, as they were last used. */
struct dwarf_name_unit {
	struct dwarf_file *file; /* NULL: free */
	struct dwarf_unit unit;
};

struct dwarf_names {
	struct dwarf_unit *home;
	struct dwarf_file *alternate;			 /* or NULL */
	struct dwarf_name_unit others[DWARF_NAME_UNITS]; /* by offset */
};

struct dwarf_name {
	struct dwarf_text_place place; /* all zero: none */
	bool alternate;		       /* of the alternate file */
	bool linkage;
	uint64_t declared; /* the last entry on the way: in the home unit, or 0 */
};

/* @home and @alternate must outlive @names. */
void dwarf_names_init(struct dwarf_names *names, struct dwarf_unit *home, struct dwarf_file *alternate);
void dwarf_names_deinit(struct dwarf_names *names);

/**
 * dwarf_names_find() - the name of the entry at an offset of .debug_info
 * @alternate: the offset is in the alternate file
 * Returns an empty name where there is none.
 */
struct dwarf_name dwarf_names_find(struct dwarf_names *names, bool alternate, uint64_t offset);

#endif
