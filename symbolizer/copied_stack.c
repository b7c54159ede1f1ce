/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/copied_stack.h"

#define NULL_PAGE 4096
#define STACK_BYTES_NEAR (8ull << 20) /* beyond the copy, where the rest of the stack may well be */
#define WALKING UNWOUND_ENDS

struct walk {
	const struct copied_stack *stack;
	const struct copied_mapping *mappings;
	const uint64_t *words;
	copied_stack_file file;
	void *data;
	struct call_registers registers;
	bool after_call, was_signal;
	bool missed;	/* a read went past the end of the copy */
	bool described; /* up to here all steps were by files' own rules */
	uint16_t flags;
};

static bool read_word(void *data, uint64_t address, uint64_t *ret_word)
{
	struct walk *walk = data;
	uint64_t bytes = (uint64_t)walk->stack->word_count * sizeof(uint64_t), in = address - walk->stack->base;
	const char *memory = (const char *)walk->words;

	if (in >= bytes || bytes - in < sizeof(*ret_word)) {
		walk->missed |= in - bytes < STACK_BYTES_NEAR || (in < bytes && bytes - in < sizeof(*ret_word));
		return false;
	}
	__builtin_memcpy(ret_word, memory + in, sizeof(*ret_word));
	return true;
}

static const struct copied_mapping *find_mapping(const struct walk *walk, uint64_t address)
{
	for (size_t i = 0; i < walk->stack->mapping_count; i++)
		if (address - walk->mappings[i].start < walk->mappings[i].end - walk->mappings[i].start)
			return &walk->mappings[i];
	return NULL;
}

/* @any_stack: frames may lie on several stacks, in no order (Go's system stacks). */
static enum unwound_end step_by_frame_pointer(struct walk *walk, bool any_stack)
{
	struct call_registers *registers = &walk->registers;
	uint64_t fp = registers->value[CALL_FP], caller, ip;

	walk->described = false;
	if (!(registers->known & 1u << CALL_FP))
		return UNWOUND_LOST;
	if (!fp)
		return UNWOUND_COMPLETE;
	if (fp < registers->value[CALL_SP] && !any_stack)
		return UNWOUND_LOST;
	if (!read_word(walk, fp, &caller) || !read_word(walk, fp + sizeof(uint64_t), &ip))
		return walk->missed ? UNWOUND_OUT : UNWOUND_LOST;
	registers->value[CALL_SP] = fp + 2 * sizeof(uint64_t);
	registers->value[CALL_FP] = caller;
	registers->value[CALL_IP] = ip;
	/* What such code saved of the others is not known. */
	registers->known = 1u << CALL_SP | 1u << CALL_FP | 1u << CALL_IP;
	walk->after_call = true;
	return ip < NULL_PAGE ? UNWOUND_COMPLETE : WALKING;
}

static enum unwound_end guess(struct walk *walk)
{
	enum unwound_end end = step_by_frame_pointer(walk, false);

	walk->flags |= UNWOUND_GUESSED;
	return end == UNWOUND_COMPLETE ? UNWOUND_ASSUMED : end;
}

static enum unwound_end step_in_file(struct walk *walk, struct call_frames *file, uint64_t offset)
{
	const struct call_memory memory = {read_word, walk};

	switch (call_frames_step(file, offset, &walk->registers, &memory)) {
	case CALL_STEPPED:
		walk->after_call = true;
		return walk->registers.value[CALL_IP] ? WALKING : UNWOUND_ASSUMED;
	case CALL_SIGNAL:
		walk->after_call = false;
		walk->was_signal = true;
		return WALKING;
	case CALL_FIRST:
		return UNWOUND_COMPLETE;
	case CALL_UNREADABLE:
		return walk->missed ? UNWOUND_OUT : UNWOUND_UNREADABLE;
	case CALL_SENSELESS:
		return UNWOUND_LOST;
	case CALL_UNKNOWN:
		break;
	}
	/* A function of Go that has no frame calls none. */
	return call_frames_keep_pointers(file) && walk->after_call ? step_by_frame_pointer(walk, true) : guess(walk);
}

static enum unwound_end step(struct walk *walk)
{
	uint64_t pc = walk->registers.value[CALL_IP] - walk->after_call;
	const struct copied_mapping *mapping = find_mapping(walk, pc);
	struct call_frames *file = mapping && mapping->object ? walk->file(walk->data, mapping->object) : NULL;

	walk->was_signal = false;
	walk->missed = false;
	if (file)
		return step_in_file(walk, file, pc - mapping->start + mapping->offset);
	if (mapping && mapping->jit)
		return step_by_frame_pointer(walk, false);
	if (!mapping)
		walk->flags |= UNWOUND_UNMAPPED;
	return guess(walk);
}

void copied_stack_walk(const struct copied_stack *stack, const struct copied_mapping *mappings, const uint64_t *words,
		       copied_stack_file file, void *data, struct copied_frames *ret, uint64_t *frames)
{
	struct walk walk = {
		.stack = stack,
		.mappings = mappings,
		.words = words,
		.file = file,
		.data = data,
		.registers = stack->registers,
		.after_call = stack->after_call,
		.described = true,
	};
	enum unwound_end end = WALKING;
	uint32_t count, described = 0;

	for (count = 0; count < UNWOUND_FRAMES_MAX && end == WALKING; count++) {
		uint64_t ip = walk.registers.value[CALL_IP];
		bool exact = (count || stack->inner) && !walk.after_call;

		end = step(&walk);
		described += walk.described;
		frames[count] = ip + (exact || walk.was_signal);
	}
	ret->count = count;
	ret->described = described;
	ret->end = end == WALKING ? UNWOUND_OUT : end;
	ret->flags = walk.flags;
}
