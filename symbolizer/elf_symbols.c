/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/elf_symbols.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define SYMBOLS_MAX (16u << 20)
#define SEGMENTS_MAX 512
#define BLOCK_SYMBOLS 4096

struct function {
	uint64_t address;
	uint32_t size; /* 0: up to the next function */
	uint32_t name; /* offset in the string section */
};

struct segment {
	uint64_t offset, address, bytes;
};

struct elf_symbols {
	int fd;
	bool full;
	uint64_t strings_offset; /* of the string section in the file */
	uint64_t strings_bytes;
	ARRAY(struct function) functions; /* sorted by address; one for each address */
	ARRAY(struct segment) segments;
};

struct candidate {
	struct function function;
	uint8_t rank; /* smaller is better among names of one address */
};
typedef ARRAY(struct candidate) candidate_array;

static void cleanup_elf(Elf **elf)
{
	elf_end(*elf);
}

static void cleanup_symbols(struct elf_symbols **symbols)
{
	elf_symbols_free(*symbols);
}

void elf_symbols_free(struct elf_symbols *symbols)
{
	if (!symbols)
		return;
	if (symbols->fd >= 0)
		close(symbols->fd);
	array_deinit(&symbols->functions);
	array_deinit(&symbols->segments);
	free(symbols);
}

bool elf_symbols_any(const struct elf_symbols *symbols)
{
	return symbols->functions.count > 0;
}

bool elf_symbols_full(const struct elf_symbols *symbols)
{
	return symbols->full;
}

static int read_segments(struct elf_symbols *symbols, Elf *elf)
{
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return -ENOEXEC;
	for (size_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
		struct segment *segment;
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		segment = array_add(&symbols->segments);
		if (!segment)
			return -ENOMEM;
		*segment = (struct segment){header.p_offset, header.p_vaddr, header.p_filesz};
	}
	return 0;
}

static bool is_function(const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && symbol->st_name && symbol->st_value &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC);
}

/* Of several names for one address people know the global one; a weak alias is second, a local one third. */
static uint8_t rank_of(const GElf_Sym *symbol)
{
	int binding = GELF_ST_BIND(symbol->st_info);
	uint8_t rank = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;

	return (uint8_t)(rank + (symbol->st_size ? 0 : 4));
}

static int take_block(const void *block, size_t count, bool is_64, candidate_array *candidates)
{
	for (size_t i = 0; i < count; i++) {
		struct candidate *candidate;
		GElf_Sym symbol;

		if (is_64) {
			symbol = ((const Elf64_Sym *)block)[i];
		} else {
			const Elf32_Sym *small = &((const Elf32_Sym *)block)[i];

			symbol = (GElf_Sym){small->st_name,  small->st_info,  small->st_other,
					    small->st_shndx, small->st_value, small->st_size};
		}
		if (!is_function(&symbol))
			continue;
		candidate = array_add(candidates);
		if (!candidate)
			return -ENOMEM;
		candidate->function.address = symbol.st_value;
		candidate->function.size = symbol.st_size > UINT32_MAX ? UINT32_MAX : (uint32_t)symbol.st_size;
		candidate->function.name = symbol.st_name;
		candidate->rank = rank_of(&symbol);
	}
	return 0;
}

static int read_candidates(int fd, const GElf_Shdr *table, bool is_64, candidate_array *candidates)
{
	size_t entry = is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	uint64_t count = table->sh_size / entry;
	_cleanup_free_ char *block = malloc(BLOCK_SYMBOLS * entry);
	int err;

	if (!block)
		return -ENOMEM;
	if (count > SYMBOLS_MAX)
		return -ENOEXEC;
	for (uint64_t at = 0; at < count; at += BLOCK_SYMBOLS) {
		size_t wanted = count - at < BLOCK_SYMBOLS ? (size_t)(count - at) : BLOCK_SYMBOLS;
		ssize_t got = pread(fd, block, wanted * entry, (off_t)(table->sh_offset + at * entry));

		if (got < 0)
			return -EIO;
		err = take_block(block, (size_t)got / entry, is_64, candidates);
		if (err)
			return err;
		if ((size_t)got < wanted * entry)
			break;
	}
	return 0;
}

static int by_address_and_rank(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->function.address != b->function.address)
		return a->function.address < b->function.address ? -1 : 1;
	return (int)a->rank - (int)b->rank;
}

/* Keeps the best name of each address. */
static int keep_best(struct elf_symbols *symbols, candidate_array *candidates)
{
	if (!candidates->count)
		return 0;
	qsort(candidates->items, candidates->count, sizeof(*candidates->items), by_address_and_rank);
	if (array_reserve(&symbols->functions, candidates->count))
		return -ENOMEM;
	for (size_t i = 0; i < candidates->count; i++) {
		const struct function *function = &candidates->items[i].function;
		size_t kept = symbols->functions.count;

		if (!kept || symbols->functions.items[kept - 1].address != function->address)
			symbols->functions.items[symbols->functions.count++] = *function;
	}
	return 0;
}

static int read_table(struct elf_symbols *symbols, Elf *elf, const GElf_Shdr *table)
{
	candidate_array candidates = {0};
	Elf_Scn *section = elf_getscn(elf, table->sh_link);
	GElf_Shdr strings;
	int err;

	if (!section || !gelf_getshdr(section, &strings) || strings.sh_type != SHT_STRTAB)
		return -ENOEXEC;
	err = read_candidates(symbols->fd, table, gelf_getclass(elf) == ELFCLASS64, &candidates);
	if (!err)
		err = keep_best(symbols, &candidates);
	array_deinit(&candidates);
	symbols->strings_offset = strings.sh_offset;
	symbols->strings_bytes = strings.sh_size;
	return err;
}

static int read_functions(struct elf_symbols *symbols, Elf *elf)
{
	GElf_Shdr header, table = {.sh_type = SHT_NULL};
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		if (header.sh_type == SHT_SYMTAB || (header.sh_type == SHT_DYNSYM && table.sh_type == SHT_NULL))
			table = header;
	}
	symbols->full = table.sh_type == SHT_SYMTAB;
	return table.sh_type == SHT_NULL ? 0 : read_table(symbols, elf, &table);
}

int elf_symbols_new(int fd, struct elf_symbols **ret_symbols)
{
	_cleanup_(cleanup_symbols) struct elf_symbols *symbols = calloc(1, sizeof(*symbols));
	_cleanup_(cleanup_elf) Elf *elf = NULL;
	const char *ident;
	int err;

	if (!symbols)
		return -ENOMEM;
	symbols->fd = -1;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return -ENOEXEC;
	ident = elf_getident(elf, NULL);
	if (!ident || ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	symbols->fd = fd;
	err = read_segments(symbols, elf);
	if (!err)
		err = read_functions(symbols, elf);
	if (err) {
		symbols->fd = -1;
		return err;
	}
	*ret_symbols = take_ptr(symbols);
	return 0;
}

bool elf_symbols_address(const struct elf_symbols *symbols, uint64_t file_offset, uint64_t *ret_address)
{
	for (size_t i = 0; i < symbols->segments.count; i++) {
		const struct segment *segment = &symbols->segments.items[i];

		if (file_offset >= segment->offset && file_offset - segment->offset < segment->bytes) {
			*ret_address = file_offset - segment->offset + segment->address;
			return true;
		}
	}
	return false;
}

static const struct function *last_at_or_below(const struct elf_symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->functions.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->functions.items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols->functions.items[low - 1] : NULL;
}

int elf_symbols_find(const struct elf_symbols *symbols, uint64_t address, char *name, size_t size)
{
	const struct function *function = last_at_or_below(symbols, address);
	ssize_t got;

	if (!function || (function->size && address - function->address >= function->size))
		return -ENOENT;
	/* Without a size only a full table can tell where the function ends. */
	if (!function->size && !symbols->full)
		return -ENOENT;
	if (function->name >= symbols->strings_bytes)
		return -ENOENT;
	if (size > symbols->strings_bytes - function->name)
		size = symbols->strings_bytes - function->name;
	got = pread(symbols->fd, name, size, (off_t)(symbols->strings_offset + function->name));
	if (got <= 0)
		return -EIO;
	name[got - 1] = '\0';
	return name[0] ? 0 : -ENOENT;
}
