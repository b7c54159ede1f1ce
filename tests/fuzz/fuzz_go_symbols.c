/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_go_symbols: hostile pclntab tables in an ELF file that is otherwise sound. The first byte says in which section
 * the table is, the second where the program starts, the rest is the table.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/go_symbols.h"

#define CODE 0x401000
#define CODE_BYTES 0x10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct head {
	Elf64_Ehdr header;
	Elf64_Shdr sections[5];
	char section_names[64];
};

static void make_head(struct head *head, const uint8_t *choices, size_t table_bytes)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab", ".data.rel.ro", ".rodata"};
	static const char section_names[] = "\0.text\0.shstrtab\0.go.buildinfo\0";

	memcpy(head->header.e_ident, ELFMAG, SELFMAG);
	head->header.e_ident[EI_CLASS] = ELFCLASS64;
	head->header.e_ident[EI_DATA] = ELFDATA2LSB;
	head->header.e_entry = CODE + choices[1];
	head->header.e_shoff = offsetof(struct head, sections);
	head->header.e_shentsize = sizeof(Elf64_Shdr);
	head->header.e_shnum = 5;
	head->header.e_shstrndx = 2;
	head->sections[1] = (Elf64_Shdr){1, SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, CODE, 0, CODE_BYTES};
	head->sections[2] =
		(Elf64_Shdr){7, SHT_STRTAB, 0, 0, offsetof(struct head, section_names), sizeof(head->section_names)};
	head->sections[3] = (Elf64_Shdr){17, SHT_PROGBITS};
	head->sections[4] = (Elf64_Shdr){32, SHT_PROGBITS, SHF_ALLOC, 0, sizeof(*head), table_bytes};
	memcpy(head->section_names, section_names, sizeof(section_names));
	snprintf(head->section_names + 32, 32, "%s", names[choices[0] % 4]);
}

static void check(const struct function_table *table, const struct go_names *names, const struct elf_source *source)
{
	for (size_t i = 0; i < table->entries.count; i++) {
		const struct function_entry *entry = &table->entries.items[i];
		uint32_t text;

		if (!entry->bytes)
			abort();
		if (go_symbols_name(names, source, entry->name, &text))
			continue;
		if (text >= names->texts_bytes || names->texts + names->texts_bytes > source->memory_bytes)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct code_range range = {CODE, CODE + CODE_BYTES};
	_cleanup_free_ char *file = NULL;
	struct function_table table = {0};
	struct elf_source source;
	struct go_names names;
	struct elf_image image;

	if (size < 2)
		return 0;
	file = calloc(1, sizeof(struct head) + size);
	if (!file)
		abort();
	make_head((struct head *)file, data, size - 2);
	memcpy(file + sizeof(struct head), data + 2, size - 2);
	source = elf_source_memory(file, sizeof(struct head) + size - 2);
	if (elf_image_init(&image, &source))
		abort();
	if (!go_symbols_read(&image, &range, 1, &table, 0, &names))
		check(&table, &names, &source);
	else if (table.entries.count)
		abort();
	function_table_deinit(&table);
	elf_image_deinit(&image);
	return 0;
}
