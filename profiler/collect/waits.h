/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waits: everything beyond on-CPU samples, from the BPF programs' maps to rows of the recording.
 *
 * The recorder owns one where wait_settings ask for anything, and tells it when to read.
 */
#ifndef STOKER_WAITS_H
#define STOKER_WAITS_H

#include "profiler/collect/owners.h"
#include "profiler/collect/sampler.h"
#include "profiler/recording/recording_writer.h"

struct waits;

struct waits_parts {
	struct sampler *sampler;
	struct recording_writer *writer;
	struct owners *owners;
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int waits_new(const struct waits_parts *parts, struct waits **ret_waits);
void waits_free(struct waits *waits);

/* Every few seconds, before the writer is flushed; @time_ns from the start of the recording. 0 or a negative errno. */
int waits_flush(struct waits *waits, uint64_t time_ns);

/* The last time, the programs being detached: with the account as facts of the recording. */
int waits_finish(struct waits *waits, uint64_t time_ns);

#endif
