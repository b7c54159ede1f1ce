/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_dwarf_index: hostile debug sections.
 *
 * An input is a byte of flags, eleven sizes of two bytes (of the sections below, in this order), and their bytes. They
 * become a well-formed ELF file, so that what is mutated is DWARF; files of the same sections are the split half, the
 * package and the alternate file where the flags say so. tests/fuzz/dwarf_corpus makes inputs out of compiled programs.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/dwarf_index.h"

#define SECTIONS 11
#define FLAG_SPLIT 1
#define FLAG_PACKAGE 2
#define FLAG_ALTERNATE 4
#define FLAG_LATER 8 /* the split half is not there when it is first asked for */

/* Where tests/fuzz/dwarf_corpus puts its code. */
#define CODE_START 0x10000
#define CODE_BYTES 0x180
#define CODE_STEP 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[SECTIONS] = {
	".debug_info", ".debug_abbrev", ".debug_str",	   ".debug_line_str", ".debug_str_offsets", ".debug_addr",
	".debug_line", ".debug_ranges", ".debug_rnglists", ".debug_aranges",  ".debug_cu_index",
};

struct input {
	const uint8_t *bytes[SECTIONS];
	size_t sizes[SECTIONS];
	bool later;
};

static bool parse(const uint8_t *data, size_t size, struct input *input)
{
	size_t at = 1 + 2 * SECTIONS;

	if (size < at)
		return false;
	for (int i = 0; i < SECTIONS; i++) {
		size_t bytes = data[1 + 2 * i] | (size_t)data[2 + 2 * i] << 8;

		input->sizes[i] = bytes < size - at ? bytes : size - at;
		input->bytes[i] = data + at;
		at += input->sizes[i];
	}
	return true;
}

static void put(int fd, const void *bytes, size_t size)
{
	if (write(fd, bytes, size) != (ssize_t)size)
		abort();
}

/* An ELF file of the sections: header, names, section headers, sections. */
static int make_file(const struct input *input, const char *suffix)
{
	Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			     .e_type = ET_EXEC,
			     .e_machine = EM_X86_64,
			     .e_shentsize = sizeof(Elf64_Shdr),
			     .e_shnum = SECTIONS + 2,
			     .e_shstrndx = SECTIONS + 1};
	Elf64_Shdr sections[SECTIONS + 2] = {0};
	char text[(SECTIONS + 1) * 32] = {0};
	int fd = memfd_create("dwarf", MFD_CLOEXEC);
	uint64_t at = sizeof(header) + sizeof(text) + sizeof(sections);

	header.e_shoff = sizeof(header) + sizeof(text);
	for (int i = 0; i < SECTIONS; i++) {
		snprintf(text + 32 * (i + 1), 32, "%s%s", names[i], i == SECTIONS - 1 ? "" : suffix);
		sections[i + 1] = (Elf64_Shdr){.sh_name = 32 * (uint32_t)(i + 1),
					       .sh_type = SHT_PROGBITS,
					       .sh_offset = at,
					       .sh_size = input->sizes[i]};
		at += input->sizes[i];
	}
	sections[SECTIONS + 1] =
		(Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = sizeof(header), .sh_size = sizeof(text)};
	if (fd < 0)
		abort();
	put(fd, &header, sizeof(header));
	put(fd, text, sizeof(text));
	put(fd, sections, sizeof(sections));
	for (int i = 0; i < SECTIONS; i++)
		put(fd, input->bytes[i], input->sizes[i]);
	return fd;
}

static int open_split(void *data, const char *name, const char *directory)
{
	struct input *input = data;

	if (!name[0] || strlen(directory) > 100000)
		abort();
	if (input->later) {
		input->later = false;
		return -EAGAIN;
	}
	return make_file(input, ".dwo");
}

static void look_up(struct dwarf_index *index, uint64_t address, unsigned int flags)
{
	struct dwarf_frame frames[DWARF_FRAMES_MAX];
	size_t count = SIZE_MAX;

	if (dwarf_index_find(index, address, flags, frames, &count))
		return;
	if (count > DWARF_FRAMES_MAX)
		abort();
	for (size_t i = 0; i < count; i++) {
		if ((frames[i].function && strlen(frames[i].function) > 1u << 20) ||
		    (frames[i].file && strlen(frames[i].file) > 1u << 20) || frames[i].inlined != (i + 1 < count))
			abort();
		if (!(flags & DWARF_LINES) && (frames[i].file || frames[i].line))
			abort();
	}
	if (!(flags & DWARF_INLINES) && count > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dwarf_files files = {-1, -1, -1, -1};
	struct dwarf_index *index;
	struct input input = {0};

	if (!parse(data, size, &input))
		return 0;
	input.later = data[0] & FLAG_LATER;
	files.elf = make_file(&input, "");
	if (data[0] & FLAG_SPLIT)
		files.open_split = open_split;
	if (data[0] & FLAG_PACKAGE)
		files.package = make_file(&input, ".dwo");
	if (data[0] & FLAG_ALTERNATE)
		files.alternate = make_file(&input, "");
	files.data = &input;
	files.bytes_max = data[0] & 0x80 ? 1 : 0;
	if (!dwarf_index_new(&files, &index)) {
		for (uint64_t at = CODE_START; at < CODE_START + CODE_BYTES; at += CODE_STEP)
			look_up(index, at, (unsigned int)(at & (DWARF_LINES | DWARF_INLINES)));
		dwarf_index_trim(index);
		look_up(index, CODE_START + 16, DWARF_LINES | DWARF_INLINES);
		dwarf_index_free(index);
	}
	close(files.elf);
	if (files.package >= 0)
		close(files.package);
	if (files.alternate >= 0)
		close(files.alternate);
	return 0;
}
