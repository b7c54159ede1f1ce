/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * walk: a user stack by tables, by frame pointers where there are none.
 *
 * Each step takes the best that is known at its place: the file's rule; the frame pointer in code made at run time and in
 * Go; the frame pointer too in code without unwind data, and then the stack is marked as a guess.
 *
 * What is particular to x86-64: the return address at CFA - 8, the signal frame, and the entries of a PLT.
 */
#ifndef STOKER_WALK_BPF_H
#define STOKER_WALK_BPF_H

#include "bpf/unwind_tables.bpf.h"
#include "bpf/user_registers.bpf.h"

#define NULL_PAGE 4096	  /* below it nothing is mapped: include/linux/security.h, and a null pointer's page */
#define FP_UNKNOWN 1	  /* leads nowhere, and is no end of a chain either */
#define X86_SIGNAL_FP 120 /* in the struct ucontext at SP: rbp; rsp and rip lie 40 and 48 bytes after it */

struct walk {
	struct walk_process process;
	u32 mapping; /* of the frame before: most often this one's too */
	u32 flags;   /* STACK_GUESSED, STACK_UNMAPPED */
	u32 count;   /* of frames, for the verifier's sake */
	u64 ip, sp, fp;
	u64 after_call; /* 1 where ip is a return address: the call lies before it */
	u32 was_signal; /* 1 where the last step was over a signal frame */
};

/*
 * Walks under way on a CPU: a program that is interrupted by another one has its own. In a map, so that walk_step() can be a
 * function of its own.
 */
#define WALKS_NESTED_MAX 4
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALKS_NESTED_MAX);
	__type(key, u32);
	__type(value, struct walk);
} walks __weak SEC(".maps");

/* A rule in one register, as walk_rule_at() gives it. */
#define RULE_CFA(rule) ((rule)&0xff)
#define RULE_FP(rule) ((rule) >> 8 & 0xf)
#define RULE_FP_OFFSET(rule) ((s64)(s16)((rule) >> 16))
#define RULE_CFA_OFFSET(rule) ((s64)(s32)((rule) >> 32))

/* 1 where a <= b, else 0, without a branch: each one more doubles what the verifier has to follow. */
static __always_inline u32 at_most(u64 a, u64 b)
{
	return (u64)((s64)a - (s64)b - 1) >> 63;
}

/*
 * The last of the mappings first + 1 … first + count that starts at or below an address. Where there is none, one that does
 * not hold it either.
 * Like the other global ones a function of its own so that the verifier follows it once and not for each frame.
 */
__weak __noinline u32 walk_mapping_below(u32 first, u32 count, u64 address)
{
	struct walk_mappings *mappings;
	u32 zero = 0, base = first + 1, half;

	mappings = bpf_map_lookup_elem(&walk_mappings, &zero);
	if (!mappings || !count)
		return first;
	for (int i = 0; i < WALK_PROCESS_MAPPINGS_SHIFT + 1 && count > 1; i++) {
		half = count / 2;
		base += half & -at_most(mappings->at[(base + half) & (WALK_MAPPINGS_MAX - 1)].start, address);
		count -= half;
	}
	return base;
}

static __always_inline struct walk_segment *find_segment(u32 row)
{
	u32 number = row / WALK_SEGMENT_ROWS, zero = 0;
	void *segment = bpf_map_lookup_elem(&walk_segments, &number);

	return segment ? bpf_map_lookup_elem(segment, &zero) : NULL;
}

/* The rule for a place in a file, or one of enum walk_no_rule. */
__weak __noinline u64 walk_rule_at(u32 file_number, u64 offset)
{
	u32 base, count, half, low = offset & (WALK_PAGE_BYTES - 1), zero = 0;
	struct walk_files *files = bpf_map_lookup_elem(&walk_files, &zero);
	struct walk_pages *pages = bpf_map_lookup_elem(&walk_pages, &zero);
	struct walk_rules *rules = bpf_map_lookup_elem(&walk_rules, &zero);
	struct walk_segment *segment;
	struct walk_file *file;
	struct walk_page *page;
	u64 page_number, gap, rule;

	if (!files || !pages || !rules)
		return WALK_NO_TABLE;
	file = &files->at[file_number & (WALK_FILES_MAX - 1)];
	if (file->used != files->epoch)
		file->used = files->epoch;
	if (file->state == WALK_FILE_UNREAD)
		return WALK_NO_TABLE;
	gap = file->state == WALK_FILE_FRAME_POINTERS ? WALK_FRAME_POINTER : WALK_GAP;
	page_number = (offset >> WALK_PAGE_SHIFT) - file->base;
	if (page_number >= file->page_count)
		return gap;
	page = &pages->at[(file->first_page + page_number) & (WALK_PAGES_MAX - 1)];
	if (!page->count)
		return gap;
	segment = find_segment(page->first);
	if (!segment)
		return WALK_NO_TABLE;
	base = page->first;
	count = page->count;
	for (int i = 0; i < WALK_PAGE_SHIFT + 1 && count > 1; i++) {
		half = count / 2;
		base += half & -at_most(segment->at[(base + half) & (WALK_SEGMENT_ROWS - 1)].low, low);
		count -= half;
	}
	base = file->first_rule + segment->at[base & (WALK_SEGMENT_ROWS - 1)].rule;
	base &= WALK_RULES_MAX - 1;
	rule = *(u64 *)&rules->at[base];
	return RULE_CFA(rule) == WALK_GAP ? gap : rule;
}

static __always_inline bool in_mapping(const struct walk_mapping *mapping, u64 address)
{
	return address - mapping->start < mapping->end - mapping->start;
}

/* NULL where no code is known to lie. */
static __always_inline const struct walk_mapping *find_mapping(struct walk *walk, u64 address)
{
	const struct walk_mapping *mapping;
	struct walk_mappings *mappings;
	u32 zero = 0;

	mappings = bpf_map_lookup_elem(&walk_mappings, &zero);
	if (!mappings)
		return NULL;
	mapping = &mappings->at[walk->mapping & (WALK_MAPPINGS_MAX - 1)];
	if (in_mapping(mapping, address))
		return mapping;
	walk->mapping = walk_mapping_below(walk->process.first, walk->process.count, address);
	mapping = &mappings->at[walk->mapping & (WALK_MAPPINGS_MAX - 1)];
	return in_mapping(mapping, address) ? mapping : NULL;
}

/* @any_stack: frames may lie on several stacks, in no order (Go's system stacks). */
static __always_inline enum user_end step_by_frame_pointer(struct walk *walk, bool any_stack)
{
	u64 words[2];

	if (!walk->fp)
		return USER_END_COMPLETE;
	if (walk->fp < walk->sp && !any_stack)
		return USER_END_LOST;
	if (bpf_probe_read_user(words, sizeof(words), (void *)walk->fp))
		return USER_END_LOST;
	walk->sp = walk->fp + sizeof(words);
	walk->fp = words[0];
	walk->ip = words[1];
	walk->after_call = 1;
	return walk->ip < NULL_PAGE ? USER_END_COMPLETE : USER_END_UNSAID;
}

static __always_inline enum user_end guess_by_frame_pointer(struct walk *walk)
{
	enum user_end end = step_by_frame_pointer(walk, false);

	walk->flags |= STACK_GUESSED;
	return end == USER_END_COMPLETE ? USER_END_ASSUMED : end;
}

static __always_inline enum user_end step_over_signal(struct walk *walk)
{
	u64 words[7];

	if (bpf_probe_read_user(words, sizeof(words), (void *)(walk->sp + X86_SIGNAL_FP)))
		return USER_END_UNREADABLE;
	walk->fp = words[0];
	walk->sp = words[5];
	walk->ip = words[6];
	walk->after_call = 0;
	walk->was_signal = 1;
	return USER_END_UNSAID;
}

static __always_inline enum user_end find_cfa(const struct walk *walk, u64 rule, u64 pc, u64 *ret_cfa)
{
	u64 base = RULE_CFA(rule) == WALK_FP || RULE_CFA(rule) == WALK_FP_DEREF ? walk->fp : walk->sp;

	switch (RULE_CFA(rule)) {
	case WALK_SP:
	case WALK_FP:
		*ret_cfa = base + RULE_CFA_OFFSET(rule);
		break;
	case WALK_PLT:
		*ret_cfa = base + 8 + ((u64)at_most(RULE_CFA_OFFSET(rule), pc & 15) << 3);
		break;
	case WALK_SP_DEREF:
	case WALK_FP_DEREF:
		if (bpf_probe_read_user(ret_cfa, sizeof(u64), (void *)(base + RULE_CFA_OFFSET(rule))))
			return USER_END_UNREADABLE;
		break;
	default:
		return USER_END_RULE;
	}
	return *ret_cfa > walk->sp ? USER_END_UNSAID : USER_END_LOST;
}

static __always_inline enum user_end step_by_rule(struct walk *walk, u64 rule, u64 pc)
{
	u64 cfa = 0, words[2];
	enum user_end end = find_cfa(walk, rule, pc, &cfa);

	if (end)
		return end;
	if (RULE_FP(rule) == WALK_FP_AT_CFA && RULE_FP_OFFSET(rule) == -16) {
		/* Side by side, as a prologue pushes them: one read. */
		if (bpf_probe_read_user(words, sizeof(words), (void *)(cfa - 16)))
			return USER_END_UNREADABLE;
		walk->fp = words[0];
	} else {
		if (RULE_FP(rule) == WALK_FP_LOST) {
			walk->fp = FP_UNKNOWN;
		} else if (RULE_FP(rule)) {
			u64 at = (RULE_FP(rule) == WALK_FP_AT_CFA ? cfa : walk->fp) + RULE_FP_OFFSET(rule);

			if (bpf_probe_read_user(&walk->fp, sizeof(u64), (void *)at))
				return USER_END_UNREADABLE;
		}
		if (bpf_probe_read_user(&words[1], sizeof(u64), (void *)(cfa - 8)))
			return USER_END_UNREADABLE;
	}
	if (!words[1])
		return USER_END_ASSUMED;
	walk->ip = words[1];
	walk->sp = cfa;
	walk->after_call = 1;
	return USER_END_UNSAID;
}

static __always_inline enum user_end step(struct walk *walk)
{
	u64 pc = walk->ip - walk->after_call, rule;
	const struct walk_mapping *mapping = find_mapping(walk, pc);

	walk->was_signal = 0;
	if (!mapping) {
		walk->flags |= STACK_UNMAPPED;
		return guess_by_frame_pointer(walk);
	}
	rule = mapping->kind == WALK_JIT ? WALK_FRAME_POINTER : walk_rule_at(mapping->file, pc - mapping->bias);
	switch (RULE_CFA(rule)) {
	case WALK_GAP:
		return guess_by_frame_pointer(walk);
	case WALK_FRAME_POINTER:
		return step_by_frame_pointer(walk, mapping->kind != WALK_JIT);
	case WALK_SIGNAL:
		return step_over_signal(walk);
	case WALK_END:
		return USER_END_COMPLETE;
	case WALK_NO_TABLE:
		return USER_END_NO_TABLE;
	}
	return step_by_rule(walk, rule, pc);
}

/* From a frame to its caller. Returns enum user_end; USER_END_UNSAID: there is a caller. */
__weak __noinline u32 walk_step(u32 level)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);

	return walk ? step(walk) : USER_END_LOST;
}

/* False where nothing is known of the process: it is new, or there was no room for it. */
static __always_inline bool find_tables(u32 tgid, struct walk *walk)
{
	struct walk_process *process = bpf_map_lookup_elem(&walk_processes, &tgid);
	struct walk_mappings *mappings;
	u32 zero = 0;

	mappings = bpf_map_lookup_elem(&walk_mappings, &zero);
	if (!process || !mappings)
		return false;
	walk->process = *process;
	walk->mapping = process->first;
	return mappings->at[walk->mapping & (WALK_MAPPINGS_MAX - 1)].start == walk->process.generation;
}

/**
 * walk_user_stack() - the current task's user stack
 * @level: below WALKS_NESTED_MAX; how many other walks on this CPU this one has interrupted
 * @frames: [STACK_FRAMES_MAX], leaf first
 * @ret_flags: STACK_GUESSED, and how it ended from STACK_END_SHIFT on
 * Returns how many frames were stored; 0 where there are no tables for the process.
 */
static __always_inline u32 walk_user_stack(u32 level, const struct user_registers *registers, u32 tgid, u64 *frames,
					   u16 *ret_flags)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);
	u32 count, end = USER_END_UNSAID;

	if (!walk || !find_tables(tgid, walk))
		return 0;
	walk->ip = registers->ip;
	walk->sp = registers->sp;
	walk->fp = registers->fp;
	walk->after_call = 0;
	walk->flags = 0;
	for (count = 0; count < STACK_FRAMES_MAX && !end; count++) {
		u64 ip = walk->ip, exact = count && !walk->after_call;

		end = walk_step(level);
		/* One more than where it is, where it is no return address: of what was interrupted, of the kernel's return. */
		frames[count] = ip + (exact | walk->was_signal);
	}
	*ret_flags = walk->flags | (end ?: USER_END_DEPTH) << STACK_END_SHIFT;
	/* By way of the map, which the verifier forgets: else it would follow all that comes once for each count. */
	*(volatile u32 *)&walk->count = count;
	return *(volatile u32 *)&walk->count;
}

#endif
