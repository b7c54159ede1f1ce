/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * walk_jit: code made at run time, of which no table says anything.
 *
 * Most of it keeps frame pointers. In a function's first and last instructions they are not the function's own yet, or no more,
 * and a trampoline that only calls on has none (CPython's for perf): there the instructions themselves say where the return
 * address is.
 *
 * HotSpot keeps none unless it is told to, but saves the register right below the return address, in each of its frames. A
 * return address is then looked for on the stack, and the step is a guess.
 */
#ifndef STOKER_WALK_JIT_BPF_H
#define STOKER_WALK_JIT_BPF_H

#include "bpf/walk_rules.bpf.h"

#define SEARCHES_MAX 256 /* of a walk: pieces of stack looked through, and words looked at closely */
#define SEARCH_PIECES 4	 /* of a frame */
#define SEARCH_BYTES ((WALK_PIECE_WORDS - 1) * sizeof(u64))
#define CODE_NEAR (1ull << 31) /* from a call to what it calls: x86-64's relative calls reach that far */

/* @code: the eight bytes from the place on; @leaf: they are executed next, and no return address. */
static __always_inline u64 rule_of_code(u64 code, bool leaf)
{
	s64 added = (s8)(code >> 24);

	/* call *%reg: nothing has changed once it returns. */
	if (leaf && (code & 0xf8ff) == 0xd0ff) {
		code >>= 16;
		leaf = false;
		added = (s8)(code >> 24);
	}
	if ((code & 0xff) == 0xc3) /* ret */
		return RULE(WALK_SP, 8, WALK_FP_SAME, 0);
	if ((code & 0xff) == 0x5d) /* pop %rbp */
		return RULE(WALK_SP, 16, WALK_FP_AT_CFA, -16);
	if ((code & 0xff00ffffff) == 0xc300c48348) /* add $n,%rsp; ret */
		return RULE(WALK_SP, added + 8, WALK_FP_SAME, 0);
	if ((code & 0xff00ffffff) == 0x5d00c48348) /* add $n,%rsp; pop %rbp */
		return RULE(WALK_SP, added + 16, WALK_FP_AT_CFA, -16);
	if (!leaf)
		return WALK_JIT_FRAME;
	if ((code & 0xff) == 0x55 ||			   /* push %rbp */
	    (code & 0xf8ff00ffffff) == 0xd0ff00ec8348 ||   /* sub $n,%rsp; call *%reg */
	    (code & 0x80000000ffffff) == 0x80000000248489) /* mov %eax,-n(%rsp): HotSpot tries whether there is room */
		return RULE(WALK_SP, 8, WALK_FP_SAME, 0);
	if ((code & 0xffffff) == 0xe58948 || (code & 0xffffff) == 0xec8b48) /* mov %rsp,%rbp */
		return RULE(WALK_SP, 16, WALK_FP_AT_CFA, -16);
	return WALK_JIT_FRAME;
}

static __always_inline u64 jit_rule(u64 address, bool leaf)
{
	u64 code;

	return bpf_probe_read_user(&code, sizeof(code), (void *)address) ? WALK_JIT_FRAME : rule_of_code(code, leaf);
}

/* Do the eight bytes of code before a place end in a call? */
static __always_inline bool is_call(u64 code)
{
	return (code >> 24 & 0xff) == 0xe8 ||	  /* call rel32 */
	       (code >> 48 & 0xf8ff) == 0xd0ff || /* call *%reg */
	       (code >> 48 & 0xf8ff) == 0x10ff || /* call *(%reg) */
	       (code >> 40 & 0xf8ff) == 0x50ff || /* call *disp8(%reg) */
	       (code >> 16 & 0xf8ff) == 0x90ff || /* call *disp32(%reg) */
	       (code >> 16 & 0xffff) == 0x15ff;	  /* call *disp32(%rip) */
}

/* Is a word a return address? @certain: into code made at run time it is, if only it leads there. */
__weak __noinline u32 walk_is_return(u32 level, u64 word, u32 certain)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);
	const struct walk_mapping *mapping;
	u64 code;

	if (!walk || walk->searches++ >= SEARCHES_MAX)
		return 0;
	mapping = find_mapping(walk, word - 1);
	if (!mapping)
		return 0;
	if (mapping->kind == WALK_JIT && certain)
		return 1;
	return !bpf_probe_read_user(&code, sizeof(code), (void *)(word - sizeof(code))) && is_call(code);
}

/* The first return address in the walk's piece of stack: its number there, from 1 on, or 0. */
__weak __noinline u32 walk_search_piece(u32 level, u32 by_fp)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);
	u64 below = FP_UNKNOWN, word;
	u32 certain;

	if (!walk)
		return 0;
	for (u32 i = 0; i < WALK_PIECE_WORDS; i++) {
		word = walk->words[i];
		/* The register as it was saved: it is the same still, or it led to a frame. */
		certain = by_fp ? below == walk->fp : below - walk->piece_base < STACK_BYTES_NEAR;
		below = word;
		if (by_fp ? certain : word - walk->ip + CODE_NEAR < 2 * CODE_NEAR)
			if (walk_is_return(level, word, certain))
				return i + 1;
	}
	return 0;
}

/*
 * Where the return address of a frame without unwind data is, if it is not where the frame pointer says. Two cases: the frame pointer
 * leads to a frame, and may have skipped some that left it alone, then it is what these have saved; or it leads nowhere.
 * 0: not found.
 */
__weak __noinline u64 walk_return_slot(u32 level)
{
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);
	u64 from, end;
	u32 by_fp, found;

	if (!walk)
		return 0;
	from = walk->sp;
	by_fp = at_most(walk->fp - walk->sp, STACK_BYTES_NEAR);
	end = by_fp ? walk->fp : from + SEARCH_PIECES * SEARCH_BYTES;
	for (int i = 0; i < SEARCH_PIECES && from < end; i++) {
		if (walk->searches++ >= SEARCHES_MAX || !walk_fetch(level, from) ||
		    walk->piece_bytes < sizeof(walk->words))
			return 0;
		found = walk_search_piece(level, by_fp);
		if (found) {
			from += (found - 1) * sizeof(u64);
			return from < end ? from : 0;
		}
		from += SEARCH_BYTES;
	}
	return 0;
}

#endif
