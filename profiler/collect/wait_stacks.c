/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/wait_stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/map_entries.h"
#include "profiler/collect/unnamed_stacks.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/log.h"

#define KEYS_MAX (1u << 16) /* of a generation: 4 MB */
#define KNOWN_MAX 16384u    /* half of the programs' set */

struct known_key {
	struct count_key key;
	struct wait_stack_row row;
	bool named;
};

/*
 * As in named_addresses.h: what comes again moves to the young one, and so does what a task still has as the old one ends. The rest
 * is forgotten with it two rounds later: waits that were over by then may be fetched in the one after.
 */
struct generation {
	ARRAY(struct known_key) keys;
	struct hash_index index;
};

struct wait_stacks {
	struct wait_stacks_parts parts;
	struct generation young, old, ending;
	uint32_t age;	 /* how often the young ones became the old ones */
	uint32_t rounds; /* since then */
	struct unnamed_stacks unnamed;
	uint64_t lost; /* came while too many had no names yet */
	uint32_t sent; /* since the programs' set was emptied */
};

int wait_stacks_new(const struct wait_stacks_parts *parts, struct wait_stacks **ret_stacks)
{
	struct wait_stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	stacks->parts = *parts;
	*ret_stacks = stacks;
	return 0;
}

static void deinit_generation(struct generation *generation)
{
	array_deinit(&generation->keys);
	hash_index_deinit(&generation->index);
}

void wait_stacks_free(struct wait_stacks *stacks)
{
	if (!stacks)
		return;
	deinit_generation(&stacks->young);
	deinit_generation(&stacks->old);
	deinit_generation(&stacks->ending);
	unnamed_stacks_deinit(&stacks->unnamed);
	free(stacks);
}

static const struct known_key *find(const struct generation *generation, const struct count_key *key)
{
	uint32_t number;

	for (size_t at = hash_index_first(&generation->index, key->hash[0]);
	     hash_index_next(&generation->index, key->hash[0], &at, &number);)
		if (!memcmp(&generation->keys.items[number].key, key, sizeof(*key)))
			return &generation->keys.items[number];
	return NULL;
}

static int keep(struct generation *generation, const struct known_key *known)
{
	if (array_reserve(&generation->keys, 1) ||
	    hash_index_insert(&generation->index, known->key.hash[0], (uint32_t)generation->keys.count))
		return -ENOMEM;
	*array_add(&generation->keys) = *known;
	return 0;
}

static int add(struct wait_stacks *stacks, const struct stack_event *event, uint64_t tick, uint64_t now_ns)
{
	struct known_key known = {.key = event->key, .row = {.stack = RECORDING_STACK_ROOT}};
	struct process *process;
	int err = owners_row(stacks->parts.owners, event->cgroup_id, event->flags & STACK_KERNEL_THREAD,
			     &known.row.container);

	if (!err)
		err = processes_find(stacks->parts.processes, event, known.row.container, tick, &process);
	if (!err)
		err = processes_refresh(process, event->frames + event->kernel_count, event->user_count, now_ns);
	if (!err)
		err = processes_thread(stacks->parts.processes, process, event, &known.row.thread);
	if (!err)
		err = unnamed_stacks_add(&stacks->unnamed, event, process,
					 (uint64_t)stacks->age << 32 | stacks->young.keys.count);
	if (err == -ENOBUFS) {
		stacks->lost++;
		return 0;
	}
	return err ? err : keep(&stacks->young, &known);
}

int wait_stacks_take(struct wait_stacks *stacks, const struct stack_event *event, size_t size, uint64_t tick,
		     uint64_t now_ns)
{
	const struct known_key *old;

	if (size < offsetof(struct stack_event, frames) ||
	    size < offsetof(struct stack_event, frames) + stack_event_frames(event) * sizeof(uint64_t))
		return -EPROTO;
	stacks->sent++;
	if (find(&stacks->young, &event->key))
		return 0;
	old = find(&stacks->old, &event->key);
	return old && old->named ? keep(&stacks->young, old) : add(stacks, event, tick, now_ns);
}

static bool is_programs(const char *name)
{
	return !strncmp(name, "bpf_prog_", 9) || !strncmp(name, "bpf_trace_run", 13) ||
	       !strncmp(name, "__bpf_trace_", 12) || !strncmp(name, "__traceiter_", 12);
}

uint32_t wait_stacks_without_programs(const struct recording_writer *writer, uint32_t row)
{
	while (row != RECORDING_STACK_ROOT) {
		const struct recording_stack *step = recording_writer_stack_at(writer, row);

		if (!is_programs(recording_writer_frame_name(writer, step->frame)))
			break;
		row = step->parent;
	}
	return row;
}

static void take_name(void *data, uint64_t tag, uint32_t stack, enum stack_end end)
{
	struct wait_stacks *stacks = data;
	struct generation *generation = tag >> 32 == stacks->age ? &stacks->young : &stacks->old;
	struct known_key *known = &generation->keys.items[(uint32_t)tag];

	known->row.stack = wait_stacks_without_programs(stacks->parts.writer, stack);
	known->row.stack_end = (uint8_t)end;
	known->named = true;
}

static int forget_one(void *data, const void *key, const void *value)
{
	return 0;
}

/* What is left of it is forgotten the next time. */
static void empty_known(struct wait_stacks *stacks)
{
	map_entries_each(stacks->parts.known_fd, true, forget_one, NULL);
	stacks->sent = 0;
}

static int keep_used(void *data, const struct count_key *key)
{
	struct wait_stacks *stacks = data;
	const struct known_key *known = key->hash[0] ? find(&stacks->old, key) : NULL;

	return known && !find(&stacks->young, key) ? keep(&stacks->young, known) : 0;
}

/* What waits for its name came after the last round: the old generation has nothing of it. */
static int age(struct wait_stacks *stacks)
{
	struct generation empty = stacks->ending;
	int err = stacks->old.keys.count ? stacks->parts.in_use(stacks->parts.in_use_data, keep_used, stacks) : 0;

	if (err == -ENOMEM)
		return err;
	if (err)
		log_debug("which stacks are in use is not known: %s", strerror(-err));
	stacks->ending = stacks->old;
	stacks->old = stacks->young;
	stacks->young = empty;
	stacks->age++;
	stacks->rounds = 0;
	return 0;
}

static void forget_ending(struct wait_stacks *stacks)
{
	stacks->ending.keys.count = 0;
	hash_index_clear(&stacks->ending.index);
}

uint64_t wait_stacks_lost(const struct wait_stacks *stacks)
{
	return stacks->lost;
}

int wait_stacks_name(struct wait_stacks *stacks, uint64_t tick, bool all)
{
	struct unnamed_stacks_taker taker = {take_name, stacks};
	int err;

	if (++stacks->rounds > 1 && stacks->ending.keys.count)
		forget_ending(stacks);
	do {
		err = unnamed_stacks_name(&stacks->unnamed, stacks->parts.stacks, tick, &taker);
	} while (!err && all && stacks->unnamed.list.count);
	if (stacks->sent >= KNOWN_MAX)
		empty_known(stacks);
	/* After it: who takes a stack of the old generation from now on sends it again. */
	if (!err && stacks->young.keys.count >= KEYS_MAX && !stacks->ending.keys.count)
		err = age(stacks);
	return err;
}

bool wait_stacks_find(const struct wait_stacks *stacks, const struct count_key *key, struct wait_stack_row *ret_row)
{
	const struct known_key *known = key->hash[0] ? find(&stacks->young, key) : NULL;

	if (!known && key->hash[0])
		known = find(&stacks->old, key);
	if (!known && key->hash[0])
		known = find(&stacks->ending, key);
	if (!known || !known->named)
		return false;
	*ret_row = known->row;
	return true;
}
