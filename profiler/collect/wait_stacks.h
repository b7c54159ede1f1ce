/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait_stacks: who blocks, wakes or waits for a lock, and where: from the keys that BPF programs use to rows.
 *
 * A stack comes once through a ring buffer, is pinned to its process there and then, and named with others at the next
 * wait_stacks_name(). Keys stay known while they come, and while a task has them that may tell them yet, as who sleeps for
 * hours does; of the others, the last 65,536 at least.
 */
#ifndef STOKER_WAIT_STACKS_H
#define STOKER_WAIT_STACKS_H

#include "bpf/shared_waits.h"
#include "profiler/collect/owners.h"
#include "profiler/collect/processes.h"
#include "profiler/collect/stacks.h"

struct wait_stacks;

/**
 * wait_stacks_in_use - has @each called with every key that a task may tell yet, also those of 0, and some twice
 * Not 0 from @each ends it. Returns that, 0 or a negative errno.
 */
typedef int (*wait_stacks_in_use)(void *data, int (*each)(void *each_data, const struct count_key *key),
				  void *each_data);

struct wait_stacks_parts {
	struct owners *owners;
	struct processes *processes;
	struct stacks *stacks;
	struct recording_writer *writer;
	int known_fd; /* the map of keys that are not sent again */
	wait_stacks_in_use in_use;
	void *in_use_data;
};

struct wait_stack_row {
	uint32_t container;
	uint32_t thread;
	uint32_t stack;
	uint8_t stack_end; /* enum stack_end */
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int wait_stacks_new(const struct wait_stacks_parts *parts, struct wait_stacks **ret_stacks);
void wait_stacks_free(struct wait_stacks *stacks);

/* A stack has come; @tick as for processes_find(), @now_ns a clock that runs. 0, -EPROTO (too short) or -ENOMEM. */
int wait_stacks_take(struct wait_stacks *stacks, const struct stack_event *event, size_t size, uint64_t tick,
		     uint64_t now_ns);

/**
 * wait_stacks_name() - one round of names for what has come by now
 * @all: nothing new comes any more: as many rounds as it takes
 * @tick: as for processes_find()
 * Has the programs send again what they have sent, where their set is half full. Returns 0 or -ENOMEM.
 */
int wait_stacks_name(struct wait_stacks *stacks, uint64_t tick, bool all);

/* Stacks that were left out, as too many waited for their names. */
uint64_t wait_stacks_lost(const struct wait_stacks *stacks);

/* The rows of a key: false where it is not known (or 0). */
bool wait_stacks_find(const struct wait_stacks *stacks, const struct count_key *key, struct wait_stack_row *ret_row);

/* A stack row's first ancestor that is not one of the programs that took the stack: these are its leaves. */
uint32_t wait_stacks_without_programs(const struct recording_writer *writer, uint32_t row);

#endif
