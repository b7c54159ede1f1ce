/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copied_stack: walks a stack of which there is a copy, in the child that parses (parse_service.h).
 *
 * Each step is taken as bpf/walk.bpf.h takes it, but for the files' own rules, which are call_frames.h's: the frame
 * pointer in code made at run time and in Go; where nothing is known the frame pointer too, and then the stack is a guess.
 */
#ifndef SYMBOLIZER_COPIED_STACK_H
#define SYMBOLIZER_COPIED_STACK_H

#include "symbolizer/call_frames.h"
#include "symbolizer/copy_unwinder.h"

#define COPIED_MAPPINGS_MAX 64

/* Of a struct mapping, what a walk needs. */
struct copied_mapping {
	uint64_t start, end, offset;
	uint32_t object; /* the parser's number of the file; 0: none, or it cannot be read */
	uint32_t jit;	 /* 1: code made at run time */
};

/* A request: this, then mappings and words. Padded, so that it is whole words. */
struct copied_stack {
	struct call_registers registers;
	uint32_t after_call, inner; /* as in struct copy_to_unwind */
	uint64_t base;		    /* address of the first word */
	uint32_t mapping_count, word_count;
};

/* The answer: this, then frames. */
struct copied_frames {
	uint32_t count, described; /* as in struct unwound */
	uint32_t end, flags;	   /* enum unwound_end; UNWOUND_... */
};

/* The information of a file by its number, or NULL. */
typedef struct call_frames *(*copied_stack_file)(void *data, uint32_t object);

/**
 * copied_stack_walk() - leaf first, in the form that struct unwound says
 * @mappings: [stack->mapping_count], sorted
 * @words: [stack->word_count]
 * @frames: [UNWOUND_FRAMES_MAX]
 */
void copied_stack_walk(const struct copied_stack *stack, const struct copied_mapping *mappings, const uint64_t *words,
		       copied_stack_file file, void *data, struct copied_frames *ret, uint64_t *frames);

#endif
