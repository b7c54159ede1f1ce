/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy_unwinder: user stacks out of registers and a copy of stack memory, after the fact.
 *
 * The files are those that the process's snapshot has pinned: the process may have ended. They are read in the child
 * that parses (worker.h). A process whose copies kill that child is not unwound any more; after some of such processes none of
 * its container is. A copy that takes the child for good, as a file system does not answer, counts as if it had killed two.
 * After one for which the child waited in vain none of the container is walked for 2 s, after the next for 4, and so on up to 64.
 */
#ifndef STOKER_COPY_UNWINDER_H
#define STOKER_COPY_UNWINDER_H

#include <stddef.h>
#include <stdint.h>

struct symbolizer_process;

#define UNWOUND_FRAMES_MAX 1023
#define COPY_UNWINDER_WORDS_MAX 2048

enum unwound_end {
	UNWOUND_COMPLETE,   /* at a function that nobody called */
	UNWOUND_ASSUMED,    /* without a fault, but not at a known first frame */
	UNWOUND_OUT,	    /* at the end of the copy, or after UNWOUND_FRAMES_MAX */
	UNWOUND_UNREADABLE, /* at memory or registers that the copy does not have */
	UNWOUND_LOST,	    /* at a place that cannot be a frame */
	UNWOUND_ENDS,
};

/* Bits of unwound.flags. */
#define UNWOUND_GUESSED 1u  /* a step was taken by frame pointer where none may be kept */
#define UNWOUND_UNMAPPED 2u /* it goes through what the snapshot does not map */

struct copy_to_unwind {
	uint64_t registers[17]; /* by DWARF number */
	uint32_t known;		/* of them, bit by number */
	uint32_t after_call;	/* 1: the instruction pointer is a return address */
	uint32_t inner;		/* 1: there are frames before, which are known */
	const uint64_t *words;	/* [word_count], from the stack pointer on; at most COPY_UNWINDER_WORDS_MAX count */
	size_t word_count;
};

struct unwound {
	enum unwound_end end;
	uint32_t flags;
	size_t count;
	size_t described; /* of them, from the leaf on, whose caller a file's own rule says; then it was by frame pointers */
	/* Leaf first. All but a leaf are return addresses; of what a signal interrupted one more than the place. */
	uint64_t frames[UNWOUND_FRAMES_MAX];
};

/**
 * copy_unwinder_run() - walk a copy
 * Returns 0, -ESRCH (nothing is known of what the process maps), -EDQUOT (its container's have taken a second, or half of
 * the time), -ENOTRECOVERABLE (no more, as above), -EIO (the child died of it), -EBUSY (its files were not read in time, or
 * another one's a short while ago), -EHOSTDOWN (the child waits for a file system that does not answer), -EAGAIN (no child),
 * -ENOMEM.
 */
int copy_unwinder_run(struct symbolizer_process *process, const struct copy_to_unwind *copy, struct unwound *ret);

#endif
