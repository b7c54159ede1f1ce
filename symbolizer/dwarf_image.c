/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_image.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"

#define BLOCK_BYTES (64u << 10)
#define WHOLE_BYTES_MAX (256u << 10) /* a smaller section is read at once */
#define TEXT_STEP_BYTES 256

static const char *const section_names[DWARF_SECTION_COUNT] = {
	[DWARF_INFO] = ".debug_info",
	[DWARF_ABBREV] = ".debug_abbrev",
	[DWARF_STR] = ".debug_str",
	[DWARF_LINE_STR] = ".debug_line_str",
	[DWARF_STR_OFFSETS] = ".debug_str_offsets",
	[DWARF_ADDR] = ".debug_addr",
	[DWARF_LINE] = ".debug_line",
	[DWARF_RANGES] = ".debug_ranges",
	[DWARF_RNGLISTS] = ".debug_rnglists",
	[DWARF_ARANGES] = ".debug_aranges",
	[DWARF_CU_INDEX] = ".debug_cu_index",
};

static void cleanup_image(struct dwarf_image **image)
{
	dwarf_image_free(*image);
}

void dwarf_image_free(struct dwarf_image *image)
{
	if (!image)
		return;
	for (int i = 0; i < DWARF_SECTION_COUNT; i++) {
		free(image->sections[i].bytes);
		free(image->sections[i].present);
	}
	elf_image_deinit(&image->elf);
	free(image);
}

size_t dwarf_image_size(const struct dwarf_image *image, enum dwarf_section_id id)
{
	return image->sections[id].size;
}

/* The size as stored is a first answer for a compressed section too: not 0, until it is seen to be broken. */
static void look_for(struct dwarf_image *image, enum dwarf_section_id id, enum dwarf_image_kind kind)
{
	const struct elf_section *found;
	bool split = kind == DWARF_IMAGE_SPLIT || kind == DWARF_IMAGE_PACKAGE;
	char name[32];

	if (kind != DWARF_IMAGE_PACKAGE && id == DWARF_CU_INDEX)
		return;
	snprintf(name, sizeof(name), "%s%s", section_names[id], split && id != DWARF_CU_INDEX ? ".dwo" : "");
	found = elf_image_section(&image->elf, name);
	if (!found || found->type == SHT_NOBITS || !found->bytes || found->bytes > DWARF_IMAGE_BYTES_MAX)
		return;
	image->sections[id].elf = found;
	image->sections[id].size = (size_t)found->bytes;
}

int dwarf_image_new(int fd, enum dwarf_image_kind kind, struct dwarf_image **ret_image)
{
	struct elf_source source = elf_source_file(fd);
	_cleanup_(cleanup_image) struct dwarf_image *image = NULL;
	struct elf_image elf;
	int err = elf_image_init(&elf, &source);

	if (err)
		return err;
	image = calloc(1, sizeof(*image));
	if (!image) {
		elf_image_deinit(&elf);
		return -ENOMEM;
	}
	image->elf = elf;
	/*
	 * Files of dwz say that they are object files, too, but need no relocation; linked ones that kept theirs
	 * (ld --emit-relocs) are relocated already.
	 */
	if (kind == DWARF_IMAGE_PLAIN && elf.type == ET_REL &&
	    (elf_image_section(&elf, ".rela.debug_info") || elf_image_section(&elf, ".rel.debug_info")))
		return -ENOEXEC;
	for (int i = 0; i < DWARF_SECTION_COUNT; i++)
		look_for(image, i, kind);
	if (!image->sections[DWARF_INFO].size)
		return -ENODATA;
	*ret_image = take_ptr(image);
	return 0;
}

static bool is_compressed(const struct elf_section *section)
{
	return section->flags & SHF_COMPRESSED || !strncmp(section->name, ".zdebug", 7);
}

static int load_compressed(struct dwarf_image *image, struct dwarf_section *section)
{
	struct elf_data data;
	int err = elf_image_data(&image->elf, section->elf, DWARF_IMAGE_BYTES_MAX - image->reserved, &data);

	if (err)
		return err;
	section->bytes = data.bytes;
	section->size = data.size;
	image->reserved += data.size;
	return 0;
}

/* malloc() gives large blocks as fresh pages, which cost nothing until they are written to. */
static int reserve(struct dwarf_image *image, struct dwarf_section *section)
{
	size_t blocks = (section->size + BLOCK_BYTES - 1) / BLOCK_BYTES;

	if (section->size > DWARF_IMAGE_BYTES_MAX - image->reserved)
		return -E2BIG;
	if (!elf_source_holds(&image->elf.source, section->elf->offset, section->size))
		return -ENOEXEC;
	section->present = calloc(blocks, 1);
	section->bytes = malloc(section->size);
	if (!section->present || !section->bytes) {
		free(section->present);
		free(section->bytes);
		section->present = section->bytes = NULL;
		return -ENOMEM;
	}
	image->reserved += section->size;
	return 0;
}

static bool load(struct dwarf_image *image, struct dwarf_section *section)
{
	int err;

	if (!section->size)
		return false;
	if (section->bytes)
		return true;
	err = is_compressed(section->elf) ? load_compressed(image, section) : reserve(image, section);
	if (!err && section->size)
		return true;
	/* Memory may be there next time; all else stays as it is. */
	if (err != -ENOMEM)
		section->size = 0;
	return false;
}

static bool read_blocks(struct dwarf_image *image, struct dwarf_section *section, size_t first, size_t end)
{
	for (size_t block = first; block < end; block++) {
		size_t offset = block * BLOCK_BYTES;
		size_t bytes = section->size - offset < BLOCK_BYTES ? section->size - offset : BLOCK_BYTES;

		if (section->present[block])
			continue;
		if (elf_source_read(&image->elf.source, section->elf->offset + offset, section->bytes + offset,
				    bytes) != (ssize_t)bytes)
			return false;
		section->present[block] = 1;
		section->held += bytes;
	}
	return true;
}

struct dwarf_cursor dwarf_image_cursor(struct dwarf_image *image, enum dwarf_section_id id, uint64_t offset,
				       uint64_t length)
{
	struct dwarf_section *section = &image->sections[id];
	struct dwarf_cursor cursor = {.failed = true};

	if (!load(image, section) || offset >= section->size)
		return cursor;
	if (length > section->size - offset)
		length = section->size - offset;
	if (section->present) {
		bool whole = section->size <= WHOLE_BYTES_MAX;
		size_t end = whole ? section->size : (size_t)(offset + length);

		if (!read_blocks(image, section, whole ? 0 : (size_t)offset / BLOCK_BYTES,
				 (end + BLOCK_BYTES - 1) / BLOCK_BYTES))
			return cursor;
	}
	return (struct dwarf_cursor){section->bytes + offset, section->bytes + offset + length, false};
}

const char *dwarf_image_text(struct dwarf_image *image, struct dwarf_text_place place)
{
	for (size_t length = TEXT_STEP_BYTES; length <= DWARF_TEXT_BYTES_MAX; length *= 4) {
		struct dwarf_cursor cursor = dwarf_image_cursor(image, place.section, place.offset, length);
		const char *text = dwarf_text(&cursor);

		if (text)
			return text;
	}
	return NULL;
}

uint64_t dwarf_image_offset(const struct dwarf_image *image, enum dwarf_section_id id,
			    const struct dwarf_cursor *cursor)
{
	return (uint64_t)(cursor->at - image->sections[id].bytes);
}

void dwarf_image_release(struct dwarf_image *image, enum dwarf_section_id id)
{
	struct dwarf_section *section = &image->sections[id];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start, end;

	if (!section->present || !section->held || section->size <= WHOLE_BYTES_MAX)
		return;
	start = ((uintptr_t)section->bytes + page - 1) & ~(page - 1);
	end = ((uintptr_t)section->bytes + section->size) & ~(page - 1);
	/* The pages at both ends are shared with other memory and stay; they are read again all the same. */
	if (madvise((void *)start, end - start, MADV_DONTNEED))
		return;
	memset(section->present, 0, (section->size + BLOCK_BYTES - 1) / BLOCK_BYTES);
	section->held = 0;
}

void dwarf_image_release_all(struct dwarf_image *image)
{
	for (int i = 0; i < DWARF_SECTION_COUNT; i++)
		dwarf_image_release(image, i);
}

size_t dwarf_image_held(const struct dwarf_image *image)
{
	size_t held = 0;

	for (int i = 0; i < DWARF_SECTION_COUNT; i++)
		if (image->sections[i].size > WHOLE_BYTES_MAX)
			held += image->sections[i].held;
	return held;
}

size_t dwarf_image_kept(const struct dwarf_image *image)
{
	size_t kept = 0;

	for (int i = 0; i < DWARF_SECTION_COUNT; i++)
		if (image->sections[i].bytes && !image->sections[i].present)
			kept += image->sections[i].size;
	return kept;
}
