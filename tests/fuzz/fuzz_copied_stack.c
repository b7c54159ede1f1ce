/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_copied_stack: a copied stack and the call frame information of the file that it is walked by, both hostile.
 *
 * The input is a struct head, then the file: whole (.debug_frame, too), or (SECTION) its .eh_frame alone, around which a file is made here.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/copied_stack.h"
#include "tests/unit/eh_frame_file.h"

#define SECTION 1 /* bits of head.flags */
#define AFTER_CALL 2
#define INNER 4
#define WORDS 24

#define JIT 0x500000u
#define JIT_BYTES 0x10000u
#define STACK 0x7f0000000000ull

struct head {
	uint8_t flags, word_count;
	uint16_t ip; /* in the file's code */
	uint32_t known;
	uint8_t registers[CALL_REGISTERS]; /* in the stack */
	uint8_t padding[7];
	uint64_t words[WORDS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* As where it runs: there is an end to memory (WORKER_MEMORY_BYTES_MAX, here less for speed), and libdw is told so. */
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=64:allocator_may_return_null=1";
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
		{.start = EH_FRAME_CODE, .end = EH_FRAME_CODE + EH_FRAME_CODE_BYTES, .object = 1},
		{.start = JIT, .end = JIT + JIT_BYTES, .jit = 1},
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
	stack.registers.value[CALL_IP] = EH_FRAME_CODE + head->ip;
	copied_stack_walk(&stack, mappings, head->words, frames_of, file, &walked, frames);
	/* As the answer of the child is checked. */
	if (!walked.count || walked.count > UNWOUND_FRAMES_MAX || walked.end >= UNWOUND_ENDS ||
	    walked.described > walked.count)
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
		fd = eh_frame_file(data, size < EH_FRAME_CODE_BYTES / 2 ? size : EH_FRAME_CODE_BYTES / 2);
	else
		fd = file_of(data, size);
	if (!call_frames_new(fd, -1, &file))
		walk(&head, file);
	call_frames_free(file);
	close(fd);
	return 0;
}
