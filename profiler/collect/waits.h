/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waits: everything beyond on-CPU samples, from the BPF programs' maps to rows of the recording.
 *
 * The recorder owns one where wait_settings ask for anything, and tells it when to read.
 */
#ifndef STOKER_WAITS_H
#define STOKER_WAITS_H

#include "profiler/collect/owners.h"
#include "profiler/collect/processes.h"
#include "profiler/collect/sampler.h"
#include "profiler/collect/stacks.h"
#include "profiler/recording/recording_writer.h"

struct waits;

struct waits_parts {
	struct sampler *sampler;
	struct recording_writer *writer;
	struct owners *owners;
	struct processes *processes;
	struct stacks *stacks;
	uint64_t start_ns; /* monotonic clock: times in rows count from here */
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int waits_new(const struct waits_parts *parts, struct waits **ret_waits);
void waits_free(struct waits *waits);

/*
 * Once a second, the @tick'th, in two steps: waits_fetch() takes what the programs have summed up (with @counters, waits_flush()
 * is to follow), then the sampler's rings are read (whatever stands for a stack or a cgroup was sent before), then waits_write()
 * makes rows of both; @all: nothing new comes any more, and all stacks are named. 0 or a negative errno.
 */
int waits_fetch(struct waits *waits, uint64_t tick, bool counters);
int waits_write(struct waits *waits, bool all);

/* Every few seconds, before the writer is flushed: the counters. */
int waits_flush(struct waits *waits);

/* Once, after the last waits_flush(): the account, as facts of the recording. */
int waits_account(struct waits *waits);

#endif
