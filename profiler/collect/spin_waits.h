/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin_waits: waits for spinlocks, as bpf/spins.bpf.h has summed them up, as rows of the recording.
 */
#ifndef STOKER_SPIN_WAITS_H
#define STOKER_SPIN_WAITS_H

#include <stdint.h>

#include "bpf/shared_waits.h"
#include "profiler/collect/lock_names.h"
#include "profiler/collect/owners.h"
#include "profiler/collect/stacks.h"
#include "profiler/recording/recording_writer.h"
#include "symbolizer/base/array.h"

struct stoker_bpf;

struct spin_waits {
	struct stoker_bpf *skeleton;
	struct recording_writer *writer;
	struct owners *owners;
	struct stacks *stacks;
	ARRAY(struct spin_row) rows; /* fetched, of all CPUs */
};

/* The parts stay the caller's and must live longer. Takes no memory yet. */
void spin_waits_init(struct spin_waits *spins, struct stoker_bpf *skeleton, struct recording_writer *writer,
		     struct owners *owners, struct stacks *stacks);
void spin_waits_deinit(struct spin_waits *spins);

/* In this order; names are looked up between the last two. All return 0 or a negative errno. */
int spin_waits_fetch(struct spin_waits *spins);
int spin_waits_want_names(struct spin_waits *spins, struct lock_names *names);
int spin_waits_write(struct spin_waits *spins, const struct lock_names *names, uint64_t time_ns);

/* What was not counted, or with less than is known of it, so far. 0 or a negative errno. */
int spin_waits_lost(const struct spin_waits *spins, struct spin_losses *ret_losses);

#endif
