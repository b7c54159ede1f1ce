/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/blocked.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/collect/map_pair.h"

#include "stoker.skel.h"

_Static_assert((int)OFF_STATES == WAIT_STATES && (int)OFF_SLEEPING == WAIT_SLEEPING &&
		       (int)OFF_UNINTERRUPTIBLE == WAIT_UNINTERRUPTIBLE && (int)OFF_IO == WAIT_IO &&
		       (int)OFF_STOPPED == WAIT_STOPPED && WAIT_UNFINISHED == RECORDING_WAIT_UNFINISHED &&
		       WAIT_STACK_GUESSED == RECORDING_WAIT_GUESSED,
	       "the recording's values are the programs'");

struct fetched_wait {
	struct wait_key key;
	struct wait_sums sums;
};

struct blocked {
	struct slots *slots;
	struct wait_stacks *stacks;
	struct recording_writer *writer;
	struct map_pair maps; /* of struct fetched_wait */
};

int blocked_new(struct stoker_bpf *skeleton, struct slots *slots, struct wait_stacks *stacks,
		struct recording_writer *writer, struct blocked **ret_blocked)
{
	struct blocked *blocked = calloc(1, sizeof(*blocked));

	if (!blocked)
		return -ENOMEM;
	blocked->slots = slots;
	blocked->stacks = stacks;
	blocked->writer = writer;
	map_pair_init(&blocked->maps, skeleton->maps.waits_0, skeleton->maps.waits_1, &skeleton->bss->active_waits);
	*ret_blocked = blocked;
	return 0;
}

void blocked_free(struct blocked *blocked)
{
	if (!blocked)
		return;
	map_pair_deinit(&blocked->maps);
	free(blocked);
}

int blocked_fetch(struct blocked *blocked)
{
	return map_pair_fetch(&blocked->maps);
}

static int write_one(struct blocked *blocked, const struct fetched_wait *wait, uint64_t time_ns)
{
	struct wait_stack_row victim = {.thread = RECORDING_NONE, .stack = RECORDING_STACK_ROOT};
	struct wait_stack_row waker = victim;
	struct recording_wait row = {
		.state = (uint8_t)wait->key.state,
		.flags = (uint8_t)wait->key.flags,
		.waker_container = RECORDING_NONE,
		.time_ns = time_ns,
		.count = wait->sums.count,
		.total_ns = wait->sums.total_ns,
		.max_ns = wait->sums.max_ns,
	};
	int err = slots_row(blocked->slots, wait->key.slot, &row.container);

	wait_stacks_find(blocked->stacks, &wait->key.stack, &victim);
	wait_stacks_find(blocked->stacks, &wait->key.waker, &waker);
	if (!err && !SLOT_IS_UNWANTED(wait->key.waker_slot))
		err = slots_row(blocked->slots, wait->key.waker_slot, &row.waker_container);
	else if (!err && wait->key.waker.hash[0] && waker.thread != RECORDING_NONE)
		row.waker_container = waker.container;
	row.thread = victim.thread;
	row.stack = victim.stack;
	row.stack_end = victim.stack_end;
	row.waker_thread = waker.thread;
	row.waker_stack = waker.stack;
	return err ? err : recording_writer_wait(blocked->writer, &row);
}

int blocked_write(struct blocked *blocked, uint64_t time_ns)
{
	int err = 0;

	for (size_t i = 0; i < blocked->maps.count && !err; i++)
		err = write_one(blocked, map_pair_entry(&blocked->maps, i), time_ns);
	map_pair_clear(&blocked->maps);
	return err;
}
