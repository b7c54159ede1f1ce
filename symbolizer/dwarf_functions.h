/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_functions: which function of a unit holds an address, and what was inlined into it there.
 *
 * Made in one pass over a unit's entries; afterwards the entries are not needed, and names are places in the string
 * sections. Where ranges overlap, the entry that comes later wins: what is nested lies over what it is nested in.
 */
#ifndef SYMBOLIZER_DWARF_FUNCTIONS_H
#define SYMBOLIZER_DWARF_FUNCTIONS_H

#include "symbolizer/dwarf_scopes.h"
#include "symbolizer/dwarf_unit.h"

#define DWARF_FUNCTIONS_MAX (1u << 20) /* in a unit, inlined ones each time; further ones are left out */
#define DWARF_NO_FUNCTION UINT32_MAX

/* The section of names that are put together, in dwarf_functions.text. */
#define DWARF_OWN_TEXT DWARF_SECTION_COUNT

/* A function, or one place where it was inlined. */
struct dwarf_function {
	struct dwarf_text_place name; /* all zero: none */
	bool inlined;
	bool name_alternate; /* the name is in the alternate file */
	uint32_t parent;     /* what it was inlined into; DWARF_NO_FUNCTION where it was not */
	uint32_t call_file;  /* number in the unit's line table, where it was inlined; 0 with call_line 0: not known */
	uint32_t call_line;
};

struct dwarf_functions {
	ARRAY(struct dwarf_function) list; /* a parent comes before its children */
	struct range_layers ranges;	   /* values: numbers in list */
	dwarf_text_array text;
};

/**
 * dwarf_functions_init() - read a unit
 * @alternate: the dwz file, or NULL
 * Broken entries end the pass; what came before them stays. Returns 0 or -ENOMEM; deinit in any case.
 */
int dwarf_functions_init(struct dwarf_functions *functions, struct dwarf_unit *unit, struct dwarf_file *alternate);
void dwarf_functions_deinit(struct dwarf_functions *functions);

/* The innermost function that holds an address, or DWARF_NO_FUNCTION. */
uint32_t dwarf_functions_find(const struct dwarf_functions *functions, uint64_t address);

/* Memory in use. */
size_t dwarf_functions_bytes(const struct dwarf_functions *functions);

#endif
