/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_elf_symbols: hostile ELF files, as a program and as its own debug file: outline, sections, notes, links, and the
 * functions of every address that a segment or section names.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/elf_symbols.h"

#define DATA_BYTES_MAX (1u << 20)
#define ADDRESSES 256
#define SECTIONS_LOOKED_AT 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int as_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

/* Addresses that something in the file speaks of, and their neighbours. */
static size_t collect(const struct elf_image *image, uint64_t *addresses)
{
	size_t count = 0;

	addresses[count++] = image->entry;
	for (size_t i = 0; i < image->sections.count && count + 4 < ADDRESSES; i++) {
		addresses[count++] = image->sections.items[i].address;
		addresses[count++] = image->sections.items[i].address + image->sections.items[i].bytes / 2;
		addresses[count++] = image->sections.items[i].address + image->sections.items[i].bytes - 1;
	}
	for (size_t i = 0; i < image->segments.count && count + 4 < ADDRESSES; i++) {
		addresses[count++] = image->segments.items[i].address;
		addresses[count++] = image->segments.items[i].address + image->segments.items[i].memory_bytes / 3;
	}
	return count;
}

static void read_image(const struct elf_image *image, int fd)
{
	struct elf_build_id build_id = {0};
	struct elf_debug_link link = {0};
	struct elf_alt_link alternate;

	for (size_t i = 0; i < image->sections.count && i < SECTIONS_LOOKED_AT; i++) {
		struct elf_data section;

		if (elf_image_data(image, &image->sections.items[i], DATA_BYTES_MAX, &section))
			continue;
		if (section.size > DATA_BYTES_MAX)
			abort();
		elf_data_deinit(&section);
	}
	if (elf_image_build_id(image, &build_id) && (!build_id.bytes || build_id.bytes > sizeof(build_id.id)))
		abort();
	if (elf_image_debug_link(image, &link) && strnlen(link.name, sizeof(link.name)) == sizeof(link.name))
		abort();
	if (elf_image_alt_link(image, &alternate) && !alternate.build_id.bytes)
		abort();
	elf_debug_file_check(&build_id, &link, fd);
}

static void ask(const struct elf_symbols *symbols, const uint64_t *addresses, size_t count)
{
	static struct elf_function together[ADDRESSES];
	char name[300];

	elf_symbols_functions(symbols, addresses, count, together);
	for (size_t i = 0; i < count; i++) {
		const struct elf_function *function = &together[i];
		struct elf_function alone;
		uint64_t offset, back;

		elf_symbols_functions(symbols, &addresses[i], 1, &alone);
		if (memcmp(&alone, function, sizeof(alone)))
			abort();
		if (function->from > addresses[i] || (function->to <= addresses[i] && addresses[i] != UINT64_MAX))
			abort();
		if (elf_symbols_file_offset(symbols, addresses[i], &offset))
			elf_symbols_address(symbols, offset, &back);
		if (!function->end)
			continue;
		if (function->start > addresses[i] || function->end <= addresses[i] ||
		    function->from < function->start || function->to > function->end)
			abort();
		memset(name, 'x', sizeof(name));
		if (!elf_symbols_name(symbols, function, name, sizeof(name) - 1) &&
		    (!name[0] || strnlen(name, sizeof(name)) >= sizeof(name) - 1 || name[sizeof(name) - 1] != 'x'))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_source source = elf_source_memory(data, size);
	int fd = as_file(data, size), debug_fd;
	uint64_t addresses[ADDRESSES];
	struct elf_symbols *symbols;
	struct elf_image image;
	size_t count;

	if (elf_image_init(&image, &source)) {
		close(fd);
		return 0;
	}
	read_image(&image, fd);
	count = collect(&image, addresses);
	elf_image_deinit(&image);
	if (elf_symbols_new(fd, &symbols)) {
		close(fd);
		return 0;
	}
	ask(symbols, addresses, count);
	debug_fd = as_file(data, size);
	if (elf_symbols_add_debug_file(symbols, debug_fd))
		close(debug_fd);
	ask(symbols, addresses, count);
	elf_symbols_free(symbols);
	return 0;
}
