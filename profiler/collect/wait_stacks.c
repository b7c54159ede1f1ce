/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/wait_stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

#define KEYS_MAX (1u << 16)		 /* of a generation: 4 MB */
#define UNNAMED_ADDRESSES_MAX (1u << 20) /* 8 MB */
#define KNOWN_MAX 16384u		 /* half of the programs' set */

struct known_key {
	struct count_key key;
	struct wait_stack_row row;
	bool named;
};

/* As in named_addresses.h: what comes again moves to the young one, and what does not is forgotten with the old one. */
struct generation {
	ARRAY(struct known_key) keys;
	struct hash_index index;
};

/* A stack that waits to be named: its addresses are in an array beside, from @first on. */
struct unnamed {
	uint32_t number; /* among the young keys */
	struct process *process;
	size_t first;
	uint16_t flags; /* stack_event.flags */
	uint8_t kernel_count, user_count, python_count, python_end;
};

typedef ARRAY(struct unnamed) unnamed_array;
typedef ARRAY(uint64_t) address_array;

struct wait_stacks {
	struct wait_stacks_parts parts;
	struct generation young, old;
	unnamed_array unnamed;
	address_array addresses;
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
	array_deinit(&stacks->unnamed);
	array_deinit(&stacks->addresses);
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

static int wait_for_name(struct wait_stacks *stacks, const struct stack_event *event, struct process *process,
			 uint32_t number)
{
	size_t count = stack_event_frames(event);
	struct unnamed *unnamed = array_add(&stacks->unnamed);

	if (!unnamed || array_reserve(&stacks->addresses, count))
		return -ENOMEM;
	*unnamed = (struct unnamed){
		.number = number,
		.process = process,
		.first = stacks->addresses.count,
		.flags = event->flags,
		.kernel_count = event->kernel_count,
		.user_count = event->user_count,
		.python_count = event->python_count,
		.python_end = event->python_end,
	};
	memcpy(stacks->addresses.items + stacks->addresses.count, event->frames, count * sizeof(uint64_t));
	stacks->addresses.count += count;
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
		err = wait_for_name(stacks, event, process, (uint32_t)stacks->young.keys.count);
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
	if (old)
		return keep(&stacks->young, old);
	/* The parser is slow, or gets no CPU: what waits for it must not grow for as long as that lasts. */
	if (stacks->addresses.count >= UNNAMED_ADDRESSES_MAX) {
		stacks->lost++;
		return 0;
	}
	return add(stacks, event, tick, now_ns);
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

static int name_one(struct wait_stacks *stacks, const struct unnamed *unnamed, const uint64_t *kernel)
{
	const uint64_t *user = kernel + unnamed->kernel_count;
	struct python_frames python = {user + unnamed->user_count, unnamed->python_count, unnamed->python_end};
	struct known_key *known;
	enum stack_end end;
	uint32_t row;
	int err = stacks_row(stacks->parts.stacks, unnamed->process, kernel, unnamed->kernel_count, user,
			     unnamed->user_count, unnamed->flags, &python, &row, &end);

	if (err)
		return err;
	known = &stacks->young.keys.items[unnamed->number];
	known->row.stack = wait_stacks_without_programs(stacks->parts.writer, row);
	known->row.stack_end = (uint8_t)end;
	known->named = true;
	return 0;
}

/* While names are being found more stacks come in: those wait in fresh arrays for the next round. */
static int name_round(struct wait_stacks *stacks)
{
	unnamed_array unnamed = stacks->unnamed;
	address_array addresses = stacks->addresses;
	int err = 0;

	memset(&stacks->unnamed, 0, sizeof(stacks->unnamed));
	memset(&stacks->addresses, 0, sizeof(stacks->addresses));
	for (size_t i = 0; i < unnamed.count && !err; i++) {
		const struct unnamed *one = &unnamed.items[i];
		const uint64_t *kernel = addresses.items + one->first;

		err = stacks_want(stacks->parts.stacks, one->process, kernel, one->kernel_count,
				  kernel + one->kernel_count, one->user_count, one->flags);
	}
	if (!err)
		err = stacks_name_wanted(stacks->parts.stacks);
	for (size_t i = 0; i < unnamed.count && !err; i++)
		err = name_one(stacks, &unnamed.items[i], addresses.items + unnamed.items[i].first);
	array_deinit(&unnamed);
	array_deinit(&addresses);
	return err;
}

static void empty_known(struct wait_stacks *stacks)
{
	struct count_key key;

	/* Bounded: the programs may add while we delete. */
	for (uint32_t i = 0; i < 4 * KNOWN_MAX && !bpf_map_get_next_key(stacks->parts.known_fd, NULL, &key); i++)
		bpf_map_delete_elem(stacks->parts.known_fd, &key);
	stacks->sent = 0;
}

/* All of it is named: nothing refers to a number any more. */
static void age(struct wait_stacks *stacks)
{
	struct generation forgotten = stacks->old;

	stacks->old = stacks->young;
	forgotten.keys.count = 0;
	hash_index_clear(&forgotten.index);
	stacks->young = forgotten;
}

uint64_t wait_stacks_lost(const struct wait_stacks *stacks)
{
	return stacks->lost;
}

int wait_stacks_name(struct wait_stacks *stacks)
{
	int err = 0;

	while (stacks->unnamed.count && !err)
		err = name_round(stacks);
	if (stacks->young.keys.count >= KEYS_MAX && !stacks->unnamed.count)
		age(stacks);
	if (stacks->sent >= KNOWN_MAX)
		empty_known(stacks);
	return err;
}

bool wait_stacks_find(const struct wait_stacks *stacks, const struct count_key *key, struct wait_stack_row *ret_row)
{
	const struct known_key *known = key->hash[0] ? find(&stacks->young, key) : NULL;

	if (!known && key->hash[0])
		known = find(&stacks->old, key);
	if (!known || !known->named)
		return false;
	*ret_row = known->row;
	return true;
}
