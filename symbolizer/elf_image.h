/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_image: the outline of one ELF file, read by descriptor: sections, segments, notes, links to debug files.
 *
 * The file may come from a container and may lie about everything. Tables are read whole and capped, sizes are checked
 * against the file before memory is asked for, and a table that is broken is an empty table: an image with segments
 * and no sections is usual (sstrip), and still useful. Files are read with pread(2), never mapped: one that shrinks
 * gives errors, not signals. Little-endian files of both classes only. An image is not changed after elf_image_init().
 *
 * Formats: elf(5); the gABI's chapters "Compressed Sections" and "Extended section numbering";
 * https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html
 */
#ifndef SYMBOLIZER_ELF_IMAGE_H
#define SYMBOLIZER_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/base/array.h"

#define ELF_SECTIONS_MAX 16384 /* further ones are not looked at */
#define ELF_SEGMENTS_MAX 512
#define ELF_BUILD_ID_BYTES_MAX 64
#define ELF_LINK_BYTES_MAX 256 /* with the NUL */

/* Where the bytes come from: a file, or memory that outlives the image. */
struct elf_source {
	int fd;			     /* -1: memory */
	const unsigned char *memory; /* [memory_bytes] where fd is -1 */
	uint64_t memory_bytes;
};

/* As the file says, numbers unchecked but for what elf_image_data() checks. */
struct elf_section {
	const char *name; /* owned by the image; never NULL, "" where it has none */
	uint32_t type;	  /* SHT_... */
	uint32_t link, info;
	uint64_t flags; /* SHF_... */
	uint64_t address;
	uint64_t offset, bytes; /* as stored: compressed where it is compressed */
	uint64_t entry_bytes;
	uint64_t alignment;
};

struct elf_segment {
	uint32_t type, flags; /* PT_..., PF_... */
	uint64_t offset, address;
	uint64_t file_bytes, memory_bytes;
};

struct elf_image {
	struct elf_source source;
	bool is_64;
	uint16_t type;	  /* ET_... */
	uint16_t machine; /* EM_... */
	uint64_t entry;
	ARRAY(struct elf_section) sections; /* by section number; [0] is the null section */
	ARRAY(struct elf_segment) segments;
	char *section_names; /* [section_names_bytes], the last byte NUL; NULL where there are no sections */
	size_t section_names_bytes;
};

struct elf_build_id {
	size_t bytes; /* 0: none */
	unsigned char id[ELF_BUILD_ID_BYTES_MAX];
};

/* What a file says of its debug file (name, CRC-32), or of the one that it shares with others (name, build-id). */
struct elf_debug_link {
	char name[ELF_LINK_BYTES_MAX]; /* raw; "" where there is none */
	uint32_t crc;
};
struct elf_alt_link {
	char name[ELF_LINK_BYTES_MAX]; /* a path: absolute, or relative to the file that holds the link */
	struct elf_build_id build_id;
};

struct elf_data {
	unsigned char *bytes; /* [size]; NULL where size is 0 */
	size_t size;
};

static inline struct elf_source elf_source_file(int fd)
{
	return (struct elf_source){.fd = fd};
}

static inline struct elf_source elf_source_memory(const void *memory, size_t bytes)
{
	return (struct elf_source){.fd = -1, .memory = memory, .memory_bytes = bytes};
}

/**
 * elf_source_read() - up to @size bytes from @offset
 * Returns how many: fewer at the end of the source, 0 past it; or -EIO.
 */
ssize_t elf_source_read(const struct elf_source *source, uint64_t offset, void *buffer, size_t size);

/* Is all of a range there? To be asked before memory is, so that a size that is a lie costs none. */
bool elf_source_holds(const struct elf_source *source, uint64_t offset, uint64_t bytes);

/**
 * elf_image_init() - read a file's outline
 * @source: copied; its descriptor or memory stays the caller's, and must outlive the image
 * @image:  to be released with elf_image_deinit() on success only
 * Returns 0, -ENOEXEC (no ELF, or no little-endian one), -EIO, -ENOMEM.
 */
int elf_image_init(struct elf_image *image, const struct elf_source *source);
void elf_image_deinit(struct elf_image *image);

/*
 * The first section of a name, or of a type; NULL where there is none. Asked for ".debug_x" where there is only
 * ".zdebug_x", it gives that.
 */
const struct elf_section *elf_image_section(const struct elf_image *image, const char *name);
const struct elf_section *elf_image_section_of_type(const struct elf_image *image, uint32_t type);

/**
 * elf_image_data() - a section's bytes, decompressed where it is compressed (zlib, zstd, .zdebug)
 * @max: at most so many bytes
 * @ret_data: free with elf_data_deinit(); untouched on failure
 * Returns 0, -ENODATA (SHT_NOBITS, as in debug files), -E2BIG (over @max or over DECOMPRESS_RATIO_MAX), -ENOEXEC
 * (past the end of the file, or broken), -EOPNOTSUPP (another compression), -EIO, -ENOMEM.
 */
int elf_image_data(const struct elf_image *image, const struct elf_section *section, size_t max,
		   struct elf_data *ret_data);
void elf_data_deinit(struct elf_data *data);

/* The note's bytes; false, @ret untouched, where the file has none (or one longer than ELF_BUILD_ID_BYTES_MAX). */
bool elf_image_build_id(const struct elf_image *image, struct elf_build_id *ret_build_id);

/* .gnu_debuglink and .gnu_debugaltlink; false, @ret untouched, where there is none or it is broken. */
bool elf_image_debug_link(const struct elf_image *image, struct elf_debug_link *ret_link);
bool elf_image_alt_link(const struct elf_image *image, struct elf_alt_link *ret_link);

static inline bool elf_build_id_equal(const struct elf_build_id *a, const struct elf_build_id *b)
{
	return a->bytes && a->bytes == b->bytes && !memcmp(a->id, b->id, a->bytes);
}

/* Is there a note of this owner ("GNU", "Go") and type? @ret_data gets the start of its descriptor, up to @size bytes. */
bool elf_image_note(const struct elf_image *image, const char *owner, uint32_t type, void *ret_data, size_t size,
		    size_t *ret_bytes);

/**
 * elf_file_crc() - the CRC-32 of a whole file, as .gnu_debuglink has it
 * @max: files that are longer give -EFBIG
 * Returns 0, -EFBIG, -EIO, -ENOMEM.
 */
int elf_file_crc(int fd, uint64_t max, uint32_t *ret_crc);

/**
 * elf_debug_file_check() - is a file the debug file of another?
 * @build_id, @link: what the other says, zeroes where it does not
 * @fd:       the candidate; not closed
 * By build-ids where both have one, else by @link's CRC of the whole candidate. It must also have what makes a debug file:
 * .symtab or .debug_info.
 * Returns 0, -EKEYREJECTED (no), -ENOEXEC, -EIO, -ENOMEM.
 */
int elf_debug_file_check(const struct elf_build_id *build_id, const struct elf_debug_link *link, int fd);

#endif
