/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy_programs: copies of user stacks, inside the sampler's skeleton.
 */
#ifndef STOKER_COPY_PROGRAMS_H
#define STOKER_COPY_PROGRAMS_H

#include "bpf/shared_copy.h"

struct stoker_bpf;

/* Before loading: which samples are copied, and the size of their ring buffer. */
void copy_programs_configure(struct stoker_bpf *skeleton, enum copy_choice choice);

/* The ring buffer of struct stack_copy. */
int copy_programs_ring(const struct stoker_bpf *skeleton);

/* What became of copies in the kernel, summed over CPUs. 0 or a negative errno. */
int copy_programs_counters(const struct stoker_bpf *skeleton, struct copy_counters *ret_counters);

#endif
