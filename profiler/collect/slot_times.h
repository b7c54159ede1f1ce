/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot_times: the BPF programs' sums of each container's time, and of who ran while others waited, as rows.
 */
#ifndef STOKER_SLOT_TIMES_H
#define STOKER_SLOT_TIMES_H

#include "profiler/collect/slots.h"
#include "profiler/recording/recording_writer.h"

struct slot_time_counter;
struct stoker_bpf;

/* The parts stay the caller's and must live longer; @queue: who ran meanwhile, too. Returns 0 or -ENOMEM. */
int slot_times_new(struct stoker_bpf *skeleton, struct slots *slots, struct recording_writer *writer, bool queue,
		   struct slot_time_counter **ret_counter);
void slot_times_free(struct slot_time_counter *counter);

/* As blocked_fetch(), of who ran meanwhile; and rows of @time_ns for what came since the last time. 0 or a negative errno. */
int slot_times_fetch(struct slot_time_counter *counter);
int slot_times_write(struct slot_time_counter *counter, uint64_t time_ns);

/* The last of the slots that are due (slots.h), whose counters are emptied. 0 or a negative errno. */
int slot_times_drop(struct slot_time_counter *counter, uint64_t time_ns);

#endif
