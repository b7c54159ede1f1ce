/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_line_header: what stands before a line program: its parameters, directories and files. DWARF 5, section 6.2.4.
 */
#ifndef SYMBOLIZER_DWARF_LINE_HEADER_H
#define SYMBOLIZER_DWARF_LINE_HEADER_H

#include "symbolizer/base/array.h"
#include "symbolizer/dwarf_image.h"

struct dwarf_line_file {
	struct dwarf_text_place name;
	uint64_t directory;
};

struct dwarf_line_header {
	uint16_t version; /* 2 to 5 */
	uint8_t offset_bytes;
	uint8_t instruction_bytes, operations_max;
	int8_t line_base;
	uint8_t line_range;  /* never 0 */
	uint8_t opcode_base; /* never 0 */
	uint8_t operands[256];
	struct dwarf_text_place directory;	    /* of the unit; offset 0 of DWARF_INFO: none */
	ARRAY(struct dwarf_text_place) directories; /* by number; version 5: [0] is the unit's; before: [0] is none */
	ARRAY(struct dwarf_line_file) files;	    /* from 0; before version 5 their numbers start at 1 */
};

/**
 * dwarf_line_header_init() - read a header
 * @ret_program: the bytes of the program that follows it
 * Returns 0, -ENODATA (nothing there that can be read), or -ENOMEM; deinit after success only.
 */
int dwarf_line_header_init(struct dwarf_line_header *header, struct dwarf_image *image, uint64_t offset,
			   struct dwarf_text_place directory, struct dwarf_cursor *ret_program);
void dwarf_line_header_deinit(struct dwarf_line_header *header);

/* The whole path of files.items[@index] in @path[size], cut where it is longer. */
void dwarf_line_header_path(const struct dwarf_line_header *header, struct dwarf_image *image, size_t index, char *path,
			    size_t size);

#endif
