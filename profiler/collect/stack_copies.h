/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_copies: samples that arrive with a copy of their user stack (bpf/shared_copy.h), unwound and written.
 *
 * They wait until the next tick. One that cannot be unwound then, or for which there is no time, keeps the frames that
 * the kernel's walk found, and how that ended: no sample is lost here. So does every one with COPY_BESIDE: those are
 * unwound to compare.
 */
#ifndef STOKER_STACK_COPIES_H
#define STOKER_STACK_COPIES_H

#include "bpf/shared_copy.h"
#include "profiler/collect/stack_compare.h"
#include "profiler/collect/stacks.h"
#include "profiler/recording/recording_writer.h"

struct stack_copies;

/* taken = unwound + failed + late + those that wait */
struct stack_copies_counts {
	uint64_t taken;
	uint64_t unwound; /* to any end that is further than the walk's */
	uint64_t failed;  /* the process's files are not known, do not come, or the child died of them */
	uint64_t late;	  /* too many at once */
	struct stack_compare_counts compare; /* with COPY_BESIDE, of those unwound */
};

struct stack_copies_parts {
	enum copy_choice choice; /* of the kernel's programs */
	struct symbolizer *symbolizer;
	struct stacks *stacks;
	struct recording_writer *writer;
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int stack_copies_new(const struct stack_copies_parts *parts, struct stack_copies **ret_copies);
void stack_copies_free(struct stack_copies *copies);

/**
 * stack_copies_add() - a sample, for the next stack_copies_write()
 * @copy: [size], as it came out of the ring buffer
 * @process: must live until then
 * @row: the sample's, but for its stack and time
 * @call: the system call that it was in; 0: none
 * Returns 0, -EPROTO or -ENOMEM.
 */
int stack_copies_add(struct stack_copies *copies, const struct stack_copy *copy, size_t size, struct process *process,
		     const struct recording_sample *row, string_id call);

/* Unwinds and names what waits, and writes it as samples of @time_ns. 0 or -ENOMEM. */
int stack_copies_write(struct stack_copies *copies, uint64_t time_ns);

struct stack_copies_counts stack_copies_counts(const struct stack_copies *copies);

#endif
