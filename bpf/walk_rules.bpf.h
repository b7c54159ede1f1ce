/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * walk_rules: what a walk knows of a place: its mapping, its rule; and what lies on the stack.
 */
#ifndef STOKER_WALK_RULES_BPF_H
#define STOKER_WALK_RULES_BPF_H

#include "bpf/unwind_tables.bpf.h"
#include "bpf/user_registers.bpf.h"

#define NULL_PAGE 4096	  /* below it nothing is mapped: include/linux/security.h, and a null pointer's page */
#define FP_UNKNOWN 1	  /* leads nowhere, and is no end of a chain either */
#define X86_SIGNAL_FP 120 /* in the struct ucontext at SP: rbp; rsp and rip lie 40 and 48 bytes after it */

/* Of stack, read at once: most frames are small, and a read costs more than what it reads. */
#define WALK_PIECE_WORDS 64

struct walk {
	struct walk_process process;
	u64 salt;     /* of remembered rules: which list of mappings and about when, in the bits that no address has */
	u32 mapping;  /* of the frame before: most often this one's too */
	u32 flags;    /* STACK_GUESSED_BY_FP, STACK_UNMAPPED */
	u32 count;    /* of frames, for the verifier's sake */
	u32 searches; /* for return addresses, so far */
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
#define RULE(cfa, cfa_offset, fp, fp_offset) \
	((u64)(cfa) | (u64)(fp) << 8 | (u64)(u16)(fp_offset) << 16 | (u64)(cfa_offset) << 32)
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

#endif
