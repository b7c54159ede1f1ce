/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/blocked.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/count_set.h"
#include "symbolizer/base/array.h"

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
	struct stoker_bpf *skeleton;
	struct slots *slots;
	struct wait_stacks *stacks;
	struct recording_writer *writer;
	ARRAY(struct fetched_wait) fetched;
};

int blocked_new(struct stoker_bpf *skeleton, struct slots *slots, struct wait_stacks *stacks,
		struct recording_writer *writer, struct blocked **ret_blocked)
{
	struct blocked *blocked = calloc(1, sizeof(*blocked));

	if (!blocked)
		return -ENOMEM;
	blocked->skeleton = skeleton;
	blocked->slots = slots;
	blocked->stacks = stacks;
	blocked->writer = writer;
	*ret_blocked = blocked;
	return 0;
}

void blocked_free(struct blocked *blocked)
{
	if (!blocked)
		return;
	array_deinit(&blocked->fetched);
	free(blocked);
}

static int take_all(struct blocked *blocked, int fd, uint32_t max)
{
	struct wait_key key;

	/* Nobody else writes to it now: each round takes one out. */
	for (uint32_t i = 0; i < max && !bpf_map_get_next_key(fd, NULL, &key); i++) {
		struct fetched_wait *fetched = array_add(&blocked->fetched);

		if (!fetched)
			return -ENOMEM;
		fetched->key = key;
		if (bpf_map_lookup_elem(fd, &key, &fetched->sums) || bpf_map_delete_elem(fd, &key))
			return -errno;
	}
	return 0;
}

int blocked_fetch(struct blocked *blocked)
{
	uint32_t active = blocked->skeleton->bss->active_waits;
	struct bpf_map *map = active ? blocked->skeleton->maps.waits_1 : blocked->skeleton->maps.waits_0;

	__atomic_store_n(&blocked->skeleton->bss->active_waits, !active, __ATOMIC_SEQ_CST);
	count_set_wait_for_programs();
	return take_all(blocked, bpf_map__fd(map), bpf_map__max_entries(map));
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
	if (!err && wait->key.waker_slot != SLOT_UNWANTED)
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

	for (size_t i = 0; i < blocked->fetched.count && !err; i++)
		err = write_one(blocked, &blocked->fetched.items[i], time_ns);
	blocked->fetched.count = 0;
	return err;
}
