/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * frame_pointers: a user stack by following frame pointers.
 *
 * bpf_get_stack() does the same and costs twice as much: it follows whatever it finds until a read faults, and most
 * stacks end in one (the C library starts main() with a small number in the register), while a fault and its repair
 * cost more than all reads before. Here such an end is seen without reading it, and one read of a piece of stack serves
 * all the frames in it.
 */
#ifndef STOKER_FRAME_POINTERS_BPF_H
#define STOKER_FRAME_POINTERS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/shared.h"
#include "bpf/user_registers.bpf.h"

#define PIECE_WORDS 64	    /* of stack, read at once; a power of two */
#define ADDRESS_LOWEST 4096 /* below it nothing is mapped: include/linux/security.h, and a null pointer's page */

struct stack_piece {
	u64 base;	  /* user address of words[0] */
	u32 last;	  /* offset in bytes of the last frame that is wholly in words */
	u32 frames_found; /* by the walk, for the verifier's sake */
	u64 words[PIECE_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack_piece);
} stack_pieces __weak SEC(".maps");

/* Far from the stack pointer it may be anything, and then one fault is enough: no piece is tried. */
static __always_inline bool read_piece(struct stack_piece *piece, u64 sp, u64 address)
{
	piece->base = address;
	piece->last = sizeof(piece->words) - 2 * sizeof(u64);
	if (address - sp < STACK_BYTES_NEAR &&
	    !bpf_probe_read_user(piece->words, sizeof(piece->words), (void *)address))
		return true;
	/* Near the end of a mapping the one frame may be there; nothing after it is. */
	piece->last = 0;
	return !bpf_probe_read_user(piece->words, 2 * sizeof(u64), (void *)address);
}

/**
 * follow_frame_pointers() - from registers to return addresses
 * @frames: [STACK_FRAMES_MAX], leaf first
 * Returns how many were stored: at least the instruction pointer.
 */
static __always_inline u32 follow_frame_pointers(const struct user_registers *registers, u64 *frames)
{
	u64 fp = registers->fp, next, address;
	struct stack_piece *piece;
	u32 zero = 0, count, word;

	frames[0] = registers->ip;
	piece = bpf_map_lookup_elem(&stack_pieces, &zero);
	if (!piece)
		return 1;
	piece->base = 0;
	piece->last = 0;
	for (count = 1; count < STACK_FRAMES_MAX; count++) {
		if (fp < ADDRESS_LOWEST || fp % sizeof(u64))
			break;
		if (fp - piece->base > piece->last && !read_piece(piece, registers->sp, fp))
			break;
		word = (fp - piece->base) / sizeof(u64) % PIECE_WORDS;
		next = piece->words[word];
		address = piece->words[(word + 1) % PIECE_WORDS];
		if (address < ADDRESS_LOWEST || next == fp)
			break;
		frames[count] = address;
		fp = next;
	}
	/* By way of the map, which the verifier forgets: else it would follow all that comes once for each count. */
	*(volatile u32 *)&piece->frames_found = count;
	return *(volatile u32 *)&piece->frames_found;
}

#endif
