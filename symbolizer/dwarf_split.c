/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_split.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096

void dwarf_split_deinit(struct dwarf_split *split)
{
	if (split->own.image) {
		dwarf_file_deinit(&split->own);
		close(split->fd);
	}
	*split = (struct dwarf_split){0};
}

size_t dwarf_split_bytes(const struct dwarf_split *split)
{
	return split->own.image ? dwarf_image_held(split->own.image) + dwarf_image_kept(split->own.image) : 0;
}

static bool open_in_package(struct dwarf_split *split, struct dwarf_file *package, uint64_t id)
{
	struct dwarf_unit_header header;

	if (!package->image || !id || !dwarf_package_find(package->image, id, &split->own_row) ||
	    !dwarf_unit_header_read(package->image, split->own_row.offsets[DWARF_INFO], &header))
		return false;
	header.abbrevs += split->own_row.offsets[DWARF_ABBREV];
	split->file = package;
	split->header = header;
	split->row = &split->own_row;
	return true;
}

/* A .dwo may hold several units (link-time optimisation), and types. One that belongs to another build has another id. */
static bool find_unit(struct dwarf_split *split, uint64_t id)
{
	for (size_t i = 0; i < split->own.units.count; i++) {
		const struct dwarf_unit_header *header = &split->own.units.items[i];
		uint64_t own_id = header->split_id;
		struct dwarf_unit unit;

		if (header->type != DW_UT_compile && header->type != DW_UT_split_compile)
			continue;
		if (dwarf_unit_init(&unit, &split->own, header, NULL, NULL, true) == 0)
			own_id = unit.header.split_id;
		dwarf_unit_deinit(&unit);
		if (own_id == id) {
			split->header = *header;
			return true;
		}
	}
	return false;
}

static int open_file(struct dwarf_split *split, int fd, uint64_t id)
{
	struct dwarf_image *image;
	int err = dwarf_image_new(fd, DWARF_IMAGE_SPLIT, &image);

	if (err) {
		close(fd);
		return err == -ENOMEM ? err : 0;
	}
	split->fd = fd;
	err = dwarf_file_init(&split->own, image);
	if (!err && find_unit(split, id)) {
		split->file = &split->own;
		return 0;
	}
	dwarf_split_deinit(split);
	return err;
}

/* The text of a skeleton's attribute in @text[PATH_BYTES_MAX]; "" where there is none. */
static void read_text(const struct dwarf_unit *skeleton, enum dwarf_attribute attribute, char *text)
{
	struct dwarf_text_place place;
	const char *found = NULL;
	bool alternate;

	if (dwarf_unit_text(skeleton, &skeleton->root, attribute, &alternate, &place) && !alternate)
		found = dwarf_image_text(skeleton->file->image, place);
	snprintf(text, PATH_BYTES_MAX, "%s", found ? found : "");
}

int dwarf_split_open(struct dwarf_split *split, const struct dwarf_files *files, struct dwarf_file *package,
		     const struct dwarf_unit *skeleton)
{
	char name[PATH_BYTES_MAX], directory[PATH_BYTES_MAX];
	int fd;

	if (!dwarf_entry_value(&skeleton->root, DWARF_SPLIT_NAME) ||
	    open_in_package(split, package, skeleton->header.split_id) || !files->open_split)
		return 0;
	read_text(skeleton, DWARF_SPLIT_NAME, name);
	read_text(skeleton, DWARF_DIRECTORY, directory);
	if (!name[0])
		return 0;
	fd = files->open_split(files->data, name, directory);
	if (fd < 0)
		return fd == -EAGAIN || fd == -ENOMEM ? fd : 0;
	return open_file(split, fd, skeleton->header.split_id);
}
