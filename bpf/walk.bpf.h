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

/* Of stack, read at once: most frames are small, and a read costs more than what it reads. */
#define WALK_PIECE_WORDS 64

struct walk {
	struct walk_process process;
	u64 salt;    /* of remembered rules: which list of mappings and about when, in the bits that no address has */
	u32 mapping; /* of the frame before: most often this one's too */
	u32 flags;   /* STACK_GUESSED_BY_FP, STACK_UNMAPPED */
	u32 count;   /* of frames, for the verifier's sake */
	u64 ip, sp, fp;
	u32 is_leaf;	 /* 1: the frame whose registers are all known */
	u64 after_call;	 /* 1 where ip is a return address: the call lies before it */
	u32 was_signal;	 /* 1 where the last step was over a signal frame */
	u32 piece_bytes; /* of words that are there; 0: none */
	u64 piece_base;	 /* user address of words[0] */
	u64 words[WALK_PIECE_WORDS];
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
#define RULE_REGISTER(rule) ((u32)((rule) >> 12 & 0xf))
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

/*
 * Rules that were looked up lately. The whole way from an address to its rule touches a dozen cache lines, which are seldom
 * still there from the sample before; this is one.
 *
 * The salt keeps those of other processes and lists apart, but for one in 2^17 at the same address; and it changes every few
 * seconds, so that user space sees which files are used.
 */
#define REMEMBERED_SHIFT 10
#define SALT_SHIFT 47
#define SALT_JIFFIES_SHIFT 11
struct remembered_rule {
	u64 place; /* address and salt */
	u64 rule;
};
struct remembered_rules {
	struct remembered_rule at[1 << REMEMBERED_SHIFT];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct remembered_rules);
} remembered_rules __weak SEC(".maps");

static __always_inline struct remembered_rule *remembered_rule_of(u64 place)
{
	struct remembered_rules *rules;
	u32 zero = 0;

	rules = bpf_map_lookup_elem(&remembered_rules, &zero);
	return rules ? &rules->at[place * 0x9e3779b97f4a7c15ull >> (64 - REMEMBERED_SHIFT)] : NULL;
}

/* A program that interrupts this one may write the entry too: the place is looked at again after the rule. */
static __always_inline bool recall_rule(const struct remembered_rule *entry, u64 place, u64 *ret_rule)
{
	const volatile struct remembered_rule *now = entry;

	if (now->place != place)
		return false;
	*ret_rule = now->rule;
	return now->place == place;
}

static __always_inline void remember_rule(struct remembered_rule *entry, u64 place, u64 rule)
{
	volatile struct remembered_rule *now = entry;

	now->place = 0;
	now->rule = rule;
	now->place = place;
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
	/* Else the list was freed, and its numbers are others' by now. */
	if (mappings->at[walk->process.first & (WALK_MAPPINGS_MAX - 1)].start != walk->process.generation)
		return NULL;
	walk->mapping = walk_mapping_below(walk->process.first, walk->process.count, address);
	mapping = &mappings->at[walk->mapping & (WALK_MAPPINGS_MAX - 1)];
	return in_mapping(mapping, address) ? mapping : NULL;
}

/* Has the word at an address, and what follows it as far as it is there, in the walk's piece of stack. */
__weak __noinline u32 walk_fetch(u32 level, u64 address)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);

	if (!walk)
		return 0;
	walk->piece_base = address;
	walk->piece_bytes = sizeof(walk->words);
	/* Far from the stack pointer it may be anything, and then one fault is enough. */
	if (address - walk->sp < STACK_BYTES_NEAR &&
	    !bpf_probe_read_user(walk->words, sizeof(walk->words), (void *)address))
		return 1;
	walk->piece_bytes = sizeof(u64);
	if (!bpf_probe_read_user(walk->words, sizeof(u64), (void *)address))
		return 1;
	walk->piece_bytes = 0;
	return 0;
}

static __always_inline bool read_word(struct walk *walk, u32 level, u64 address, u64 *ret)
{
	u64 in_piece = address - walk->piece_base;

	if (in_piece >= walk->piece_bytes || in_piece % sizeof(u64)) {
		if (!walk_fetch(level, address))
			return false;
		in_piece = 0;
	}
	*ret = walk->words[in_piece / sizeof(u64) % WALK_PIECE_WORDS];
	return true;
}

/* @any_stack: frames may lie on several stacks, in no order (Go's system stacks). */
static __always_inline enum user_end step_by_frame_pointer(struct walk *walk, u32 level, bool any_stack)
{
	u64 fp = walk->fp, caller_fp, ip;

	if (!fp)
		return USER_END_COMPLETE;
	if (fp < walk->sp && !any_stack)
		return USER_END_LOST;
	if (!read_word(walk, level, fp, &caller_fp) || !read_word(walk, level, fp + sizeof(u64), &ip))
		return USER_END_LOST;
	walk->sp = fp + 2 * sizeof(u64);
	walk->fp = caller_fp;
	walk->ip = ip;
	walk->after_call = 1;
	return ip < NULL_PAGE ? USER_END_COMPLETE : USER_END_UNSAID;
}

static __always_inline enum user_end guess_by_frame_pointer(struct walk *walk, u32 level)
{
	enum user_end end = step_by_frame_pointer(walk, level, false);

	walk->flags |= STACK_GUESSED_BY_FP;
	return end == USER_END_COMPLETE ? USER_END_ASSUMED : end;
}

static __always_inline enum user_end step_over_signal(struct walk *walk, u32 level)
{
	u64 registers = walk->sp + X86_SIGNAL_FP, fp, sp, ip;

	if (!read_word(walk, level, registers, &fp) || !read_word(walk, level, registers + 40, &sp) ||
	    !read_word(walk, level, registers + 48, &ip))
		return USER_END_UNREADABLE;
	walk->fp = fp;
	walk->sp = sp;
	walk->ip = ip;
	walk->after_call = 0;
	walk->was_signal = 1;
	return USER_END_UNSAID;
}

/* A CFA that is kept in memory: *(base + (offset >> 8)) + (offset & 0xff). */
static __always_inline bool read_cfa(struct walk *walk, u32 level, u64 base, s64 offset, u64 *ret_cfa)
{
	if (!read_word(walk, level, base + (offset >> 8), ret_cfa))
		return false;
	*ret_cfa += offset & 0xff;
	return true;
}

static __always_inline enum user_end find_cfa(struct walk *walk, u32 level, u64 rule, u64 pc, u64 *ret_cfa)
{
	u64 base = RULE_CFA(rule) == WALK_FP || RULE_CFA(rule) == WALK_FP_DEREF ? walk->fp : walk->sp;
	u64 value = 0;

	/* Assembly that calls its own helpers knows that they leave the register alone: but it is a guess. */
	if (RULE_CFA(rule) == WALK_REGISTER || RULE_CFA(rule) == WALK_SP_INDEXED) {
		value = user_register(RULE_REGISTER(rule));
		walk->flags |= walk->is_leaf ? 0 : STACK_GUESSED_BY_FP;
	}
	switch (RULE_CFA(rule)) {
	case WALK_SP:
	case WALK_FP:
		*ret_cfa = base + RULE_CFA_OFFSET(rule);
		break;
	case WALK_REGISTER:
		*ret_cfa = value + RULE_CFA_OFFSET(rule);
		break;
	case WALK_PLT:
		*ret_cfa = base + 8 + ((u64)at_most(RULE_CFA_OFFSET(rule), pc & 15) << 3);
		break;
	case WALK_SP_INDEXED:
		base += value * sizeof(u64);
		/* fallthrough */
	case WALK_SP_DEREF:
	case WALK_FP_DEREF:
		if (!read_cfa(walk, level, base, RULE_CFA_OFFSET(rule), ret_cfa))
			return USER_END_UNREADABLE;
		break;
	default:
		return USER_END_RULE;
	}
	return *ret_cfa > walk->sp ? USER_END_UNSAID : USER_END_LOST;
}

static __always_inline enum user_end step_by_rule(struct walk *walk, u32 level, u64 rule, u64 pc)
{
	u64 cfa = 0, fp = walk->fp, ip;
	enum user_end end = find_cfa(walk, level, rule, pc, &cfa);

	if (end)
		return end;
	/* The frame pointer first: it lies below the return address, and one piece holds both. */
	if (RULE_FP(rule) == WALK_FP_LOST)
		fp = FP_UNKNOWN;
	else if (RULE_FP(rule) &&
		 !read_word(walk, level, (RULE_FP(rule) == WALK_FP_AT_CFA ? cfa : fp) + RULE_FP_OFFSET(rule), &fp))
		return USER_END_UNREADABLE;
	if (!read_word(walk, level, cfa - sizeof(u64), &ip))
		return USER_END_UNREADABLE;
	if (!ip)
		return USER_END_ASSUMED;
	walk->fp = fp;
	walk->ip = ip;
	walk->sp = cfa;
	walk->after_call = 1;
	return USER_END_UNSAID;
}

/* The rule for a place in a process, by way of all tables, or one of enum walk_no_rule. */
__weak __noinline u64 walk_rule_for(u32 level, u64 address)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);
	const struct walk_mapping *mapping;
	struct remembered_rule *entry;
	u64 rule;

	if (!walk)
		return WALK_NO_TABLE;
	mapping = find_mapping(walk, address);
	if (!mapping)
		return WALK_UNMAPPED;
	rule = mapping->kind == WALK_JIT ? WALK_JIT_FRAME : walk_rule_at(mapping->file, address - mapping->bias);
	entry = remembered_rule_of(address | walk->salt);
	if (entry && rule != WALK_NO_TABLE)
		remember_rule(entry, address | walk->salt, rule);
	return rule;
}

static __always_inline enum user_end step(struct walk *walk, u32 level)
{
	u64 pc = walk->ip - walk->after_call, rule;
	struct remembered_rule *entry = remembered_rule_of(pc | walk->salt);

	if (!entry || !recall_rule(entry, pc | walk->salt, &rule))
		rule = walk_rule_for(level, pc);
	walk->was_signal = 0;
	switch (RULE_CFA(rule)) {
	case WALK_UNMAPPED:
		walk->flags |= STACK_UNMAPPED;
		return guess_by_frame_pointer(walk, level);
	case WALK_GAP:
		return guess_by_frame_pointer(walk, level);
	case WALK_JIT_FRAME:
		return step_by_frame_pointer(walk, level, false);
	case WALK_FRAME_POINTER:
		return step_by_frame_pointer(walk, level, true);
	case WALK_SIGNAL:
		return step_over_signal(walk, level);
	case WALK_END:
		return USER_END_COMPLETE;
	case WALK_NO_TABLE:
		return USER_END_NO_TABLE;
	}
	return step_by_rule(walk, level, rule, pc);
}

/* From a frame to its caller. Returns enum user_end; USER_END_UNSAID: there is a caller. */
__weak __noinline u32 walk_step(u32 level)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);

	return walk ? step(walk, level) : USER_END_LOST;
}

/* False where nothing is known of the process: it is new, or there was no room for it. */
static __always_inline bool find_tables(u32 tgid, struct walk *walk)
{
	struct walk_process *process = bpf_map_lookup_elem(&walk_processes, &tgid);

	walk->process.python = 0;
	if (!process)
		return false;
	walk->process = *process;
	walk->mapping = process->first;
	walk->salt = (process->generation * 0x9e3779b1u + (bpf_jiffies64() >> SALT_JIFFIES_SHIFT)) << SALT_SHIFT;
	return true;
}

/**
 * walk_user_stack() - the current task's user stack
 * @level: below WALKS_NESTED_MAX; how many other walks on this CPU this one has interrupted
 * @frames: [STACK_FRAMES_MAX], leaf first
 * @ret_flags: STACK_GUESSED_BY_FP, and how it ended from STACK_END_SHIFT on
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
	walk->is_leaf = 1;
	walk->after_call = 0;
	walk->flags = 0;
	walk->piece_bytes = 0;
	for (count = 0; count < STACK_FRAMES_MAX && !end; count++) {
		u64 ip = walk->ip, exact = count && !walk->after_call;

		end = walk_step(level);
		walk->is_leaf = 0;
		/* One more than where it is, where it is no return address: of what was interrupted, of the kernel's return. */
		frames[count] = ip + (exact | walk->was_signal);
	}
	*ret_flags = walk->flags | (end ?: USER_END_DEPTH) << STACK_END_SHIFT;
	/* By way of the map, which the verifier forgets: else it would follow all that comes once for each count. */
	*(volatile u32 *)&walk->count = count;
	return *(volatile u32 *)&walk->count;
}

#endif
