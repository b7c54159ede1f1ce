/* SPDX-License-Identifier: BSD-2-Clause */
/* The second half of elf_image.h: what is in sections and notes. */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/decompress.h"
#include "symbolizer/elf_image.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

#define NOTES_BYTES_MAX (64u << 10)
#define NOTE_PARTS_MAX 64 /* sections or segments that are looked at */
#define LINK_SECTION_BYTES_MAX (ELF_LINK_BYTES_MAX + ELF_BUILD_ID_BYTES_MAX + 8)
#define DEBUG_FILE_BYTES_MAX (512u << 20) /* whose CRC is taken: half a second's work */
#define CRC_BLOCK_BYTES (256u << 10)
#define ZDEBUG_HEADER_BYTES 12

void elf_data_deinit(struct elf_data *data)
{
	free(data->bytes);
	*data = (struct elf_data){0};
}

static int read_stored(const struct elf_image *image, const struct elf_section *section, size_t max,
		       struct elf_data *ret_data)
{
	_cleanup_free_ unsigned char *bytes = NULL;
	ssize_t got;

	if (section->type == SHT_NOBITS)
		return -ENODATA;
	if (section->bytes > max)
		return -E2BIG;
	if (!section->bytes) {
		*ret_data = (struct elf_data){0};
		return 0;
	}
	if (!elf_source_holds(&image->source, section->offset, section->bytes))
		return -ENOEXEC;
	bytes = malloc((size_t)section->bytes);
	if (!bytes)
		return -ENOMEM;
	got = elf_source_read(&image->source, section->offset, bytes, (size_t)section->bytes);
	if (got < 0)
		return (int)got;
	if ((uint64_t)got < section->bytes)
		return -ENOEXEC;
	*ret_data = (struct elf_data){take_ptr(bytes), (size_t)section->bytes};
	return 0;
}

enum compression { STORED, ZLIB, ZSTD, UNKNOWN };

/* How a section is compressed, how long it says it is, and how long the header is that says so. */
static enum compression compression_of(const struct elf_image *image, const struct elf_section *section,
				       const struct elf_data *stored, uint64_t *size, size_t *header)
{
	uint32_t type;

	if (section->flags & SHF_COMPRESSED) {
		*header = image->is_64 ? sizeof(Elf64_Chdr) : sizeof(Elf32_Chdr);
		if (stored->size < *header)
			return UNKNOWN;
		memcpy(&type, stored->bytes, sizeof(type));
		if (image->is_64) {
			memcpy(size, stored->bytes + offsetof(Elf64_Chdr, ch_size), sizeof(*size));
		} else {
			uint32_t small;

			memcpy(&small, stored->bytes + offsetof(Elf32_Chdr, ch_size), sizeof(small));
			*size = small;
		}
		return type == ELFCOMPRESS_ZLIB ? ZLIB : type == ELFCOMPRESS_ZSTD ? ZSTD : UNKNOWN;
	}
	if (!strncmp(section->name, ".zdebug", 7) && stored->size >= ZDEBUG_HEADER_BYTES &&
	    !memcmp(stored->bytes, "ZLIB", 4)) {
		memcpy(size, stored->bytes + 4, sizeof(*size));
		*size = be64toh(*size);
		*header = ZDEBUG_HEADER_BYTES;
		return ZLIB;
	}
	return STORED;
}

static void cleanup_data(struct elf_data *data)
{
	elf_data_deinit(data);
}

int elf_image_data(const struct elf_image *image, const struct elf_section *section, size_t max,
		   struct elf_data *ret_data)
{
	_cleanup_(cleanup_data) struct elf_data stored = {0};
	_cleanup_free_ unsigned char *output = NULL;
	enum compression compression;
	size_t header = 0;
	uint64_t size = 0;
	int err;

	err = read_stored(image, section, max, &stored);
	if (err)
		return err;
	compression = compression_of(image, section, &stored, &size, &header);
	if (compression == UNKNOWN)
		return stored.size < header ? -ENOEXEC : -EOPNOTSUPP;
	if (compression == STORED) {
		*ret_data = stored;
		stored = (struct elf_data){0};
		return 0;
	}
	if (size > decompress_limit(stored.size - header, max))
		return -E2BIG;
	output = malloc(size ? (size_t)size : 1);
	if (!output)
		return -ENOMEM;
	err = (compression == ZLIB ? decompress_zlib : decompress_zstd)(stored.bytes + header, stored.size - header,
									output, (size_t)size);
	if (err)
		return err;
	*ret_data = (struct elf_data){take_ptr(output), (size_t)size};
	return 0;
}

/* One note's place in a block; false at the block's end, or where a size leads out of it. */
struct note {
	uint32_t type;
	const char *owner;
	uint32_t owner_bytes; /* with its NUL */
	const unsigned char *data;
	uint32_t bytes;
};

static bool next_note(const struct elf_data *block, size_t *at, struct note *note)
{
	Elf64_Nhdr header;
	size_t owner, data;

	if (*at > block->size || block->size - *at < sizeof(header))
		return false;
	memcpy(&header, block->bytes + *at, sizeof(header));
	if (header.n_namesz > block->size || header.n_descsz > block->size)
		return false;
	owner = *at + sizeof(header);
	data = owner + (((size_t)header.n_namesz + 3) & ~(size_t)3);
	if (data > block->size || header.n_descsz > block->size - data)
		return false;
	*note = (struct note){header.n_type, (const char *)block->bytes + owner, header.n_namesz, block->bytes + data,
			      header.n_descsz};
	*at = data + (((size_t)header.n_descsz + 3) & ~(size_t)3);
	return true;
}

static bool find_note(const struct elf_image *image, const struct elf_section *part, const char *owner, uint32_t type,
		      void *ret_data, size_t size, size_t *ret_bytes)
{
	_cleanup_(cleanup_data) struct elf_data block = {0};
	struct note note;
	size_t at = 0;

	if (read_stored(image, part, NOTES_BYTES_MAX, &block))
		return false;
	while (next_note(&block, &at, &note)) {
		if (note.type != type || note.owner_bytes != strlen(owner) + 1 ||
		    memcmp(note.owner, owner, note.owner_bytes))
			continue;
		memcpy(ret_data, note.data, note.bytes < size ? note.bytes : size);
		*ret_bytes = note.bytes;
		return true;
	}
	return false;
}

bool elf_image_note(const struct elf_image *image, const char *owner, uint32_t type, void *ret_data, size_t size,
		    size_t *ret_bytes)
{
	size_t parts = 0;

	for (size_t i = 0; i < image->sections.count && parts < NOTE_PARTS_MAX; i++) {
		const struct elf_section *section = &image->sections.items[i];

		if (section->type == SHT_NOTE && parts++ < NOTE_PARTS_MAX &&
		    find_note(image, section, owner, type, ret_data, size, ret_bytes))
			return true;
	}
	/* Section headers may be stripped; segments cannot be. In a debug file they are the other way round. */
	for (size_t i = 0; i < image->segments.count && parts < NOTE_PARTS_MAX; i++) {
		const struct elf_segment *segment = &image->segments.items[i];
		struct elf_section part = {.name = "", .offset = segment->offset, .bytes = segment->file_bytes};

		if (segment->type == PT_NOTE && parts++ < NOTE_PARTS_MAX &&
		    find_note(image, &part, owner, type, ret_data, size, ret_bytes))
			return true;
	}
	return false;
}

bool elf_image_build_id(const struct elf_image *image, struct elf_build_id *ret_build_id)
{
	struct elf_build_id found = {0};

	if (!elf_image_note(image, ELF_NOTE_GNU, NT_GNU_BUILD_ID, found.id, sizeof(found.id), &found.bytes) ||
	    !found.bytes || found.bytes > sizeof(found.id))
		return false;
	*ret_build_id = found;
	return true;
}

/* The section's text and what follows it; false where it is not closed by a NUL within ELF_LINK_BYTES_MAX. */
static bool read_link(const struct elf_image *image, const char *name, struct elf_data *data, size_t *length)
{
	const struct elf_section *section = elf_image_section(image, name);

	if (!section || elf_image_data(image, section, LINK_SECTION_BYTES_MAX, data) || !data->size)
		return false;
	*length = strnlen((const char *)data->bytes, data->size);
	return *length && *length < data->size && *length < ELF_LINK_BYTES_MAX;
}

bool elf_image_debug_link(const struct elf_image *image, struct elf_debug_link *ret_link)
{
	_cleanup_(cleanup_data) struct elf_data data = {0};
	struct elf_debug_link link = {0};
	size_t length, crc;

	if (!read_link(image, ".gnu_debuglink", &data, &length))
		return false;
	crc = (length + 1 + 3) & ~(size_t)3;
	if (crc > data.size || data.size - crc < sizeof(link.crc))
		return false;
	memcpy(link.name, data.bytes, length);
	memcpy(&link.crc, data.bytes + crc, sizeof(link.crc));
	*ret_link = link;
	return true;
}

bool elf_image_alt_link(const struct elf_image *image, struct elf_alt_link *ret_link)
{
	_cleanup_(cleanup_data) struct elf_data data = {0};
	struct elf_alt_link link = {0};
	size_t length;

	if (!read_link(image, ".gnu_debugaltlink", &data, &length))
		return false;
	link.build_id.bytes = data.size - length - 1;
	if (!link.build_id.bytes || link.build_id.bytes > sizeof(link.build_id.id))
		return false;
	memcpy(link.name, data.bytes, length);
	memcpy(link.build_id.id, data.bytes + length + 1, link.build_id.bytes);
	*ret_link = link;
	return true;
}

int elf_file_crc(int fd, uint64_t max, uint32_t *ret_crc)
{
	_cleanup_free_ unsigned char *block = malloc(CRC_BLOCK_BYTES);
	struct elf_source source = elf_source_file(fd);
	uint32_t crc = 0;

	if (!block)
		return -ENOMEM;
	for (uint64_t at = 0; at <= max; at += CRC_BLOCK_BYTES) {
		ssize_t got = elf_source_read(&source, at, block, CRC_BLOCK_BYTES);

		if (got < 0)
			return (int)got;
		if (at + (uint64_t)got > max)
			return -EFBIG;
		crc = (uint32_t)crc32(crc, block, (uInt)got);
		if ((size_t)got < CRC_BLOCK_BYTES) {
			*ret_crc = crc;
			return 0;
		}
	}
	return -EFBIG;
}

int elf_debug_file_check(const struct elf_build_id *build_id, const struct elf_debug_link *link, int fd)
{
	struct elf_source source = elf_source_file(fd);
	struct elf_build_id found = {0};
	struct elf_image image;
	uint32_t crc;
	bool useful;
	int err;

	err = elf_image_init(&image, &source);
	if (err)
		return err;
	useful = elf_image_section(&image, ".symtab") || elf_image_section(&image, ".debug_info");
	elf_image_build_id(&image, &found);
	elf_image_deinit(&image);
	if (!useful)
		return -EKEYREJECTED;
	if (build_id->bytes && found.bytes)
		return elf_build_id_equal(build_id, &found) ? 0 : -EKEYREJECTED;
	if (!link->name[0])
		return -EKEYREJECTED;
	err = elf_file_crc(fd, DEBUG_FILE_BYTES_MAX, &crc);
	if (err == -EFBIG)
		return -EKEYREJECTED;
	return err ? err : crc == link->crc ? 0 : -EKEYREJECTED;
}
