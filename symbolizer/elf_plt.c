/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/elf_plt.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define CODE_BYTES_MAX (4u << 20)
#define RELOCATIONS_BYTES_MAX (64u << 20)
#define SYMBOLS_BYTES_MAX (64u << 20)
#define SLOTS_MAX (256u << 10)
#define STUB_BYTES_MAX 16
#define JUMP_BYTES 6 /* ff 25 and 32 bits: jmp *disp(%rip) */

/* A place that the dynamic linker fills with the address of a symbol. */
struct slot {
	uint64_t address;
	uint32_t symbol; /* its number in .dynsym */
};
typedef ARRAY(struct slot) slot_array;

static void cleanup_data(struct elf_data *data)
{
	elf_data_deinit(data);
}

/* A section that cannot be read for what is in it has nothing in it; only our own troubles are errors. */
static int read_if_sound(const struct elf_image *image, const char *name, size_t max, struct elf_data *ret_data)
{
	const struct elf_section *section = elf_image_section(image, name);
	int err = section ? elf_image_data(image, section, max, ret_data) : 0;

	return err == -ENOMEM || err == -EIO ? err : 0;
}

static int add_slots(const struct elf_image *image, const char *name, slot_array *slots)
{
	_cleanup_(cleanup_data) struct elf_data data = {0};
	int err = read_if_sound(image, name, RELOCATIONS_BYTES_MAX, &data);

	for (size_t at = 0; !err && data.size - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela)) {
		Elf64_Rela relocation;

		memcpy(&relocation, data.bytes + at, sizeof(relocation));
		if (ELF64_R_TYPE(relocation.r_info) != R_X86_64_JUMP_SLOT &&
		    ELF64_R_TYPE(relocation.r_info) != R_X86_64_GLOB_DAT)
			continue;
		if (slots->count == SLOTS_MAX)
			break;
		if (array_reserve(slots, 1))
			return -ENOMEM;
		slots->items[slots->count++] =
			(struct slot){relocation.r_offset, (uint32_t)ELF64_R_SYM(relocation.r_info)};
	}
	return err;
}

static int by_address(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static int add_stubs(const struct elf_image *image, const struct elf_section *section, const slot_array *slots,
		     const struct elf_data *symbols, struct function_table *table, unsigned int source)
{
	_cleanup_(cleanup_data) struct elf_data code = {0};
	size_t stub = section->entry_bytes == 8 ? 8 : STUB_BYTES_MAX;
	int err = elf_image_data(image, section, CODE_BYTES_MAX, &code);

	if (err)
		return err == -ENOMEM || err == -EIO ? err : 0;
	for (size_t at = 0; at + JUMP_BYTES <= code.size; at++) {
		const struct slot *slot;
		struct slot wanted;
		Elf64_Sym symbol;
		size_t start;
		int32_t distance;

		if (code.bytes[at] != 0xff || code.bytes[at + 1] != 0x25)
			continue;
		memcpy(&distance, code.bytes + at + 2, sizeof(distance));
		wanted.address = section->address + at + JUMP_BYTES + (uint64_t)(int64_t)distance;
		slot = bsearch(&wanted, slots->items, slots->count, sizeof(wanted), by_address);
		if (!slot || slot->symbol >= symbols->size / sizeof(symbol))
			continue;
		memcpy(&symbol, symbols->bytes + slot->symbol * sizeof(symbol), sizeof(symbol));
		start = at - at % stub;
		if (symbol.st_name)
			err = function_table_add(table, section->address + start, stub, symbol.st_name, source,
						 FUNCTION_SIZED);
		if (err)
			return err;
		at = start + stub - 1;
	}
	return 0;
}

int elf_plt_read(const struct elf_image *image, struct function_table *table, unsigned int source)
{
	static const char *const names[] = {".plt", ".plt.sec", ".plt.got"};
	_cleanup_(cleanup_data) struct elf_data symbols = {0};
	slot_array slots = {0};
	int err;

	if (image->machine != EM_X86_64 || !image->is_64)
		return 0;
	err = add_slots(image, ".rela.plt", &slots);
	if (!err)
		err = add_slots(image, ".rela.dyn", &slots);
	if (!err && slots.count) {
		qsort(slots.items, slots.count, sizeof(*slots.items), by_address);
		err = read_if_sound(image, ".dynsym", SYMBOLS_BYTES_MAX, &symbols);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(names) && !err && slots.count; i++) {
		const struct elf_section *section = elf_image_section(image, names[i]);

		if (section)
			err = add_stubs(image, section, &slots, &symbols, table, source);
	}
	array_deinit(&slots);
	return err;
}
