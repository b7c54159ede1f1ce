/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_holders: who had the locks that were waited for, as bpf/lock_holders.bpf.h has counted it, as rows of the recording.
 */
#ifndef STOKER_LOCK_HOLDERS_H
#define STOKER_LOCK_HOLDERS_H

#include "profiler/collect/lock_names.h"
#include "profiler/collect/map_pair.h"
#include "profiler/collect/slots.h"
#include "profiler/recording/recording_writer.h"

struct lock_holders {
	struct map_pair maps; /* of struct fetched_holder */
	struct slots *slots;
	struct recording_writer *writer;
};

struct stoker_bpf;

/* The parts stay the caller's and must live longer. Takes no memory yet. */
void lock_holders_init(struct lock_holders *holders, struct stoker_bpf *skeleton, struct slots *slots,
		       struct recording_writer *writer);
void lock_holders_deinit(struct lock_holders *holders);

/* In this order; names are looked up between the last two. All return 0 or a negative errno. */
int lock_holders_fetch(struct lock_holders *holders);
int lock_holders_want_names(struct lock_holders *holders, struct lock_names *names);
int lock_holders_write(struct lock_holders *holders, const struct lock_names *names, uint64_t time_ns);

#endif
