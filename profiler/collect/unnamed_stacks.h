/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unnamed_stacks: stacks that have come, and wait for their names.
 *
 * Names take time, and while they are found more stacks come. Those wait for the next round, so that each round ends,
 * also on a host that never stops to send. How much may wait is bounded: where the parser gets no CPU, memory must not
 * grow for as long as that lasts.
 */
#ifndef STOKER_UNNAMED_STACKS_H
#define STOKER_UNNAMED_STACKS_H

#include "profiler/collect/processes.h"
#include "profiler/collect/stacks.h"
#include "symbolizer/base/array.h"

#define UNNAMED_STACKS_MAX (1u << 16)	 /* 2 MB */
#define UNNAMED_ADDRESSES_MAX (1u << 20) /* 8 MB */

struct unnamed_stack {
	uint64_t tag;
	struct process *process;
	size_t first; /* of its addresses */
	uint16_t flags;
	uint8_t kernel_count, user_count, python_count, python_end;
};

/* All zero: none. While a round goes on, twice as much as the limits say may be held. */
struct unnamed_stacks {
	ARRAY(struct unnamed_stack) list;
	ARRAY(uint64_t) addresses; /* of all of them, as in stack_event.frames */
};

void unnamed_stacks_deinit(struct unnamed_stacks *unnamed);

/**
 * unnamed_stacks_add() - one more
 * @process: must live until it is named
 * @tag: the caller's
 * Returns 0, -ENOBUFS (too many wait) or -ENOMEM.
 */
int unnamed_stacks_add(struct unnamed_stacks *unnamed, const struct stack_event *event, struct process *process,
		       uint64_t tag);

struct unnamed_stacks_taker {
	/* @stack: row, @end: how its user part ended */
	void (*named)(void *data, uint64_t tag, uint32_t stack, enum stack_end end);
	void *data;
};

/**
 * unnamed_stacks_name() - one round: names all that wait by now
 * @tick: as for processes_find()
 * Returns 0 or -ENOMEM: then those that were not told are forgotten.
 */
int unnamed_stacks_name(struct unnamed_stacks *unnamed, struct stacks *stacks, uint64_t tick,
			const struct unnamed_stacks_taker *taker);

#endif
