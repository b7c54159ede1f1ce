/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/go_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define GO_1_2 0xfffffffbu
#define GO_1_16 0xfffffffau
#define GO_1_18 0xfffffff0u
#define GO_1_20 0xfffffff1u

#define FUNCTIONS_MAX (4u << 20)
#define BLOCK_FUNCTIONS 4096
#define SEARCHED_BYTES_MAX (256ull << 20)
#define BLOCK_BYTES (256u << 10)
#define TABLE_ALIGNMENT 8
#define HEADER_BYTES_MAX (8 + 8 * 8)

/* A table's outline. All offsets are from its start, and below its size. */
struct pclntab {
	uint64_t offset, bytes; /* in the file; up to the end of what it is in */
	uint32_t magic;
	uint32_t word;	   /* bytes of a pointer */
	uint32_t field;	   /* bytes of a number in the list of functions */
	uint64_t count;	   /* functions */
	uint64_t base;	   /* added to the addresses in the list */
	bool base_guessed; /* the table did not say it */
	uint64_t list, records, texts;
};

static uint64_t number_at(const void *bytes, size_t at, uint32_t width)
{
	uint64_t wide = 0;

	memcpy(&wide, (const char *)bytes + at, width);
	return wide;
}

static bool is_code(const struct code_range *ranges, size_t count, uint64_t address)
{
	for (size_t i = 0; i < count; i++)
		if (address >= ranges[i].start && address < ranges[i].end)
			return true;
	return false;
}

static bool is_header(const unsigned char *bytes, bool is_64)
{
	uint32_t magic = (uint32_t)number_at(bytes, 0, 4);

	return (magic == GO_1_2 || magic == GO_1_16 || magic == GO_1_18 || magic == GO_1_20) && !bytes[4] &&
	       !bytes[5] && (bytes[6] == 1 || bytes[6] == 2 || bytes[6] == 4) && bytes[7] == (is_64 ? 8 : 4);
}

/* Where code starts by what the table says. Where it says nothing (0), it may be .text: to be checked. */
static int read_base(struct pclntab *tab, const struct elf_image *image, const unsigned char *header,
		     const struct code_range *ranges, size_t range_count)
{
	const struct elf_section *text = elf_image_section(image, ".text");

	tab->base = number_at(header, 8 + 2 * tab->word, tab->word);
	if (is_code(ranges, range_count, tab->base))
		return 0;
	if (tab->base || !text)
		return -ENOEXEC;
	tab->base = text->address;
	tab->base_guessed = true;
	return 0;
}

static int read_header(struct pclntab *tab, const struct elf_image *image, const struct code_range *ranges,
		       size_t range_count)
{
	unsigned char header[HEADER_BYTES_MAX];
	ssize_t got = elf_source_read(&image->source, tab->offset, header, sizeof(header));
	int err = 0;

	if (got < 0)
		return (int)got;
	if ((size_t)got < sizeof(header) || tab->bytes < sizeof(header) || !is_header(header, image->is_64))
		return -ENOEXEC;
	tab->magic = (uint32_t)number_at(header, 0, 4);
	tab->field = tab->word = header[7];
	tab->count = number_at(header, 8, tab->word);
	switch (tab->magic) {
	case GO_1_2:
		tab->list = 8 + tab->word;
		break;
	case GO_1_16:
		tab->texts = number_at(header, 8 + 2 * tab->word, tab->word);
		tab->list = tab->records = number_at(header, 8 + 6 * tab->word, tab->word);
		break;
	default:
		tab->field = 4;
		tab->texts = number_at(header, 8 + 3 * tab->word, tab->word);
		tab->list = tab->records = number_at(header, 8 + 7 * tab->word, tab->word);
		err = read_base(tab, image, header, ranges, range_count);
	}
	if (err)
		return err;
	if (!tab->count || tab->count > FUNCTIONS_MAX || tab->texts >= tab->bytes || tab->list >= tab->bytes ||
	    (2 * tab->count + 1) * tab->field > tab->bytes - tab->list)
		return -ENOEXEC;
	return elf_source_holds(&image->source, tab->offset + tab->list, (2 * tab->count + 1) * tab->field) ? 0
													    : -ENOEXEC;
}

/* A linker other than Go's own puts the table somewhere into a section of its choice. */
static int search_in(const struct elf_image *image, const struct elf_section *section, const struct code_range *ranges,
		     size_t range_count, struct pclntab *tab)
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
			*tab = (struct pclntab){.offset = section->offset + at + i, .bytes = section->bytes - at - i};
			if (!read_header(tab, image, ranges, range_count))
				return 0;
		}
		if ((size_t)got < wanted)
			break;
	}
	return -ENOENT;
}

static int find_table(const struct elf_image *image, const struct code_range *ranges, size_t range_count,
		      struct pclntab *tab)
{
	static const char *const own[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	static const char *const others[] = {".data.rel.ro", ".rodata"};
	int err = -ENOENT;

	for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
		const struct elf_section *section = elf_image_section(image, own[i]);

		if (!section)
			continue;
		*tab = (struct pclntab){.offset = section->offset, .bytes = section->bytes};
		return read_header(tab, image, ranges, range_count);
	}
	if (!elf_image_section(image, ".go.buildinfo") && !elf_image_section(image, ".note.go.buildid"))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_LENGTH(others) && err == -ENOENT; i++) {
		const struct elf_section *section = elf_image_section(image, others[i]);

		if (section)
			err = search_in(image, section, ranges, range_count, tab);
	}
	return err;
}

/* Pairs of an address and a record's place, in ascending order; where the last function ends comes alone. */
static int read_list(const struct pclntab *tab, const struct elf_image *image, struct function_table *table,
		     unsigned int source, bool *ret_has_entry)
{
	size_t pair = 2 * tab->field;
	_cleanup_free_ unsigned char *block = malloc((BLOCK_FUNCTIONS + 1) * pair);
	uint64_t wanted_entry = image->entry - tab->base;

	if (!block)
		return -ENOMEM;
	*ret_has_entry = false;
	for (uint64_t at = 0; at < tab->count; at += BLOCK_FUNCTIONS) {
		uint64_t count = tab->count - at < BLOCK_FUNCTIONS ? tab->count - at : BLOCK_FUNCTIONS;
		size_t bytes = (size_t)count * pair + tab->field; /* with the next one's address */
		ssize_t got = elf_source_read(&image->source, tab->offset + tab->list + at * pair, block, bytes);

		if (got < 0)
			return (int)got;
		if ((size_t)got < bytes)
			return -ENOEXEC;
		for (size_t i = 0; i < count; i++) {
			uint64_t start = number_at(block, i * pair, tab->field);
			uint64_t end = number_at(block, (i + 1) * pair, tab->field);
			uint64_t record = number_at(block, i * pair + tab->field, tab->field);
			int err = 0;

			*ret_has_entry |= start == wanted_entry;
			if (end > start && record <= UINT32_MAX)
				err = function_table_add(table, tab->base + start, end - start, (uint32_t)record,
							 source, FUNCTION_SIZED);
			if (err)
				return err;
		}
	}
	return 0;
}

int go_symbols_read(const struct elf_image *image, const struct code_range *ranges, size_t range_count,
		    struct function_table *table, unsigned int source, struct go_names *ret_names)
{
	size_t before = table->entries.count;
	struct pclntab tab = {0};
	bool has_entry;
	int err = find_table(image, ranges, range_count, &tab);

	if (err)
		return err;
	err = read_list(&tab, image, table, source, &has_entry);
	/* Go's own linker starts the program in a Go function. Another one does not, and puts code before Go's. */
	if (!err && tab.base_guessed && !has_entry)
		err = -ENOEXEC;
	if (err) {
		table->entries.count = before;
		return err;
	}
	*ret_names = (struct go_names){
		.records = tab.offset + tab.records,
		.records_bytes = tab.bytes - tab.records,
		.texts = tab.offset + tab.texts,
		.texts_bytes = tab.bytes - tab.texts,
		.name_at = tab.magic == GO_1_2 || tab.magic == GO_1_16 ? tab.word : 4,
	};
	return 0;
}

int go_symbols_name(const struct go_names *names, const struct elf_source *source, uint32_t entry_name,
		    uint32_t *ret_text)
{
	uint64_t place = (uint64_t)entry_name + names->name_at;
	uint32_t text;
	ssize_t got;

	if (place + sizeof(text) > names->records_bytes)
		return -ENOENT;
	got = elf_source_read(source, names->records + place, &text, sizeof(text));
	if (got < 0)
		return (int)got;
	if ((size_t)got < sizeof(text) || text >= names->texts_bytes)
		return -ENOENT;
	*ret_text = text;
	return 0;
}
