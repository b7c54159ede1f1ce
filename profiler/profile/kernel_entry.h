/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_entry: why the CPU was in the kernel, and what it did there, from the kernel frames of one stack.
 *
 * The entry is the system call by its name ("fadvise64"), or one of the words below. What an interrupt did on top of a
 * system call is the interrupt's. The function is the leaf, but for those that say nothing: entry and exit code, and
 * what the CPU runs into as soon as interrupts are allowed again (there, a timer's tick comes late). The sampling
 * interrupt's own frames, where a kernel shows them, are left out.
 */
#ifndef STOKER_KERNEL_ENTRY_H
#define STOKER_KERNEL_ENTRY_H

#include <stddef.h>

#include "profiler/profile/profile.h"

enum kernel_entry_kind {
	KERNEL_ENTRY_NONE, /* nothing but the sampling itself: the CPU was not in the kernel */
	KERNEL_ENTRY_SYSTEM_CALL,
	KERNEL_ENTRY_PAGE_FAULT,
	KERNEL_ENTRY_INTERRUPT,
	KERNEL_ENTRY_THREAD,  /* a kernel thread's work */
	KERNEL_ENTRY_OTHER,   /* other exceptions; stacks that were cut */
	KERNEL_ENTRY_TRACING, /* never from kernel_entry_find(): see kernel_entry_is_tracing() */
};

#define KERNEL_NAME_BYTES 128

struct kernel_entry {
	enum kernel_entry_kind kind;
	char name[KERNEL_NAME_BYTES];	  /* "fadvise64", "page faults", "interrupts" … */
	char function[KERNEL_NAME_BYTES]; /* without the compiler's suffixes (.isra.0); "" for KERNEL_ENTRY_NONE */
};

/**
 * kernel_entry_find() - read a stack
 * @names: [count] names of the kernel frames, leaf first
 */
void kernel_entry_find(const char *const *names, size_t count, struct kernel_entry *ret_entry);

/*
 * Does a BPF program run at a tracepoint, or what takes it there? Such frames lie upon those of the call that came to the
 * tracepoint; that of a program that samples is left out as ever. Blocked tasks' stacks may end in such frames, too: not for these.
 */
bool kernel_entry_is_tracing(const char *const *names, size_t count);

/* What a program is called, of "bpf_prog_732e7be6d1ba537f_call_returned": "call_returned"; else @name. */
const char *kernel_entry_program_name(const char *name);

/* How many frames, from the leaf on, are an interrupt's, the others being whose it came upon; 0: it is no interrupt's stack. */
size_t kernel_entry_interrupt_frames(const char *const *names, size_t count);

/* The names of a stack's kernel frames, leaf first: at most @max. Valid as long as the profile. Returns how many. */
size_t kernel_entry_names(const struct profile *profile, uint32_t stack, const char **ret_names, size_t max);

#endif
