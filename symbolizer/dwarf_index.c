/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_index.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/dwarf_aranges.h"
#include "symbolizer/dwarf_functions.h"
#include "symbolizer/dwarf_lines.h"
#include "symbolizer/dwarf_split.h"

/* What is known of one unit. */
struct unit_tables {
	uint32_t unit; /* its number in index.main */
	struct dwarf_functions functions;
	struct dwarf_lines *lines; /* NULL: not read yet, or none */
	bool has_functions, has_lines;
	struct dwarf_split split; /* where functions are, for split DWARF */
	size_t bytes;
	uint64_t used; /* index.clock when it was */
};

struct dwarf_index {
	struct dwarf_files files;
	struct dwarf_file main, alternate, package; /* the last two may have no image */
	struct range_layers ranges;		    /* values: numbers of units */
	struct unit_tables **tables;		    /* [main.units.count], each NULL until asked for */
	ARRAY(struct unit_tables *) loaded;
	size_t bytes; /* of all tables */
	uint64_t clock;
};

static void cleanup_index(struct dwarf_index **index)
{
	dwarf_index_free(*index);
}

static void tables_free(struct unit_tables *tables)
{
	dwarf_functions_deinit(&tables->functions);
	dwarf_lines_free(tables->lines);
	dwarf_split_deinit(&tables->split);
	free(tables);
}

void dwarf_index_free(struct dwarf_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->loaded.count; i++)
		tables_free(index->loaded.items[i]);
	array_deinit(&index->loaded);
	free(index->tables);
	range_layers_deinit(&index->ranges);
	dwarf_file_deinit(&index->main);
	dwarf_file_deinit(&index->alternate);
	dwarf_file_deinit(&index->package);
	free(index);
}

static int open_file(int fd, enum dwarf_image_kind kind, struct dwarf_file *file)
{
	struct dwarf_image *image;
	int err = fd < 0 ? -ENODATA : dwarf_image_new(fd, kind, &image);

	return err ? err : dwarf_file_init(file, image);
}

/* The debug file is asked first: a linked file may have kept nothing but its line tables, say. */
static int open_files(struct dwarf_index *index)
{
	int err = open_file(index->files.debug, DWARF_IMAGE_PLAIN, &index->main);

	if (err && err != -ENOMEM)
		err = open_file(index->files.elf, DWARF_IMAGE_PLAIN, &index->main);
	if (err)
		return err;
	if (open_file(index->files.alternate, DWARF_IMAGE_ALTERNATE, &index->alternate) == -ENOMEM ||
	    open_file(index->files.package, DWARF_IMAGE_PACKAGE, &index->package) == -ENOMEM)
		return -ENOMEM;
	return 0;
}

/* @list_entries_left: for this unit and those that follow. */
static int add_unit_ranges(struct dwarf_index *index, size_t number, uint32_t *list_entries_left,
			   dwarf_range_array *ranges)
{
	const struct dwarf_unit_header *header = &index->main.units.items[number];
	struct dwarf_unit unit;
	int err;

	if (header->type != DW_UT_compile && header->type != DW_UT_skeleton)
		return 0;
	err = dwarf_unit_init(&unit, &index->main, header, NULL, NULL, true);
	if (!err && unit.root.abbrev->tag != DW_TAG_partial_unit) {
		unit.list_entries_left = *list_entries_left;
		err = dwarf_unit_ranges(&unit, &unit.root, (uint32_t)number, ranges);
		*list_entries_left = unit.list_entries_left;
	}
	dwarf_unit_deinit(&unit);
	return err == -ENODATA ? 0 : err;
}

/* Where units overlap the first one wins: so it is laid last. What units say themselves lies over all else. */
static int list_units(struct dwarf_index *index)
{
	uint32_t list_entries_left = DWARF_LIST_ENTRIES_MAX;
	dwarf_range_array ranges = {0}, others = {0};
	int err = 0;

	for (size_t i = index->main.units.count; i > 0 && !err; i--)
		err = add_unit_ranges(index, i - 1, &list_entries_left, &ranges);
	if (!err)
		err = dwarf_aranges_read(&index->main, &ranges, &others);
	if (!err)
		err = range_layers_add(&index->ranges, others.items, others.count);
	if (!err)
		err = range_layers_add(&index->ranges, ranges.items, ranges.count);
	array_deinit(&ranges);
	array_deinit(&others);
	return err;
}

int dwarf_index_new(const struct dwarf_files *files, struct dwarf_index **ret_index)
{
	_cleanup_(cleanup_index) struct dwarf_index *index = calloc(1, sizeof(*index));
	int err;

	if (!index)
		return -ENOMEM;
	index->files = *files;
	if (!index->files.bytes_max)
		index->files.bytes_max = DWARF_INDEX_BYTES_DEFAULT;
	err = open_files(index);
	if (err)
		return err;
	index->tables = calloc(index->main.units.count + 1, sizeof(*index->tables));
	if (!index->tables)
		return -ENOMEM;
	err = list_units(index);
	if (err)
		return err;
	dwarf_image_release_all(index->main.image);
	*ret_index = take_ptr(index);
	return 0;
}

static size_t held_bytes(const struct dwarf_index *index)
{
	const struct dwarf_image *images[] = {index->main.image, index->alternate.image, index->package.image};
	size_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(images); i++)
		bytes += images[i] ? dwarf_image_held(images[i]) : 0;
	return bytes;
}

static size_t kept_bytes(const struct dwarf_index *index)
{
	const struct dwarf_image *images[] = {index->main.image, index->alternate.image, index->package.image};
	size_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(images); i++)
		bytes += images[i] ? dwarf_image_kept(images[i]) : 0;
	return bytes;
}

static void release_files(struct dwarf_index *index)
{
	dwarf_image_release_all(index->main.image);
	if (index->alternate.image)
		dwarf_image_release_all(index->alternate.image);
	if (index->package.image)
		dwarf_image_release_all(index->package.image);
}

size_t dwarf_index_bytes(const struct dwarf_index *index)
{
	return index->bytes + held_bytes(index) + kept_bytes(index);
}

static void drop(struct dwarf_index *index, size_t at)
{
	struct unit_tables *tables = index->loaded.items[at];

	index->bytes -= tables->bytes;
	index->tables[tables->unit] = NULL;
	index->loaded.items[at] = index->loaded.items[--index->loaded.count];
	tables_free(tables);
}

void dwarf_index_trim(struct dwarf_index *index)
{
	while (index->loaded.count)
		drop(index, index->loaded.count - 1);
	release_files(index);
}

static void drop_oldest(struct dwarf_index *index)
{
	size_t oldest = 0;

	for (size_t i = 1; i < index->loaded.count; i++)
		if (index->loaded.items[i]->used < index->loaded.items[oldest]->used)
			oldest = i;
	drop(index, oldest);
}

/* The tables that were just used stay, whatever their size. */
static void make_room(struct dwarf_index *index)
{
	size_t max = index->files.bytes_max;

	if (index->bytes > max)
		while (index->loaded.count > 1 && index->bytes > max - max / 4)
			drop_oldest(index);
	/* Blocks of files are cheaper to get again than tables. */
	if (index->bytes + held_bytes(index) > max)
		release_files(index);
}

static struct unit_tables *tables_of(struct dwarf_index *index, uint32_t unit)
{
	struct unit_tables *tables = index->tables[unit];

	if (!tables) {
		if (array_reserve(&index->loaded, 1))
			return NULL;
		tables = calloc(1, sizeof(*tables));
		if (!tables)
			return NULL;
		tables->unit = unit;
		index->tables[unit] = tables;
		index->loaded.items[index->loaded.count++] = tables;
	}
	tables->used = ++index->clock;
	return tables;
}

static int read_functions(struct dwarf_index *index, struct unit_tables *tables)
{
	const struct dwarf_unit_header *header = &index->main.units.items[tables->unit];
	struct dwarf_functions functions = {0};
	struct dwarf_unit skeleton, unit = {0};
	int err;

	err = dwarf_unit_init(&skeleton, &index->main, header, NULL, NULL, true);
	if (!err)
		err = dwarf_split_open(&tables->split, &index->files, &index->package, &skeleton);
	if (!err && tables->split.file)
		err = dwarf_unit_init(&unit, tables->split.file, &tables->split.header, &skeleton, tables->split.row,
				      false);
	else if (!err)
		err = dwarf_unit_init(&unit, &index->main, header, NULL, NULL, false);
	if (!err)
		err = dwarf_functions_init(&functions, &unit, index->alternate.image ? &index->alternate : NULL);
	dwarf_unit_deinit(&skeleton);
	dwarf_unit_deinit(&unit);
	if (err == -ENOMEM || err == -EAGAIN) {
		dwarf_functions_deinit(&functions);
		dwarf_split_deinit(&tables->split);
		return err;
	}
	tables->functions = functions;
	tables->has_functions = true;
	return 0;
}

static int read_lines(struct dwarf_index *index, struct unit_tables *tables)
{
	struct dwarf_text_place directory = {0};
	struct dwarf_unit unit;
	uint64_t offset;
	bool alternate;
	int err;

	err = dwarf_unit_init(&unit, &index->main, &index->main.units.items[tables->unit], NULL, NULL, true);
	if (!err && !dwarf_unit_number(&unit.root, DWARF_STATEMENTS, &offset))
		err = -ENODATA;
	if (!err && (!dwarf_unit_text(&unit, &unit.root, DWARF_DIRECTORY, &alternate, &directory) || alternate))
		directory = (struct dwarf_text_place){0};
	if (!err)
		err = dwarf_lines_new(index->main.image, offset, directory, &tables->lines);
	dwarf_unit_deinit(&unit);
	if (err == -ENOMEM)
		return err;
	tables->has_lines = true;
	return 0;
}

static int read_tables(struct dwarf_index *index, struct unit_tables *tables, unsigned int flags)
{
	int err = 0;

	index->main.abbrev_bytes_left = DWARF_UNIT_ABBREV_BYTES_MAX;
	index->alternate.abbrev_bytes_left = DWARF_UNIT_ABBREV_BYTES_MAX;
	index->package.abbrev_bytes_left = DWARF_UNIT_ABBREV_BYTES_MAX;
	if (!tables->has_functions) {
		err = read_functions(index, tables);
		if (err && err != -EAGAIN)
			return err;
		dwarf_image_release(index->main.image, DWARF_INFO);
	}
	if (flags & DWARF_LINES && !tables->has_lines) {
		err = read_lines(index, tables);
		if (err)
			return err;
		dwarf_image_release(index->main.image, DWARF_LINE);
	}
	index->bytes -= tables->bytes;
	tables->bytes = sizeof(*tables) + dwarf_functions_bytes(&tables->functions) +
			(tables->lines ? dwarf_lines_bytes(tables->lines) : 0) + dwarf_split_bytes(&tables->split);
	index->bytes += tables->bytes;
	return 0;
}

static const char *name_of(struct dwarf_index *index, const struct unit_tables *tables,
			   const struct dwarf_function *function)
{
	struct dwarf_image *image = tables->split.file ? tables->split.file->image : index->main.image;

	if (function->name.section == DWARF_OWN_TEXT)
		return tables->functions.text.items + function->name.offset;
	if (function->name_alternate)
		image = index->alternate.image;
	return image && dwarf_text_exists(function->name) ? dwarf_image_text(image, function->name) : NULL;
}

static void set_place(const struct unit_tables *tables, uint32_t file, uint32_t line, struct dwarf_frame *frame)
{
	frame->line = line;
	frame->file = tables->lines ? dwarf_lines_file(tables->lines, file) : NULL;
}

/* The functions at an address, each with the place in it. */
static size_t fill_frames(struct dwarf_index *index, const struct unit_tables *tables, uint64_t address,
			  unsigned int flags, struct dwarf_frame *frames)
{
	uint32_t number = dwarf_functions_find(&tables->functions, address), file = 0, line = 0;
	bool known = flags & DWARF_LINES && tables->lines && dwarf_lines_find(tables->lines, address, &file, &line);
	size_t count = 0;

	while (number != DWARF_NO_FUNCTION) {
		const struct dwarf_function *function = &tables->functions.list.items[number];
		bool last = function->parent == DWARF_NO_FUNCTION;

		if (flags & DWARF_INLINES || last) {
			struct dwarf_frame *frame = &frames[count < DWARF_FRAMES_MAX ? count++ : DWARF_FRAMES_MAX - 1];

			*frame = (struct dwarf_frame){.function = name_of(index, tables, function), .inlined = !last};
			if (known)
				set_place(tables, file, line, frame);
		}
		if (flags & DWARF_INLINES) {
			known = flags & DWARF_LINES && (function->call_line || function->call_file);
			file = function->call_file;
			line = function->call_line;
		}
		number = function->parent;
	}
	if (!count && known) {
		frames[count] = (struct dwarf_frame){0};
		set_place(tables, file, line, &frames[count++]);
	}
	return count;
}

int dwarf_index_find(struct dwarf_index *index, uint64_t address, unsigned int flags, struct dwarf_frame *frames,
		     size_t *ret_count)
{
	struct unit_tables *tables;
	uint32_t unit;
	int err;

	if (!range_layers_find(&index->ranges, address, &unit)) {
		*ret_count = 0;
		return 0;
	}
	tables = tables_of(index, unit);
	if (!tables)
		return -ENOMEM;
	err = read_tables(index, tables, flags);
	if (err)
		return err;
	make_room(index);
	*ret_count = fill_frames(index, tables, address, flags, frames);
	return 0;
}
