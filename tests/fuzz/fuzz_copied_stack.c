/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_copied_stack: a copied stack and the call frame information of the file that it is walked by, both hostile.
 *
 * The input is a struct head, then the file: whole, or (SECTION) its .eh_frame alone, around which a file is made here.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/copied_stack.h"

#define SECTION 1 /* bits of head.flags */
#define AFTER_CALL 2
#define INNER 4
#define WORDS 24

#define CODE 0x400000u /* where the file is mapped */
#define CODE_BYTES 0x10000u
#define JIT 0x500000u
#define STACK 0x7f0000000000ull

struct head {
	uint8_t flags, word_count;
	uint16_t ip; /* in the file's code */
	uint32_t known;
	uint8_t registers[CALL_REGISTERS]; /* in the stack */
	uint8_t padding[7];
	uint64_t words[WORDS];
};

struct made_file {
	Elf64_Ehdr header;
	Elf64_Phdr code;
	Elf64_Shdr sections[4];
	char names[32];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_around(const uint8_t *bytes, size_t size)
{
	static const char names[] = "\0.eh_frame\0.plt\0.shstrtab";
	struct made_file made = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_entry = CODE + 0xf000,
			   .e_phoff = offsetof(struct made_file, code),
			   .e_shoff = offsetof(struct made_file, sections),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1,
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 4,
			   .e_shstrndx = 3},
		.code = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_vaddr = CODE,
			 .p_filesz = CODE_BYTES,
			 .p_memsz = CODE_BYTES},
		.sections = {[1] = {.sh_name = 1,
				    .sh_type = SHT_PROGBITS,
				    .sh_flags = SHF_ALLOC,
				    .sh_addr = CODE + sizeof(made),
				    .sh_offset = sizeof(made),
				    .sh_size = size},
			     [2] = {.sh_name = 11,
				    .sh_type = SHT_PROGBITS,
				    .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				    .sh_addr = CODE + 0xe000,
				    .sh_offset = 0xe000,
				    .sh_size = 0x100},
			     [3] = {.sh_name = 16,
				    .sh_type = SHT_STRTAB,
				    .sh_offset = offsetof(struct made_file, names),
				    .sh_size = sizeof(names)}},
	};
	int fd = memfd_create("file", MFD_CLOEXEC);

	memcpy(made.names, names, sizeof(names));
	if (fd < 0 || write(fd, &made, sizeof(made)) < 0 || (size && write(fd, bytes, size) < 0) ||
	    ftruncate(fd, CODE_BYTES))
		abort();
	return fd;
}

static int file_of(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	if (fd < 0 || (size && write(fd, bytes, size) < 0))
		abort();
	return fd;
}

static struct call_frames *frames_of(void *data, uint32_t object)
{
	if (object != 1)
		abort();
	return data;
}

static void walk(const struct head *head, struct call_frames *file)
{
	static const struct copied_mapping mappings[] = {
		{.start = CODE, .end = CODE + CODE_BYTES, .object = 1},
		{.start = JIT, .end = JIT + CODE_BYTES, .jit = 1},
	};
	struct copied_stack stack = {
		.registers = {.known = head->known & ((1u << CALL_REGISTERS) - 1)},
		.after_call = !!(head->flags & AFTER_CALL),
		.inner = !!(head->flags & INNER),
		.base = STACK,
		.mapping_count = sizeof(mappings) / sizeof(*mappings),
		.word_count = head->word_count < WORDS ? head->word_count : WORDS,
	};
	uint64_t frames[UNWOUND_FRAMES_MAX];
	struct copied_frames walked;

	for (int i = 0; i < CALL_REGISTERS; i++)
		stack.registers.value[i] = STACK + head->registers[i];
	stack.registers.value[CALL_IP] = CODE + head->ip;
	copied_stack_walk(&stack, mappings, head->words, frames_of, file, &walked, frames);
	/* As the answer of the child is checked. */
	if (!walked.count || walked.count > UNWOUND_FRAMES_MAX || walked.end >= UNWOUND_ENDS)
		abort();
	for (uint32_t i = 0; i < walked.count; i++)
		*(volatile uint64_t *)&frames[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct call_frames *file = NULL;
	struct head head;
	int fd;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	data += sizeof(head);
	size -= sizeof(head);
	if (head.flags & SECTION)
		fd = file_around(data, size < CODE_BYTES / 2 ? size : CODE_BYTES / 2);
	else
		fd = file_of(data, size);
	if (!call_frames_new(fd, &file))
		walk(&head, file);
	call_frames_free(file);
	close(fd);
	return 0;
}
