/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_lines: the line table of one unit: address to file and line, and file numbers to paths.
 *
 * Rows that say the same as the one before are left out; so are columns, statements and views. A table is broken where
 * its program is: what came before stays. Format: DWARF 5, section 6.2; versions 2 to 5.
 */
#ifndef SYMBOLIZER_DWARF_LINES_H
#define SYMBOLIZER_DWARF_LINES_H

#include "symbolizer/dwarf_image.h"

#define DWARF_LINE_ROWS_MAX (8u << 20)
#define DWARF_LINE_FILES_MAX 65536
#define DWARF_PATH_BYTES_MAX 4096

struct dwarf_lines;

/**
 * dwarf_lines_new() - decode a table
 * @image:     holds .debug_line and the string sections; must outlive the table
 * @offset:    of the table in .debug_line
 * @directory: the unit's DW_AT_comp_dir in @image; all zero: none
 * Returns 0, -ENODATA (nothing there that can be read), or -ENOMEM.
 */
int dwarf_lines_new(struct dwarf_image *image, uint64_t offset, struct dwarf_text_place directory,
		    struct dwarf_lines **ret_lines);
void dwarf_lines_free(struct dwarf_lines *lines);

/**
 * dwarf_lines_find() - the row that holds an address
 * Returns false, results untouched, where no sequence holds it. A line of 0 means that the compiler named none.
 */
bool dwarf_lines_find(const struct dwarf_lines *lines, uint64_t address, uint32_t *ret_file, uint32_t *ret_line);

/* The path of a file by its number in this table: as long as @lines lives. NULL where there is none, or no memory. */
const char *dwarf_lines_file(struct dwarf_lines *lines, uint64_t file);

/* Memory in use. */
size_t dwarf_lines_bytes(const struct dwarf_lines *lines);

#endif
