/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/call_frames.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/debug_frame.h"
#include "symbolizer/elf_image.h"

#define ENTRY_BYTES 64 /* of an entry point without unwind data */
#define CALL_RBX 3

struct call_frames {
	struct elf_image image;
	bool keep_pointers;
	Elf *elf;
	Dwarf_CFI *cfi;		   /* NULL: none */
	struct debug_frame *debug; /* NULL: none */
};

static void cleanup_frames(struct call_frames **frames)
{
	call_frames_free(*frames);
}

/* Of the file, else of its debug file. -ENOMEM, or 0: what is broken is not there. */
static int find_debug_frame(struct call_frames *frames, int debug_fd)
{
	struct elf_source source = elf_source_file(debug_fd);
	struct elf_image image;
	int err = debug_frame_new(&frames->image, &frames->debug);

	if (err == -ENOENT && debug_fd >= 0 && !elf_image_init(&image, &source)) {
		if (image.is_64 && image.machine == frames->image.machine)
			err = debug_frame_new(&image, &frames->debug);
		elf_image_deinit(&image);
	}
	return err == -ENOMEM ? err : 0;
}

int call_frames_new(int fd, int debug_fd, struct call_frames **ret_frames)
{
	_cleanup_(cleanup_frames) struct call_frames *frames = calloc(1, sizeof(*frames));
	struct elf_source source = elf_source_file(fd);
	int err;

	if (!frames)
		return -ENOMEM;
	err = elf_image_init(&frames->image, &source);
	if (err) {
		free(take_ptr(frames));
		return err;
	}
	if (!frames->image.is_64 || frames->image.machine != EM_X86_64)
		return -EOPNOTSUPP;
	frames->keep_pointers = elf_image_section(&frames->image, ".gopclntab") ||
				elf_image_section(&frames->image, ".note.go.buildid");
	elf_version(EV_CURRENT);
	/* Read, never mapped: a file that shrinks gives errors, not signals. */
	frames->elf = elf_begin(fd, ELF_C_READ, NULL);
	frames->cfi = frames->elf ? dwarf_getcfi_elf(frames->elf) : NULL;
	/* One that takes too much is no reason to have nothing of .eh_frame. */
	err = find_debug_frame(frames, debug_fd);
	if (err && !frames->cfi)
		return err;
	*ret_frames = take_ptr(frames);
	return 0;
}

void call_frames_free(struct call_frames *frames)
{
	if (!frames)
		return;
	debug_frame_free(frames->debug);
	if (frames->cfi)
		dwarf_cfi_end(frames->cfi);
	if (frames->elf)
		elf_end(frames->elf);
	elf_image_deinit(&frames->image);
	free(frames);
}

/* libdw holds the section, and more than as much again of what it has looked up. */
size_t call_frames_bytes(const struct call_frames *frames)
{
	const struct elf_section *section = elf_image_section(&frames->image, ".eh_frame");

	return sizeof(*frames) + (frames->cfi && section ? 3 * section->bytes : 0) +
	       (frames->debug ? debug_frame_bytes(frames->debug) : 0);
}

bool call_frames_keep_pointers(const struct call_frames *frames)
{
	return frames->keep_pointers;
}

/* Segments are mapped from whole pages on. */
static bool address_of(const struct elf_image *image, uint64_t offset, uint64_t *ret_address)
{
	for (size_t i = 0; i < image->segments.count; i++) {
		const struct elf_segment *segment = &image->segments.items[i];
		uint64_t slack = segment->offset & 4095;

		if (segment->type == PT_LOAD && segment->flags & PF_X &&
		    offset - (segment->offset - slack) < segment->file_bytes + slack) {
			*ret_address = segment->address - segment->offset + offset;
			return true;
		}
	}
	return false;
}

/*
 * Nobody will miss what is undefined: then it is no longer known, and that is all. False where it should be there.
 * Of %rbx it means that the file says nothing of it: libdw's own rules for x86-64 have its number wrong (0.188:
 * x86_64_cfi.c calls register 0 "%rbx"), so that the one of six that are the caller's would be lost.
 */
static bool recover(Dwarf_Frame *frame, int number, const struct call_registers *now, uint64_t cfa,
		    const struct call_memory *memory, struct call_registers *next)
{
	Dwarf_Op room[3], *operations;
	uint64_t result;
	bool is_value;
	size_t count;

	if (dwarf_frame_register(frame, number, room, &operations, &count))
		return false;
	if (!count && operations == room && number != CALL_RBX)
		return true;
	if (!count) {
		next->value[number] = now->value[number];
		next->known |= now->known & 1u << number;
		return true;
	}
	if (!dwarf_expression_run(operations, count, now, &cfa, memory, &result, &is_value) ||
	    (!is_value && !memory->read(memory->data, result, &result)))
		return false;
	next->value[number] = result;
	next->known |= 1u << number;
	return true;
}

static bool is_first(Dwarf_Frame *frame)
{
	Dwarf_Op room[3], *operations;
	size_t count;

	return !dwarf_frame_register(frame, CALL_IP, room, &operations, &count) && !count && operations == room;
}

static enum call_step step_by(Dwarf_Frame *frame, struct call_registers *registers, const struct call_memory *memory)
{
	struct call_registers next = {.known = 0};
	bool signal = false, is_value;
	Dwarf_Op *operations;
	uint64_t cfa;
	size_t count;

	if (dwarf_frame_info(frame, NULL, NULL, &signal) != CALL_IP)
		return CALL_UNKNOWN;
	if (is_first(frame))
		return CALL_FIRST;
	if (dwarf_frame_cfa(frame, &operations, &count) || !count)
		return CALL_UNKNOWN;
	if (!dwarf_expression_run(operations, count, registers, NULL, memory, &cfa, &is_value))
		return CALL_UNREADABLE;
	for (int number = 0; number < CALL_REGISTERS; number++)
		if (!recover(frame, number, registers, cfa, memory, &next) && (number == CALL_IP || number == CALL_SP))
			return CALL_UNREADABLE;
	/* A signal may have come on another stack. */
	if (!signal && cfa <= registers->value[CALL_SP])
		return CALL_SENSELESS;
	*registers = next;
	return signal ? CALL_SIGNAL : CALL_STEPPED;
}

/* What linkers and start-up code leave without information, as in unwind_rows.h: entries of a PLT, and the entry point. */
static enum call_step step_specially(const struct call_frames *frames, uint64_t address,
				     struct call_registers *registers, const struct call_memory *memory)
{
	uint64_t sp = registers->value[CALL_SP];

	if (frames->cfi && frames->image.entry && address - frames->image.entry < ENTRY_BYTES)
		return CALL_FIRST;
	for (size_t i = 0; i < frames->image.sections.count; i++) {
		const struct elf_section *section = &frames->image.sections.items[i];

		if (strncmp(section->name, ".plt", 4) != 0 || !(section->flags & SHF_EXECINSTR) ||
		    address - section->address >= section->bytes)
			continue;
		if (!memory->read(memory->data, sp, &registers->value[CALL_IP]))
			return CALL_UNREADABLE;
		registers->value[CALL_SP] = sp + sizeof(uint64_t);
		return CALL_STEPPED;
	}
	return CALL_UNKNOWN;
}

enum call_step call_frames_step(struct call_frames *frames, uint64_t offset, struct call_registers *registers,
				const struct call_memory *memory)
{
	_cleanup_free_ Dwarf_Frame *frame = NULL;
	uint64_t address;

	if (!address_of(&frames->image, offset, &address))
		return CALL_UNKNOWN;
	if ((frames->cfi && !dwarf_cfi_addrframe(frames->cfi, address, &frame)) ||
	    (frames->debug && !dwarf_cfi_addrframe(debug_frame_cfi(frames->debug), address, &frame)))
		return step_by(frame, registers, memory);
	return step_specially(frames, address, registers, memory);
}
