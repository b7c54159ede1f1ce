/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocked: stretches of blocked time that the BPF programs have summed up, as rows of the recording.
 */
#ifndef STOKER_BLOCKED_H
#define STOKER_BLOCKED_H

#include "profiler/collect/slots.h"
#include "profiler/collect/wait_stacks.h"
#include "profiler/recording/recording_writer.h"

struct blocked;
struct stoker_bpf;

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int blocked_new(struct stoker_bpf *skeleton, struct slots *slots, struct wait_stacks *stacks,
		struct recording_writer *writer, struct blocked **ret_blocked);
void blocked_free(struct blocked *blocked);

/*
 * In two steps, with wait_stacks_name() between: blocked_fetch() empties a map into memory, and then the events are read
 * (whatever a fetched key stands for was sent before); blocked_write() makes rows of it. 0 or a negative errno.
 */
int blocked_fetch(struct blocked *blocked);
int blocked_write(struct blocked *blocked, uint64_t time_ns);

#endif
