/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/elf_symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/decompress.h"
#include "symbolizer/elf_plt.h"
#include "symbolizer/function_table.h"
#include "symbolizer/go_symbols.h"
#include "symbolizer/symbol_names.h"

#define SYMBOLS_MAX (8u << 20)
#define BLOCK_SYMBOLS 4096
#define DEBUGDATA_PACKED_BYTES_MAX (32u << 20)
#define DEBUGDATA_BYTES_MAX (128u << 20)

struct elf_symbols {
	int fd, debug_fd; /* debug_fd is -1 while there is none */
	bool full;
	ARRAY(struct elf_segment) segments; /* PT_LOAD */
	ARRAY(struct code_range) ranges;
	struct function_table table;
	struct symbol_names names[ELF_SYMBOLS_SOURCES];
	struct go_names go_names;
};

static void cleanup_symbols(struct elf_symbols **symbols)
{
	elf_symbols_free(*symbols);
}

static void cleanup_data(struct elf_data *data)
{
	elf_data_deinit(data);
}

void elf_symbols_free(struct elf_symbols *symbols)
{
	if (!symbols)
		return;
	if (symbols->fd >= 0)
		close(symbols->fd);
	if (symbols->debug_fd >= 0)
		close(symbols->debug_fd);
	for (size_t i = 0; i < ELF_SYMBOLS_SOURCES; i++)
		symbol_names_deinit(&symbols->names[i]);
	function_table_deinit(&symbols->table);
	array_deinit(&symbols->segments);
	array_deinit(&symbols->ranges);
	free(symbols);
}

size_t elf_symbols_bytes(const struct elf_symbols *symbols)
{
	size_t bytes = sizeof(*symbols) + symbols->table.entries.capacity * sizeof(*symbols->table.entries.items) +
		       symbols->segments.capacity * sizeof(*symbols->segments.items) +
		       symbols->ranges.capacity * sizeof(*symbols->ranges.items);

	for (size_t i = 0; i < ELF_SYMBOLS_SOURCES; i++)
		bytes += symbols->names[i].held ? (size_t)symbols->names[i].bytes : 0;
	return bytes;
}

static int add_range(struct elf_symbols *symbols, uint64_t start, uint64_t bytes)
{
	struct code_range *range;

	if (!bytes || start > FUNCTION_ADDRESS_MAX || bytes > FUNCTION_ADDRESS_MAX - start)
		return 0;
	range = array_add(&symbols->ranges);
	if (!range)
		return -ENOMEM;
	*range = (struct code_range){start, start + bytes};
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct code_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Sorted, and where a liar's sections overlap, each from where the one before it ends. */
static void order_ranges(struct elf_symbols *symbols)
{
	size_t kept = 0;

	if (!symbols->ranges.count)
		return;
	qsort(symbols->ranges.items, symbols->ranges.count, sizeof(*symbols->ranges.items), by_start);
	for (size_t i = 0; i < symbols->ranges.count; i++) {
		struct code_range range = symbols->ranges.items[i];

		if (kept && range.start < symbols->ranges.items[kept - 1].end)
			range.start = symbols->ranges.items[kept - 1].end;
		if (range.start < range.end)
			symbols->ranges.items[kept++] = range;
	}
	symbols->ranges.count = kept;
}

/* Code is what sections say; without section headers, what segments say. */
static int read_ranges(struct elf_symbols *symbols, const struct elf_image *image)
{
	const uint64_t code = SHF_ALLOC | SHF_EXECINSTR;
	int err = 0;

	for (size_t i = 0; i < image->sections.count && !err; i++)
		if ((image->sections.items[i].flags & code) == code)
			err = add_range(symbols, image->sections.items[i].address, image->sections.items[i].bytes);
	for (size_t i = 0; i < image->segments.count && !err; i++) {
		const struct elf_segment *segment = &image->segments.items[i];

		if (segment->type != PT_LOAD)
			continue;
		if (array_reserve(&symbols->segments, 1))
			return -ENOMEM;
		symbols->segments.items[symbols->segments.count++] = *segment;
		if (image->sections.count < 2 && segment->flags & PF_X)
			err = add_range(symbols, segment->address, segment->memory_bytes);
	}
	order_ranges(symbols);
	return err;
}

static int take_symbol(struct function_table *table, const Elf64_Sym *symbol, enum elf_symbols_source source)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info), rank = FUNCTION_SIZED;

	if (symbol->st_shndx == SHN_UNDEF || !symbol->st_name || !symbol->st_value)
		return 0;
	/*
	 * Assembly often says of no function that it is one, or that it is an object; objects in code are also tables.
	 * Its local labels are places inside of functions.
	 */
	if ((type == STT_NOTYPE && ELF64_ST_BIND(symbol->st_info) != STB_LOCAL && symbol->st_shndx < SHN_LORESERVE) ||
	    type == STT_OBJECT)
		rank = FUNCTION_LABEL;
	else if (type != STT_FUNC && type != STT_GNU_IFUNC)
		return 0;
	if (!symbol->st_size)
		rank |= FUNCTION_SIZELESS;
	return function_table_add(table, symbol->st_value, symbol->st_size, symbol->st_name, source, rank);
}

static int take_block(struct function_table *table, const void *block, size_t count, bool is_64,
		      enum elf_symbols_source source)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		if (is_64) {
			err = take_symbol(table, &((const Elf64_Sym *)block)[i], source);
		} else {
			const Elf32_Sym *small = &((const Elf32_Sym *)block)[i];
			const Elf64_Sym wide = {small->st_name,	 small->st_info,  small->st_other,
						small->st_shndx, small->st_value, small->st_size};

			err = take_symbol(table, &wide, source);
		}
	}
	return err;
}

static int read_symbols(struct function_table *table, const struct elf_image *image, const struct elf_section *section,
			enum elf_symbols_source source)
{
	size_t entry = image->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	uint64_t count = section->bytes / entry < SYMBOLS_MAX ? section->bytes / entry : SYMBOLS_MAX;
	_cleanup_free_ char *block = malloc(BLOCK_SYMBOLS * entry);

	if (!block)
		return -ENOMEM;
	for (uint64_t at = 0; at < count && table->entries.count < SYMBOLS_MAX; at += BLOCK_SYMBOLS) {
		size_t wanted = count - at < BLOCK_SYMBOLS ? (size_t)(count - at) : BLOCK_SYMBOLS;
		ssize_t got = elf_source_read(&image->source, section->offset + at * entry, block, wanted * entry);
		int err = got < 0 ? (int)got : take_block(table, block, (size_t)got / entry, image->is_64, source);

		if (err)
			return err;
		if ((size_t)got < wanted * entry)
			break;
	}
	return 0;
}

/* Returns 1 where such a table gave functions, 0 where it did not, or a negative errno. */
static int read_table(struct elf_symbols *symbols, const struct elf_image *image, uint32_t type,
		      enum elf_symbols_source source)
{
	const struct elf_section *table = elf_image_section_of_type(image, type), *strings;
	size_t before = symbols->table.entries.count;
	int err;

	if (!table || table->flags & SHF_COMPRESSED || table->link >= image->sections.count)
		return 0;
	strings = &image->sections.items[table->link];
	if (strings->type != SHT_STRTAB || strings->flags & SHF_COMPRESSED)
		return 0;
	err = symbol_names_init(&symbols->names[source], image, strings->offset, strings->bytes);
	if (!err && symbols->names[source].bytes)
		err = read_symbols(&symbols->table, image, table, source);
	return err ? err : symbols->table.entries.count > before;
}

/* An ELF file in an ELF file: Fedora's "minidebuginfo", the functions that .dynsym does not have. */
static int read_debugdata(struct elf_symbols *symbols, const struct elf_image *image)
{
	const struct elf_section *section = elf_image_section(image, ".gnu_debugdata");
	_cleanup_(cleanup_data) struct elf_data packed = {0}, data = {0};
	struct elf_source source;
	struct elf_image inner;
	void *bytes;
	int err;

	if (!section)
		return 0;
	err = elf_image_data(image, section, DEBUGDATA_PACKED_BYTES_MAX, &packed);
	if (!err)
		err = decompress_xz(packed.bytes, packed.size, DEBUGDATA_BYTES_MAX, &bytes, &data.size);
	if (err)
		return err == -ENOMEM || err == -EIO ? err : 0;
	data.bytes = bytes;
	source = elf_source_memory(data.bytes, data.size);
	err = elf_image_init(&inner, &source);
	if (err)
		return err == -ENOMEM ? err : 0;
	err = read_table(symbols, &inner, SHT_SYMTAB, ELF_SYMBOLS_DEBUGDATA);
	elf_image_deinit(&inner);
	return err;
}

/* Not a full table: what cgo brought along is not in it. */
static int read_go(struct elf_symbols *symbols, const struct elf_image *image)
{
	struct go_names *names = &symbols->go_names;
	int err = go_symbols_read(image, symbols->ranges.items, symbols->ranges.count, &symbols->table, ELF_SYMBOLS_GO,
				  names);

	if (err)
		return err == -ENOENT || err == -ENOEXEC ? 0 : err;
	symbols->names[ELF_SYMBOLS_GO] =
		(struct symbol_names){.source = image->source, .offset = names->texts, .bytes = names->texts_bytes};
	return 0;
}

/* The texts of the tables whose names are weighed, read when the first two of one are. */
struct weighing {
	const struct symbol_names *names; /* [ELF_SYMBOLS_SOURCES] */
	struct symbol_texts texts[ELF_SYMBOLS_SOURCES];
	bool read[ELF_SYMBOLS_SOURCES];
};

static bool prefers(void *data, const struct function_entry *entry, const struct function_entry *other)
{
	unsigned int source = entry->source;
	struct weighing *weighing = data;

	if (source == ELF_SYMBOLS_GO || source == ELF_SYMBOLS_PLT)
		return false;
	if (!weighing->read[source])
		symbol_texts_init(&weighing->texts[source], &weighing->names[source]);
	weighing->read[source] = true;
	return symbol_texts_prefers(&weighing->texts[source], entry->name, other->name);
}

static int finish_table(struct function_table *table, const struct elf_symbols *symbols,
			const struct symbol_names *names, bool full)
{
	struct weighing weighing = {.names = names};
	const struct function_choice choice = {prefers, &weighing};
	int err = function_table_finish(table, symbols->ranges.items, symbols->ranges.count, full, &choice);

	for (size_t i = 0; i < ELF_SYMBOLS_SOURCES; i++)
		symbol_texts_deinit(&weighing.texts[i]);
	return err;
}

static int read_sources(struct elf_symbols *symbols, const struct elf_image *image)
{
	int err, full;

	full = read_table(symbols, image, SHT_SYMTAB, ELF_SYMBOLS_SYMTAB);
	if (full < 0)
		return full;
	err = read_table(symbols, image, SHT_DYNSYM, ELF_SYMBOLS_DYNSYM);
	if (err >= 0) {
		symbols->names[ELF_SYMBOLS_PLT] = symbols->names[ELF_SYMBOLS_DYNSYM];
		symbols->names[ELF_SYMBOLS_PLT].held = NULL;
		err = elf_plt_read(image, &symbols->table, ELF_SYMBOLS_PLT);
	}
	if (err >= 0 && !full)
		err = full = read_debugdata(symbols, image);
	if (err >= 0 && !full)
		err = read_go(symbols, image);
	if (err < 0)
		return err;
	symbols->full = full;
	return finish_table(&symbols->table, symbols, symbols->names, symbols->full);
}

int elf_symbols_new(int fd, struct elf_symbols **ret_symbols)
{
	_cleanup_(cleanup_symbols) struct elf_symbols *symbols = calloc(1, sizeof(*symbols));
	struct elf_source source = elf_source_file(fd);
	struct elf_image image;
	int err;

	if (!symbols)
		return -ENOMEM;
	symbols->fd = symbols->debug_fd = -1;
	err = elf_image_init(&image, &source);
	if (err)
		return err;
	err = read_ranges(symbols, &image);
	if (!err)
		err = read_sources(symbols, &image);
	elf_image_deinit(&image);
	if (err)
		return err;
	symbols->fd = fd;
	*ret_symbols = take_ptr(symbols);
	return 0;
}

/* Into a table of its own first: what goes wrong then leaves the old one as it was. */
static int add_debug_table(struct elf_symbols *symbols, const struct elf_image *image)
{
	struct elf_symbols more = {.fd = -1, .debug_fd = -1};
	size_t count = symbols->table.entries.count;
	int err = read_table(&more, image, SHT_SYMTAB, ELF_SYMBOLS_DEBUG_FILE);

	if (err > 0 && array_reserve(&more.table.entries, count))
		err = -ENOMEM;
	if (err > 0) {
		if (count)
			memcpy(more.table.entries.items + more.table.entries.count, symbols->table.entries.items,
			       count * sizeof(*symbols->table.entries.items));
		more.table.entries.count += count;
		err = finish_table(&more.table, symbols, more.names, true);
	} else if (!err) {
		err = -ENODATA;
	}
	if (err) {
		function_table_deinit(&more.table);
		symbol_names_deinit(&more.names[ELF_SYMBOLS_DEBUG_FILE]);
		return err;
	}
	function_table_deinit(&symbols->table);
	symbols->table = more.table;
	symbols->names[ELF_SYMBOLS_DEBUG_FILE] = more.names[ELF_SYMBOLS_DEBUG_FILE];
	symbols->full = true;
	return 0;
}

int elf_symbols_add_debug_file(struct elf_symbols *symbols, int fd)
{
	struct elf_source source = elf_source_file(fd);
	struct elf_image image;
	int err;

	if (symbols->debug_fd >= 0)
		return -EALREADY;
	err = elf_image_init(&image, &source);
	if (err)
		return err;
	err = add_debug_table(symbols, &image);
	elf_image_deinit(&image);
	if (!err)
		symbols->debug_fd = fd;
	return err;
}

bool elf_symbols_address(const struct elf_symbols *symbols, uint64_t file_offset, uint64_t *ret_address)
{
	for (size_t i = 0; i < symbols->segments.count; i++) {
		const struct elf_segment *segment = &symbols->segments.items[i];

		if (file_offset >= segment->offset && file_offset - segment->offset < segment->file_bytes) {
			*ret_address = file_offset - segment->offset + segment->address;
			return true;
		}
	}
	return false;
}

bool elf_symbols_file_offset(const struct elf_symbols *symbols, uint64_t address, uint64_t *ret_file_offset)
{
	for (size_t i = 0; i < symbols->segments.count; i++) {
		const struct elf_segment *segment = &symbols->segments.items[i];

		if (address >= segment->address && address - segment->address < segment->file_bytes) {
			*ret_file_offset = address - segment->address + segment->offset;
			return true;
		}
	}
	return false;
}

static struct elf_function as_function(const struct elf_symbols *symbols, const struct function_place *place)
{
	const struct function_entry *entry;

	if (place->number == FUNCTION_NONE)
		return (struct elf_function){.from = place->from, .to = place->to};
	entry = &symbols->table.entries.items[place->number];
	return (struct elf_function){
		.start = entry->address,
		.end = function_entry_end(entry),
		.from = place->from,
		.to = place->to,
		.source = (enum elf_symbols_source)entry->source,
		.name = entry->name,
	};
}

void elf_symbols_functions(const struct elf_symbols *symbols, const uint64_t *addresses, size_t count,
			   struct elf_function *functions)
{
	struct function_place place = {0};

	for (size_t i = 0; i < count; i++) {
		function_table_find(&symbols->table, addresses[i], &place);
		functions[i] = as_function(symbols, &place);
	}
}

/* "memcpy@@GLIBC_2.14", as static tables have it, is memcpy; a stub is told by its "@plt". */
static void tidy_name(char *name, size_t size, enum elf_symbols_source source)
{
	size_t length = strlen(name);
	char *at;

	if (source == ELF_SYMBOLS_GO)
		return;
	at = strchr(name + 1, '@');
	if (at && strcmp(at, "@plt")) {
		*at = '\0';
		length = (size_t)(at - name);
	}
	if (source == ELF_SYMBOLS_PLT && size - length > strlen("@plt"))
		memcpy(name + length, "@plt", sizeof("@plt"));
}

int elf_symbols_name(const struct elf_symbols *symbols, const struct elf_function *function, char *name, size_t size)
{
	const struct symbol_names *names = &symbols->names[function->source];
	uint32_t number = function->name;
	int err = 0;

	if (function->source == ELF_SYMBOLS_GO)
		err = go_symbols_name(&symbols->go_names, &names->source, function->name, &number);
	if (!err)
		err = symbol_names_read(names, number, name, size);
	if (err)
		return err;
	tidy_name(name, size, function->source);
	return 0;
}
