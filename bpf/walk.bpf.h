/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * walk: a user stack by tables, by frame pointers where there are none.
 *
 * Each step takes the best that is known at its place: the file's rule; the frame pointer in code made at run time and in
 * Go; the same in code without unwind data, and then the stack is marked as a guess.
 *
 * What is particular to x86-64: the return address at CFA - 8, the signal frame, and the entries of a PLT.
 */
#ifndef STOKER_WALK_BPF_H
#define STOKER_WALK_BPF_H

#include "bpf/walk_jit.bpf.h"

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

/* To the return address that walk_return_slot() has found. */
static __always_inline enum user_end step_to_slot(struct walk *walk, u32 level, u64 slot)
{
	u64 fp = walk->fp, ip;

	walk->flags |= STACK_GUESSED_BY_FP;
	if (!read_word(walk, level, slot, &ip) ||
	    (slot != walk->sp && !read_word(walk, level, slot - sizeof(u64), &fp)))
		return USER_END_UNREADABLE;
	walk->sp = slot + sizeof(u64);
	walk->fp = fp;
	walk->ip = ip;
	walk->after_call = 1;
	return USER_END_UNSAID;
}

static __always_inline enum user_end step_in_jit(struct walk *walk, u32 level)
{
	u64 slot = walk_return_slot(level);

	return slot ? step_to_slot(walk, level, slot) : step_by_frame_pointer(walk, level, false);
}

static __always_inline enum user_end guess(struct walk *walk, u32 level)
{
	enum user_end end = step_in_jit(walk, level);

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

/*
 * From a stack of Go's runtime to that of the goroutine that the thread works for; where it works for none, nobody has called.
 * A function of its own: it is rare.
 */
__weak __noinline u32 walk_to_goroutine(u32 level, u64 rule)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u64 at = BPF_CORE_READ(task, thread.fsbase) + (RULE_CFA_OFFSET(rule) >> WALK_GO_TLS_SHIFT), ip;
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);

	if (!walk || bpf_probe_read_user(&at, sizeof(at), (void *)at) ||
	    bpf_probe_read_user(&at, sizeof(at), (void *)(at + WALK_GO_G_M)) ||
	    bpf_probe_read_user(&at, sizeof(at), (void *)(at + (RULE_CFA_OFFSET(rule) & 0xffff))))
		return USER_END_UNREADABLE;
	if (!at)
		return USER_END_COMPLETE;
	if (bpf_probe_read_user(&at, sizeof(at), (void *)(at + WALK_GO_G_SP)))
		return USER_END_UNREADABLE;
	at += RULE_FP_OFFSET(rule);
	if (bpf_probe_read_user(&ip, sizeof(ip), (void *)at))
		return USER_END_LOST;
	walk->sp = at + sizeof(u64);
	walk->ip = ip;
	walk->after_call = 1;
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
	rule = mapping->kind == WALK_JIT ? jit_rule(address + walk->after_call, !walk->after_call)
					 : walk_rule_at(mapping->file, address - mapping->bias);
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
		return guess(walk, level);
	case WALK_GAP:
		return guess(walk, level);
	case WALK_JIT_FRAME:
		return step_in_jit(walk, level);
	case WALK_FRAME_POINTER:
	case WALK_FP_ELSEWHERE:
		return step_by_frame_pointer(walk, level, true);
	case WALK_SIGNAL:
		return step_over_signal(walk, level);
	case WALK_GOROUTINE:
		return walk_to_goroutine(level, rule);
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
	walk->searches = 0;
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
