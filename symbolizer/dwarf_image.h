/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_image: the debug sections of one file, in memory of ours as far as they were needed.
 *
 * A section that is stored as it is costs address space at first, and memory only where it is read: in blocks, with
 * pread(2), which can be given back (dwarf_image_release()). A compressed section is decompressed whole when it is
 * first needed, and stays. Bytes do not move while the image lives; what was given back is read again when it is
 * needed again, so a pointer is good until the next release. A part that cannot be read is not there.
 */
#ifndef SYMBOLIZER_DWARF_IMAGE_H
#define SYMBOLIZER_DWARF_IMAGE_H

#include "symbolizer/dwarf_cursor.h"
#include "symbolizer/elf_image.h"

#define DWARF_IMAGE_BYTES_MAX ((size_t)640 << 20) /* of address space, for all sections of an image */
#define DWARF_TEXT_BYTES_MAX 65536		  /* a name that is longer is none */

enum dwarf_section_id {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_STR,
	DWARF_LINE_STR,
	DWARF_STR_OFFSETS,
	DWARF_ADDR,
	DWARF_LINE,
	DWARF_RANGES,
	DWARF_RNGLISTS,
	DWARF_ARANGES,
	DWARF_CU_INDEX, /* of packages only */
	DWARF_SECTION_COUNT,
};

enum dwarf_image_kind {
	DWARF_IMAGE_PLAIN,
	DWARF_IMAGE_SPLIT,     /* .dwo: sections are named .debug_x.dwo */
	DWARF_IMAGE_PACKAGE,   /* .dwp: the same, many units in one, found through .debug_cu_index */
	DWARF_IMAGE_ALTERNATE, /* of dwz: a relocatable file that has no relocations */
};

/* Where text is: with no need to read it yet. */
struct dwarf_text_place {
	uint8_t section; /* enum dwarf_section_id */
	uint64_t offset;
};

/* All zero is no place: a unit's header stands there. */
static inline bool dwarf_text_exists(struct dwarf_text_place place)
{
	return place.section != DWARF_INFO || place.offset;
}

struct dwarf_section {
	unsigned char *bytes; /* [size]; NULL until first needed */
	size_t size;	      /* 0: not there, or not readable */
	const struct elf_section *elf;
	unsigned char *present; /* [blocks], 1 where a block was read; NULL where all is there */
	size_t held;		/* bytes of memory that release could give back */
};

struct dwarf_image {
	struct elf_image elf;
	struct dwarf_section sections[DWARF_SECTION_COUNT];
	size_t reserved; /* bytes of address space */
};

/**
 * dwarf_image_new() - look for a file's debug sections
 * @fd: stays the caller's, and must stay open as long as the image lives
 * Returns 0, -ENODATA (no .debug_info), -ENOEXEC (no ELF, broken, or an object file that needs relocation), -EIO,
 * -ENOMEM.
 */
int dwarf_image_new(int fd, enum dwarf_image_kind kind, struct dwarf_image **ret_image);
void dwarf_image_free(struct dwarf_image *image);

/* The size of a section; 0 where there is none. */
size_t dwarf_image_size(const struct dwarf_image *image, enum dwarf_section_id id);

/**
 * dwarf_image_cursor() - a stretch of a section, read into memory
 * @length: shortened to what the section holds
 * A failed cursor where @offset is past the end, or the bytes cannot be read.
 */
struct dwarf_cursor dwarf_image_cursor(struct dwarf_image *image, enum dwarf_section_id id, uint64_t offset,
				       uint64_t length);

/* NUL-terminated text; NULL where there is none. */
const char *dwarf_image_text(struct dwarf_image *image, struct dwarf_text_place place);

/* Where a cursor of a section stands in it. */
uint64_t dwarf_image_offset(const struct dwarf_image *image, enum dwarf_section_id id,
			    const struct dwarf_cursor *cursor);

/* Gives back memory of a section, or of all, that can be read again. */
void dwarf_image_release(struct dwarf_image *image, enum dwarf_section_id id);
void dwarf_image_release_all(struct dwarf_image *image);

/* Bytes of memory that dwarf_image_release_all() would give back, and those of compressed sections, which stay. */
size_t dwarf_image_held(const struct dwarf_image *image);
size_t dwarf_image_kept(const struct dwarf_image *image);

#endif
