/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_counter: the BPF programs' counts of system calls, as rows of the recording.
 */
#ifndef STOKER_CALL_COUNTER_H
#define STOKER_CALL_COUNTER_H

#include "profiler/collect/slots.h"
#include "profiler/recording/recording_writer.h"

struct call_counter;
struct stoker_bpf;

/* @skeleton, @slots and @writer stay the caller's and must live longer. Before programs run. Returns 0 or a negative errno. */
int call_counter_new(struct stoker_bpf *skeleton, struct slots *slots, struct recording_writer *writer,
		     struct call_counter **ret_counter);
void call_counter_free(struct call_counter *counter);

/* Writes what was counted since the last time, as rows of @time_ns. 0 or a negative errno. */
int call_counter_write(struct call_counter *counter, uint64_t time_ns);

/* The last of the slots that are due (slots.h), whose rows are emptied. 0 or a negative errno. */
int call_counter_drop(struct call_counter *counter, uint64_t time_ns);

/* Calls so far that had no row of their own. */
uint64_t call_counter_others(const struct call_counter *counter);

#endif
