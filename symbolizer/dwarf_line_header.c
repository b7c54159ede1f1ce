/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_line_header.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/dwarf_lines.h"

#define ENTRY_FORMATS_MAX 16

/* One column of a version 5 table of names. */
struct entry_format {
	uint64_t content, form;
};

static void cleanup_header(struct dwarf_line_header **header)
{
	if (*header)
		dwarf_line_header_deinit(*header);
}

void dwarf_line_header_deinit(struct dwarf_line_header *header)
{
	array_deinit(&header->directories);
	array_deinit(&header->files);
}

static int add_directory(struct dwarf_line_header *header, struct dwarf_text_place name)
{
	struct dwarf_text_place *added;

	if (header->directories.count >= DWARF_LINE_FILES_MAX)
		return -ENODATA;
	added = array_add(&header->directories);
	if (!added)
		return -ENOMEM;
	*added = name;
	return 0;
}

static int add_file(struct dwarf_line_header *header, struct dwarf_text_place name, uint64_t directory)
{
	struct dwarf_line_file *file;

	if (header->files.count >= DWARF_LINE_FILES_MAX)
		return -ENODATA;
	file = array_add(&header->files);
	if (!file)
		return -ENOMEM;
	*file = (struct dwarf_line_file){name, directory};
	return 0;
}

/* Text at the cursor; false where it is empty or missing. */
static bool read_text(const struct dwarf_image *image, struct dwarf_cursor *cursor, struct dwarf_text_place *place)
{
	const char *text;

	*place = (struct dwarf_text_place){DWARF_LINE, dwarf_image_offset(image, DWARF_LINE, cursor)};
	text = dwarf_text(cursor);
	return text && *text;
}

/* Both tables end with an empty name. */
static int read_names_v4(struct dwarf_line_header *header, const struct dwarf_image *image, struct dwarf_cursor *cursor)
{
	struct dwarf_text_place name = {0};
	int err = add_directory(header, name);

	while (!err && read_text(image, cursor, &name))
		err = add_directory(header, name);
	while (!err && read_text(image, cursor, &name)) {
		err = add_file(header, name, dwarf_uleb(cursor));
		dwarf_uleb(cursor); /* time */
		dwarf_uleb(cursor); /* length */
	}
	return err;
}

/* One value of a form that section 6.2.4.1 allows; text and number, whichever it is. */
static void read_form(const struct dwarf_image *image, struct dwarf_cursor *cursor, uint64_t form, uint8_t offset_bytes,
		      struct dwarf_text_place *ret_text, uint64_t *ret_number)
{
	switch (form) {
	case DW_FORM_string:
		read_text(image, cursor, ret_text);
		break;
	case DW_FORM_line_strp:
		*ret_text = (struct dwarf_text_place){DWARF_LINE_STR, dwarf_number(cursor, offset_bytes)};
		break;
	case DW_FORM_strp:
		*ret_text = (struct dwarf_text_place){DWARF_STR, dwarf_number(cursor, offset_bytes)};
		break;
	case DW_FORM_udata:
	case DW_FORM_strx:
		*ret_number = dwarf_uleb(cursor);
		break;
	case DW_FORM_data1:
	case DW_FORM_strx1:
		*ret_number = dwarf_number(cursor, 1);
		break;
	case DW_FORM_data2:
	case DW_FORM_strx2:
		*ret_number = dwarf_number(cursor, 2);
		break;
	case DW_FORM_data4:
	case DW_FORM_strx4:
		*ret_number = dwarf_number(cursor, 4);
		break;
	case DW_FORM_data8:
		*ret_number = dwarf_number(cursor, 8);
		break;
	case DW_FORM_data16:
		dwarf_skip(cursor, 16);
		break;
	case DW_FORM_block:
		dwarf_skip(cursor, dwarf_uleb(cursor));
		break;
	default:
		cursor->failed = true;
	}
}

static int read_table_v5(struct dwarf_line_header *header, const struct dwarf_image *image, struct dwarf_cursor *cursor,
			 bool files)
{
	struct entry_format formats[ENTRY_FORMATS_MAX];
	uint64_t columns = dwarf_number(cursor, 1), entries;
	int err = 0;

	if (columns > ENTRY_FORMATS_MAX)
		return -ENODATA;
	for (uint64_t i = 0; i < columns; i++) {
		formats[i].content = dwarf_uleb(cursor);
		formats[i].form = dwarf_uleb(cursor);
	}
	entries = dwarf_uleb(cursor);
	if (!columns && entries)
		return -ENODATA;
	for (uint64_t i = 0; i < entries && !err && !cursor->failed; i++) {
		struct dwarf_text_place name = {0};
		uint64_t directory = 0;

		for (uint64_t at = 0; at < columns; at++) {
			struct dwarf_text_place text = {0};
			uint64_t number = 0;

			read_form(image, cursor, formats[at].form, header->offset_bytes, &text, &number);
			if (formats[at].content == DW_LNCT_path)
				name = text;
			else if (formats[at].content == DW_LNCT_directory_index)
				directory = number;
		}
		if (!cursor->failed)
			err = files ? add_file(header, name, directory) : add_directory(header, name);
	}
	return err;
}

static int read_names(struct dwarf_line_header *header, const struct dwarf_image *image, struct dwarf_cursor *cursor)
{
	int err;

	if (header->version < 5)
		return read_names_v4(header, image, cursor);
	err = read_table_v5(header, image, cursor, false);
	return err ? err : read_table_v5(header, image, cursor, true);
}

/* Up to and with the length of what follows: the program's place depends on nothing else. */
static bool read_frame(struct dwarf_line_header *header, struct dwarf_image *image, uint64_t offset,
		       struct dwarf_cursor *cursor, struct dwarf_cursor *ret_program)
{
	uint64_t length;

	*cursor = dwarf_image_cursor(image, DWARF_LINE, offset, 12);
	length = dwarf_number(cursor, 4);
	header->offset_bytes = 4;
	if (length == 0xffffffff) {
		length = dwarf_number(cursor, 8);
		header->offset_bytes = 8;
	}
	if (cursor->failed)
		return false;
	*cursor = dwarf_image_cursor(image, DWARF_LINE, dwarf_image_offset(image, DWARF_LINE, cursor), length);
	header->version = (uint16_t)dwarf_number(cursor, 2);
	if (header->version < 2 || header->version > 5)
		return false;
	if (header->version >= 5)
		dwarf_skip(cursor, 2); /* sizes of an address and of a segment selector */
	length = dwarf_number(cursor, header->offset_bytes);
	*ret_program = *cursor;
	dwarf_skip(ret_program, length);
	return !ret_program->failed;
}

static bool read_parameters(struct dwarf_line_header *header, struct dwarf_cursor *cursor)
{
	header->instruction_bytes = (uint8_t)dwarf_number(cursor, 1);
	header->operations_max = header->version >= 4 ? (uint8_t)dwarf_number(cursor, 1) : 1;
	dwarf_skip(cursor, 1); /* default_is_stmt */
	header->line_base = (int8_t)dwarf_number(cursor, 1);
	header->line_range = (uint8_t)dwarf_number(cursor, 1);
	header->opcode_base = (uint8_t)dwarf_number(cursor, 1);
	for (unsigned int i = 1; i < header->opcode_base; i++)
		header->operands[i] = (uint8_t)dwarf_number(cursor, 1);
	return !cursor->failed && header->line_range && header->opcode_base;
}

int dwarf_line_header_init(struct dwarf_line_header *header, struct dwarf_image *image, uint64_t offset,
			   struct dwarf_text_place directory, struct dwarf_cursor *ret_program)
{
	_cleanup_(cleanup_header) struct dwarf_line_header *unfinished = header;
	struct dwarf_cursor cursor, program;
	int err;

	memset(header, 0, sizeof(*header));
	header->directory = directory;
	if (!read_frame(header, image, offset, &cursor, &program) || !read_parameters(header, &cursor))
		return -ENODATA;
	err = read_names(header, image, &cursor);
	if (err)
		return err;
	*ret_program = program;
	take_ptr(unfinished);
	return 0;
}

static size_t append(char *path, size_t size, size_t at, struct dwarf_image *image, struct dwarf_text_place place)
{
	const char *part = dwarf_text_exists(place) ? dwarf_image_text(image, place) : NULL;
	int written;

	if (!part || !*part)
		return at;
	if (*part == '/')
		at = 0;
	written = snprintf(path + at, size - at, "%s%s", at && path[at - 1] != '/' ? "/" : "", part);
	return at + (size_t)written < size ? at + (size_t)written : size - 1;
}

void dwarf_line_header_path(const struct dwarf_line_header *header, struct dwarf_image *image, size_t index, char *path,
			    size_t size)
{
	const struct dwarf_line_file *file = &header->files.items[index];
	size_t at;

	path[0] = '\0';
	at = append(path, size, 0, image, header->directory);
	if (file->directory < header->directories.count)
		at = append(path, size, at, image, header->directories.items[file->directory]);
	append(path, size, at, image, file->name);
}
