/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/python_runtime.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/elf_image.h"

#define TABLE_BYTES_MAX (64u << 20)

/* The address of an object by its name; 0 where the table has none. */
static uint64_t address_of(const struct elf_data *symbols, const struct elf_data *names, const char *wanted)
{
	size_t bytes = strlen(wanted) + 1;

	for (size_t at = 0; at + sizeof(Elf64_Sym) <= symbols->size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym symbol;

		memcpy(&symbol, symbols->bytes + at, sizeof(symbol));
		if (ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT && symbol.st_name < names->size &&
		    names->size - symbol.st_name >= bytes && !memcmp(names->bytes + symbol.st_name, wanted, bytes))
			return symbol.st_value;
	}
	return 0;
}

static bool read_number(const struct elf_image *image, uint64_t address, uint64_t *ret)
{
	for (size_t i = 0; i < image->segments.count; i++) {
		const struct elf_segment *segment = &image->segments.items[i];
		uint64_t in = address - segment->address;

		if (segment->type == PT_LOAD && in < segment->file_bytes)
			return elf_source_read(&image->source, segment->offset + in, ret, sizeof(*ret)) == sizeof(*ret);
	}
	return false;
}

/* Code is mapped from one segment and data from another, with the same distance between them as the file's addresses have. */
static void fill(const struct elf_image *image, uint64_t runtime, uint64_t version, struct python_runtime *ret)
{
	uint64_t number;

	for (size_t i = 0; i < image->segments.count; i++) {
		const struct elf_segment *segment = &image->segments.items[i];

		if (segment->type != PT_LOAD || !(segment->flags & PF_X) || !read_number(image, version, &number))
			continue;
		ret->version = (uint32_t)(number >> 16) & 0xffff;
		ret->place = runtime - (segment->address - segment->offset);
		return;
	}
}

static int find_in(const struct elf_image *image, const struct elf_section *section, struct python_runtime *ret)
{
	static const char runtime_name[] = "_PyRuntime";
	_cleanup_(elf_data_deinit) struct elf_data names = {0}, symbols = {0};
	uint64_t runtime, version;
	int err;

	if (section->link >= image->sections.count)
		return 0;
	err = elf_image_data(image, &image->sections.items[section->link], TABLE_BYTES_MAX, &names);
	/* Most files end here, by the fastest of all searches. */
	if (err || !names.size || !memmem(names.bytes, names.size, runtime_name, sizeof(runtime_name)))
		return err == -ENOMEM ? err : 0;
	err = elf_image_data(image, section, TABLE_BYTES_MAX, &symbols);
	if (err)
		return err == -ENOMEM ? err : 0;
	runtime = address_of(&symbols, &names, runtime_name);
	version = address_of(&symbols, &names, "Py_Version");
	if (runtime && version)
		fill(image, runtime, version, ret);
	return 0;
}

int python_runtime_find(const struct elf_image *image, struct python_runtime *ret_runtime)
{
	static const uint32_t tables[] = {SHT_DYNSYM, SHT_SYMTAB};
	struct python_runtime found = {0};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(tables) && !err && !found.version; i++) {
		const struct elf_section *section = elf_image_section_of_type(image, tables[i]);

		if (section)
			err = find_in(image, section, &found);
	}
	if (!err)
		*ret_runtime = found;
	return err;
}
