/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests on call frame information: an ELF file around an .eh_frame of any bytes, mapped at EH_FRAME_CODE. */
#ifndef TESTS_UNIT_EH_FRAME_FILE_H
#define TESTS_UNIT_EH_FRAME_FILE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EH_FRAME_CODE 0x400000u
#define EH_FRAME_CODE_BYTES 0x10000u
#define EH_FRAME_PLT 0xe000u   /* offset in it */
#define EH_FRAME_ENTRY 0xf000u /* likewise */

struct eh_frame_file {
	Elf64_Ehdr header;
	Elf64_Phdr code;
	Elf64_Shdr sections[4];
	char names[32];
};

/* Where the section lies when loaded. */
#define EH_FRAME_ADDRESS (EH_FRAME_CODE + (uint32_t)sizeof(struct eh_frame_file))

/* @size: at most half of EH_FRAME_CODE_BYTES. Returns a descriptor. */
static inline int eh_frame_file(const void *bytes, size_t size)
{
	static const char names[] = "\0.eh_frame\0.plt\0.shstrtab";
	struct eh_frame_file file = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_entry = EH_FRAME_CODE + EH_FRAME_ENTRY,
			   .e_phoff = offsetof(struct eh_frame_file, code),
			   .e_shoff = offsetof(struct eh_frame_file, sections),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1,
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 4,
			   .e_shstrndx = 3},
		.code = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_vaddr = EH_FRAME_CODE,
			 .p_filesz = EH_FRAME_CODE_BYTES,
			 .p_memsz = EH_FRAME_CODE_BYTES},
		.sections = {[1] = {.sh_name = 1,
				    .sh_type = SHT_PROGBITS,
				    .sh_flags = SHF_ALLOC,
				    .sh_addr = EH_FRAME_ADDRESS,
				    .sh_offset = sizeof(file),
				    .sh_size = size},
			     [2] = {.sh_name = 11,
				    .sh_type = SHT_PROGBITS,
				    .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				    .sh_addr = EH_FRAME_CODE + EH_FRAME_PLT,
				    .sh_offset = EH_FRAME_PLT,
				    .sh_size = 0x100},
			     [3] = {.sh_name = 16,
				    .sh_type = SHT_STRTAB,
				    .sh_offset = offsetof(struct eh_frame_file, names),
				    .sh_size = sizeof(names)}},
	};
	int fd = memfd_create("file", MFD_CLOEXEC);

	memcpy(file.names, names, sizeof(names));
	if (fd < 0 || write(fd, &file, sizeof(file)) < 0 || (size && write(fd, bytes, size) < 0) ||
	    ftruncate(fd, EH_FRAME_CODE_BYTES))
		abort();
	return fd;
}

#endif
