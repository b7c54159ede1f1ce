/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_compare: is the kernel's walk of a stack that of libdw? For `record --unwind compare`.
 *
 * Both have the same registers and the same memory, and nothing of each other's code: where they differ one is wrong.
 * Where no file has a rule (code made at run time) libdw knows nothing, and what the copy guesses from there on is not
 * compared.
 */
#ifndef STOKER_STACK_COMPARE_H
#define STOKER_STACK_COMPARE_H

#include "bpf/shared_copy.h"
#include "symbolizer/copy_unwinder.h"
#include "symbolizer/symbolizer.h"

/* samples = equal + walk_shorter + copy_shorter + differ */
struct stack_compare_counts {
	uint64_t samples;
	uint64_t frames;       /* that both have, and that are equal */
	uint64_t equal;	       /* the same frames from leaf to end */
	uint64_t walk_shorter; /* the walk was cut; its frames are the copy's first */
	uint64_t copy_shorter; /* the other way round: at the end of a copy, or where there is no rule */
	uint64_t differ;       /* a frame is another, or one went on where the other was at its end */
};

/**
 * stack_compare() - count one sample
 * @copy: with the walk's frames in its event
 * @process: to name the place where they part
 * Says each difference at debug, up to STACK_COMPARE_SAID_MAX. Returns 0 or -ENOMEM.
 */
int stack_compare(const struct stack_copy *copy, const struct unwound *unwound, struct symbolizer *symbolizer,
		  struct symbolizer_process *process, struct stack_compare_counts *counts);

#define STACK_COMPARE_SAID_MAX 10000

#endif
