/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/go_table.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"

#define FUNCTIONS_MAX (4u << 20)
#define SEARCHED_BYTES_MAX (256ull << 20)
#define BLOCK_BYTES (256u << 10)
#define TABLE_ALIGNMENT 8
#define HEADER_BYTES_MAX (8 + 8 * 8)

static bool is_code(const struct code_range *ranges, size_t count, uint64_t address)
{
	for (size_t i = 0; i < count; i++)
		if (address >= ranges[i].start && address < ranges[i].end)
			return true;
	return false;
}

static bool is_header(const unsigned char *bytes, bool is_64)
{
	uint32_t magic = (uint32_t)go_number_at(bytes, 0, 4);

	return (magic == GO_1_2 || magic == GO_1_16 || magic == GO_1_18 || magic == GO_1_20) && !bytes[4] &&
	       !bytes[5] && (bytes[6] == 1 || bytes[6] == 2 || bytes[6] == 4) && bytes[7] == (is_64 ? 8 : 4);
}

/* Where code starts by what the table says. Where it says nothing (0), it may be .text: to be checked. */
static int read_base(struct go_table *tab, const struct elf_image *image, const unsigned char *header,
		     const struct code_range *ranges, size_t range_count)
{
	const struct elf_section *text = elf_image_section(image, ".text");

	tab->base = go_number_at(header, 8 + 2 * tab->word, tab->word);
	if (is_code(ranges, range_count, tab->base))
		return 0;
	if (tab->base || !text)
		return -ENOEXEC;
	tab->base = text->address;
	tab->base_guessed = true;
	return 0;
}

static int read_header(struct go_table *tab, const struct elf_image *image, const struct code_range *ranges,
		       size_t range_count)
{
	unsigned char header[HEADER_BYTES_MAX];
	ssize_t got = elf_source_read(&image->source, tab->offset, header, sizeof(header));
	int err = 0;

	if (got < 0)
		return (int)got;
	if ((size_t)got < sizeof(header) || tab->bytes < sizeof(header) || !is_header(header, image->is_64))
		return -ENOEXEC;
	tab->magic = (uint32_t)go_number_at(header, 0, 4);
	tab->quantum = header[6];
	tab->field = tab->word = header[7];
	tab->count = go_number_at(header, 8, tab->word);
	switch (tab->magic) {
	case GO_1_2:
		tab->list = 8 + tab->word;
		break;
	case GO_1_16:
		tab->texts = go_number_at(header, 8 + 2 * tab->word, tab->word);
		tab->depths = go_number_at(header, 8 + 5 * tab->word, tab->word);
		tab->list = tab->records = go_number_at(header, 8 + 6 * tab->word, tab->word);
		break;
	default:
		tab->field = 4;
		tab->texts = go_number_at(header, 8 + 3 * tab->word, tab->word);
		tab->depths = go_number_at(header, 8 + 6 * tab->word, tab->word);
		tab->list = tab->records = go_number_at(header, 8 + 7 * tab->word, tab->word);
		err = read_base(tab, image, header, ranges, range_count);
	}
	if (err)
		return err;
	if (!tab->count || tab->count > FUNCTIONS_MAX || tab->texts >= tab->bytes || tab->depths >= tab->bytes ||
	    tab->list >= tab->bytes || (2 * tab->count + 1) * tab->field > tab->bytes - tab->list)
		return -ENOEXEC;
	return elf_source_holds(&image->source, tab->offset + tab->list, (2 * tab->count + 1) * tab->field) ? 0
													    : -ENOEXEC;
}

/* A linker other than Go's own puts the table somewhere into a section of its choice. */
static int search_in(const struct elf_image *image, const struct elf_section *section, const struct code_range *ranges,
		     size_t range_count, struct go_table *tab)
{
	uint64_t bytes = section->bytes < SEARCHED_BYTES_MAX ? section->bytes : SEARCHED_BYTES_MAX;
	_cleanup_free_ unsigned char *block = malloc(BLOCK_BYTES);

	if (!block)
		return -ENOMEM;
	for (uint64_t at = 0; at < bytes; at += BLOCK_BYTES) {
		size_t wanted = bytes - at < BLOCK_BYTES ? (size_t)(bytes - at) : BLOCK_BYTES;
		ssize_t got = elf_source_read(&image->source, section->offset + at, block, wanted);

		if (got < 0)
			return (int)got;
		for (size_t i = 0; i + TABLE_ALIGNMENT <= (size_t)got; i += TABLE_ALIGNMENT) {
			if (!is_header(block + i, image->is_64))
				continue;
			*tab = (struct go_table){.offset = section->offset + at + i, .bytes = section->bytes - at - i};
			if (!read_header(tab, image, ranges, range_count))
				return 0;
		}
		if ((size_t)got < wanted)
			break;
	}
	return -ENOENT;
}

int go_table_find(const struct elf_image *image, const struct code_range *ranges, size_t range_count,
		  struct go_table *ret_table)
{
	static const char *const own[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	static const char *const others[] = {".data.rel.ro", ".rodata"};
	int err = -ENOENT;

	for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
		const struct elf_section *section = elf_image_section(image, own[i]);

		if (!section)
			continue;
		*ret_table = (struct go_table){.offset = section->offset, .bytes = section->bytes};
		return read_header(ret_table, image, ranges, range_count);
	}
	if (!elf_image_section(image, ".go.buildinfo") && !elf_image_section(image, ".note.go.buildid"))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_LENGTH(others) && err == -ENOENT; i++) {
		const struct elf_section *section = elf_image_section(image, others[i]);

		if (section)
			err = search_in(image, section, ranges, range_count, ret_table);
	}
	return err;
}
