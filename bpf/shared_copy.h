/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * shared_copy: user stacks that user space walks, as copies of the memory that they lie in.
 *
 * Such a sample is not counted in the kernel: samples of the same leaf may have other callers. It travels by itself, and
 * counts as one.
 */
#ifndef STOKER_SHARED_COPY_H
#define STOKER_SHARED_COPY_H

#include "bpf/shared.h"

/* Which samples are copied. */
enum copy_choice {
	COPY_NONE = 0,
	COPY_CUT,    /* those whose walk by tables was cut for a reason that a copy can mend */
	COPY_EVERY,  /* all, instead of walking */
	COPY_BESIDE, /* all, and walked too: to compare */
};

#define COPY_BYTES_MAX 16384u
#define COPY_WORDS_MAX (COPY_BYTES_MAX / 8)

/* Registers by their DWARF numbers (psABI of x86-64, 3.6.2). */
enum copy_register {
	COPY_FP = 6,
	COPY_SP = 7,
	COPY_IP = 16,
	COPY_REGISTERS,
};

/* With COPY_CUT, in about a second (2^COPY_WINDOW_SHIFT ns). What is over counts in the kernel, cut as it is. */
#define COPIES_OF_PROCESS_MAX 128u /* or of several, where their numbers meet in a table of COPY_BUDGETS */
#define COPIES_MAX 512u
#define COPY_BUDGETS 1024u
#define COPY_WINDOW_SHIFT 30

struct stack_copy {
	struct stack_event event;      /* whole; its user frames are those that the walk found */
	u64 registers[COPY_REGISTERS]; /* of the frame that the copy begins with */
	u32 known;		       /* of them: bit by number */
	u32 walked;		   /* user frames before that one: 0, or event.user_count where they were too many */
	u32 after_call;		   /* 1 where the instruction pointer is a return address */
	u32 bytes;		   /* of the stack; the last field that is always sent */
	u64 stack[COPY_WORDS_MAX]; /* from the stack pointer on */
	u64 spare[512];		   /* never sent, nor written: the verifier takes parts of a page for whole ones */
};

struct copy_counters {
	u64 taken;
	u64 refused; /* over the limits */
	u64 unread;  /* the registers or the stack could not be read */
	u64 no_room; /* the ring buffer was full */
};

#endif
