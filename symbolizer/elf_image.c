/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/elf_image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"

#define SECTION_NAMES_BYTES_MAX (4u << 20)

ssize_t elf_source_read(const struct elf_source *source, uint64_t offset, void *buffer, size_t size)
{
	size_t done = 0;

	if (size > INT64_MAX || offset > INT64_MAX - size)
		return 0;
	if (source->fd < 0) {
		if (offset >= source->memory_bytes)
			return 0;
		if (size > source->memory_bytes - offset)
			size = (size_t)(source->memory_bytes - offset);
		memcpy(buffer, source->memory + offset, size);
		return (ssize_t)size;
	}
	while (done < size) {
		ssize_t got = pread(source->fd, (char *)buffer + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -EIO;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

bool elf_source_holds(const struct elf_source *source, uint64_t offset, uint64_t bytes)
{
	char last;

	if (!bytes)
		return true;
	return bytes <= INT64_MAX && offset <= INT64_MAX - bytes &&
	       elf_source_read(source, offset + bytes - 1, &last, 1) == 1;
}

static int read_whole(const struct elf_source *source, uint64_t offset, size_t bytes, void **ret_block)
{
	_cleanup_free_ void *block = NULL;
	ssize_t got;

	if (!elf_source_holds(source, offset, bytes))
		return -ENOEXEC;
	block = malloc(bytes);
	if (!block)
		return -ENOMEM;
	got = elf_source_read(source, offset, block, bytes);
	if (got < 0)
		return (int)got;
	if ((size_t)got < bytes)
		return -ENOEXEC;
	*ret_block = take_ptr(block);
	return 0;
}

static Elf64_Ehdr wide_header(const Elf32_Ehdr *small)
{
	return (Elf64_Ehdr){
		.e_type = small->e_type,
		.e_machine = small->e_machine,
		.e_entry = small->e_entry,
		.e_phoff = small->e_phoff,
		.e_shoff = small->e_shoff,
		.e_phentsize = small->e_phentsize,
		.e_phnum = small->e_phnum,
		.e_shentsize = small->e_shentsize,
		.e_shnum = small->e_shnum,
		.e_shstrndx = small->e_shstrndx,
	};
}

static struct elf_section one_section(const void *table, size_t i, bool is_64)
{
	Elf64_Shdr wide;
	Elf32_Shdr small;

	if (!is_64) {
		memcpy(&small, (const char *)table + i * sizeof(small), sizeof(small));
		return (struct elf_section){"",
					    small.sh_type,
					    small.sh_link,
					    small.sh_info,
					    small.sh_flags,
					    small.sh_addr,
					    small.sh_offset,
					    small.sh_size,
					    small.sh_entsize,
					    small.sh_addralign};
	}
	memcpy(&wide, (const char *)table + i * sizeof(wide), sizeof(wide));
	return (struct elf_section){"",		  wide.sh_type,	  wide.sh_link, wide.sh_info,	 wide.sh_flags,
				    wide.sh_addr, wide.sh_offset, wide.sh_size, wide.sh_entsize, wide.sh_addralign};
}

static uint32_t section_name_at(const void *table, size_t i, bool is_64)
{
	uint32_t name;

	memcpy(&name, (const char *)table + i * (is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)), sizeof(name));
	return name;
}

static int read_section_names(struct elf_image *image, const void *table, uint32_t names_number)
{
	const struct elf_section *names;
	void *text;
	int err;

	if (names_number >= image->sections.count)
		return 0;
	names = &image->sections.items[names_number];
	if (names->type != SHT_STRTAB || !names->bytes || names->bytes > SECTION_NAMES_BYTES_MAX)
		return 0;
	err = read_whole(&image->source, names->offset, (size_t)names->bytes, &text);
	if (err)
		return err == -ENOEXEC ? 0 : err;
	image->section_names = text;
	image->section_names_bytes = (size_t)names->bytes;
	image->section_names[names->bytes - 1] = '\0';
	for (size_t i = 0; i < image->sections.count; i++) {
		uint32_t name = section_name_at(table, i, image->is_64);

		if (name < image->section_names_bytes)
			image->sections.items[i].name = image->section_names + name;
	}
	return 0;
}

/* A table outside of the file is no table; the caller's memory running out is an error all the same. */
static int read_sections(struct elf_image *image, const Elf64_Ehdr *header)
{
	size_t entry = image->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), count = header->e_shnum;
	uint32_t names_number = header->e_shstrndx;
	_cleanup_free_ void *table = NULL;
	int err;

	if (!header->e_shoff || header->e_shentsize != entry)
		return 0;
	if (!count || names_number == SHN_XINDEX) {
		_cleanup_free_ void *first = NULL;
		struct elf_section section;

		err = read_whole(&image->source, header->e_shoff, entry, &first);
		if (err)
			return err == -ENOEXEC ? 0 : err;
		section = one_section(first, 0, image->is_64);
		if (!count)
			count = section.bytes < ELF_SECTIONS_MAX ? (size_t)section.bytes : ELF_SECTIONS_MAX;
		if (names_number == SHN_XINDEX)
			names_number = section.link;
	}
	if (count > ELF_SECTIONS_MAX)
		count = ELF_SECTIONS_MAX;
	if (!count)
		return 0;
	err = read_whole(&image->source, header->e_shoff, count * entry, &table);
	if (err)
		return err == -ENOEXEC ? 0 : err;
	if (array_reserve(&image->sections, count))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		image->sections.items[i] = one_section(table, i, image->is_64);
	image->sections.count = count;
	return read_section_names(image, table, names_number);
}

static int read_segments(struct elf_image *image, const Elf64_Ehdr *header)
{
	size_t entry = image->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), count = header->e_phnum;
	_cleanup_free_ char *table = NULL;
	void *block;
	int err;

	if (!header->e_phoff || !count || header->e_phentsize != entry)
		return 0;
	if (count > ELF_SEGMENTS_MAX)
		count = ELF_SEGMENTS_MAX;
	err = read_whole(&image->source, header->e_phoff, count * entry, &block);
	if (err)
		return err == -ENOEXEC ? 0 : err;
	table = block;
	if (array_reserve(&image->segments, count))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		Elf64_Phdr wide;
		Elf32_Phdr small;

		if (image->is_64) {
			memcpy(&wide, table + i * entry, entry);
			image->segments.items[i] = (struct elf_segment){wide.p_type,  wide.p_flags,  wide.p_offset,
									wide.p_vaddr, wide.p_filesz, wide.p_memsz};
		} else {
			memcpy(&small, table + i * entry, entry);
			image->segments.items[i] = (struct elf_segment){small.p_type,  small.p_flags,  small.p_offset,
									small.p_vaddr, small.p_filesz, small.p_memsz};
		}
	}
	image->segments.count = count;
	return 0;
}

static int read_header(struct elf_image *image, Elf64_Ehdr *header)
{
	ssize_t got = elf_source_read(&image->source, 0, header, sizeof(*header));
	Elf32_Ehdr small;

	if (got < 0)
		return (int)got;
	if ((size_t)got < sizeof(small) || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	switch (header->e_ident[EI_CLASS]) {
	case ELFCLASS64:
		if ((size_t)got < sizeof(*header))
			return -ENOEXEC;
		image->is_64 = true;
		break;
	case ELFCLASS32:
		memcpy(&small, header, sizeof(small));
		*header = wide_header(&small);
		break;
	default:
		return -ENOEXEC;
	}
	image->type = header->e_type;
	image->machine = header->e_machine;
	image->entry = header->e_entry;
	return 0;
}

int elf_image_init(struct elf_image *image, const struct elf_source *source)
{
	struct elf_image new = {.source = *source};
	Elf64_Ehdr header;
	int err;

	err = read_header(&new, &header);
	if (!err)
		err = read_sections(&new, &header);
	if (!err)
		err = read_segments(&new, &header);
	if (err) {
		elf_image_deinit(&new);
		return err;
	}
	*image = new;
	return 0;
}

void elf_image_deinit(struct elf_image *image)
{
	array_deinit(&image->sections);
	array_deinit(&image->segments);
	free(image->section_names);
	image->section_names = NULL;
}

const struct elf_section *elf_image_section(const struct elf_image *image, const char *name)
{
	const struct elf_section *compressed = NULL;

	for (size_t i = 1; i < image->sections.count; i++) {
		const struct elf_section *section = &image->sections.items[i];

		if (!strcmp(section->name, name))
			return section;
		/* ".zdebug_info" for ".debug_info" */
		if (!compressed && name[0] == '.' && !strncmp(section->name, ".zdebug", 7) &&
		    !strcmp(section->name + 2, name + 1))
			compressed = section;
	}
	return compressed;
}

const struct elf_section *elf_image_section_of_type(const struct elf_image *image, uint32_t type)
{
	for (size_t i = 1; i < image->sections.count; i++)
		if (image->sections.items[i].type == type)
			return &image->sections.items[i];
	return NULL;
}
