/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/debug_frame.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define NAMES "\0.debug_frame\0.shstrtab"
#define FRAME_NAME 1
#define NAMES_NAME 14

enum { NO_SECTION, FRAME_SECTION, NAMES_SECTION, SECTIONS };

/* A file: head, sections, then the bytes of the one that counts. */
struct file_head {
	Elf64_Ehdr elf;
	Elf64_Shdr sections[SECTIONS];
	char names[sizeof(NAMES)];
};

struct debug_frame {
	Elf *elf;
	Dwarf *dwarf;
	Dwarf_CFI *cfi; /* the dwarf's */
	size_t bytes;
	char file[]; /* [bytes] */
};

static void cleanup_frame(struct debug_frame **frame)
{
	debug_frame_free(*frame);
}

static void write_head(struct file_head *head, uint16_t machine, size_t bytes)
{
	*head = (struct file_head){
		.elf =
			{
				.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
				.e_type = ET_EXEC,
				.e_machine = machine,
				.e_version = EV_CURRENT,
				.e_shoff = offsetof(struct file_head, sections),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_shentsize = sizeof(Elf64_Shdr),
				.e_shnum = SECTIONS,
				.e_shstrndx = NAMES_SECTION,
			},
		.sections =
			{
				[FRAME_SECTION] = {.sh_name = FRAME_NAME,
						   .sh_type = SHT_PROGBITS,
						   .sh_offset = sizeof(*head),
						   .sh_size = bytes,
						   .sh_addralign = 1},
				[NAMES_SECTION] = {.sh_name = NAMES_NAME,
						   .sh_type = SHT_STRTAB,
						   .sh_offset = offsetof(struct file_head, names),
						   .sh_size = sizeof(NAMES),
						   .sh_addralign = 1},
			},
		.names = NAMES,
	};
}

static int open_file(struct debug_frame *frame)
{
	elf_version(EV_CURRENT);
	frame->elf = elf_memory(frame->file, frame->bytes);
	frame->dwarf = frame->elf ? dwarf_begin_elf(frame->elf, DWARF_C_READ, NULL) : NULL;
	frame->cfi = frame->dwarf ? dwarf_getcfi(frame->dwarf) : NULL;
	return frame->cfi ? 0 : -ENOEXEC;
}

int debug_frame_new(const struct elf_image *image, struct debug_frame **ret_frame)
{
	_cleanup_(elf_data_deinit) struct elf_data data = {0};
	const struct elf_section *section = elf_image_section(image, ".debug_frame");
	_cleanup_(cleanup_frame) struct debug_frame *frame = NULL;
	struct file_head head;
	int err;

	if (!section)
		return -ENOENT;
	err = elf_image_data(image, section, DEBUG_FRAME_BYTES_MAX, &data);
	if (err)
		return err == -ENODATA ? -ENOENT : err;
	frame = malloc(sizeof(*frame) + sizeof(head) + data.size);
	if (!frame)
		return -ENOMEM;
	*frame = (struct debug_frame){.bytes = sizeof(head) + data.size};
	write_head(&head, image->machine, data.size);
	memcpy(frame->file, &head, sizeof(head));
	if (data.size)
		memcpy(frame->file + sizeof(head), data.bytes, data.size);
	err = open_file(frame);
	if (!err)
		*ret_frame = take_ptr(frame);
	return err;
}

void debug_frame_free(struct debug_frame *frame)
{
	if (!frame)
		return;
	if (frame->dwarf)
		dwarf_end(frame->dwarf);
	if (frame->elf)
		elf_end(frame->elf);
	free(frame);
}

Dwarf_CFI *debug_frame_cfi(const struct debug_frame *frame)
{
	return frame->cfi;
}

size_t debug_frame_bytes(const struct debug_frame *frame)
{
	return 3 * frame->bytes;
}
