/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/sample_counts.h"

#include <errno.h>

#include "profiler/collect/sampler.h"

void sample_counts_deinit(struct sample_counts *counts)
{
	array_deinit(&counts->keys[0]);
	array_deinit(&counts->keys[1]);
	array_deinit(&counts->touched);
	unnamed_stacks_deinit(&counts->unnamed);
}

static struct sample_key *key_of(struct sample_counts *counts, uint64_t token)
{
	return &counts->keys[SAMPLER_TOKEN_SET(token)].items[SAMPLER_TOKEN_NUMBER(token)];
}

bool sample_counts_is_new(const struct sample_counts *counts, uint64_t token)
{
	return SAMPLER_TOKEN_NUMBER(token) >= counts->keys[SAMPLER_TOKEN_SET(token)].count;
}

/* Its samples are kept, with a frame that says why there is no other one. */
static int leave_unnamed(struct sample_counts *counts, struct sample_key *key)
{
	static const char reason[] = "[too many stacks at once]";
	struct recording_frame frame = {.kind = FRAME_USER};
	struct recording_stack stack = {.parent = RECORDING_STACK_ROOT};
	int err = recording_writer_string(counts->writer, reason, sizeof(reason) - 1, &frame.name);

	if (!err)
		err = recording_writer_frame(counts->writer, &frame, &stack.frame);
	if (!err)
		err = recording_writer_stack(counts->writer, &stack, &key->stack);
	key->stack_end = STACK_TRUNCATED;
	key->named = key->left = true;
	return err;
}

int sample_counts_add_key(struct sample_counts *counts, uint64_t token, const struct sample_key *key,
			  const struct stack_event *event, struct process *process)
{
	uint32_t set = SAMPLER_TOKEN_SET(token);
	struct sample_key added = {
		.container = key->container,
		.thread = key->thread,
		.call = key->call,
		.stack = RECORDING_STACK_ROOT,
	};
	int err = array_reserve(&counts->keys[set], SAMPLER_TOKEN_NUMBER(token) + 1 - counts->keys[set].count);

	if (!err)
		err = unnamed_stacks_add(&counts->unnamed, event, process, token);
	if (err == -ENOBUFS)
		err = leave_unnamed(counts, &added);
	if (!err)
		*array_add(&counts->keys[set]) = added;
	return err;
}

int sample_counts_add(struct sample_counts *counts, uint64_t token, uint64_t count)
{
	struct sample_key *key = key_of(counts, token);
	uint64_t *touched;

	if (!key->count) {
		touched = array_add(&counts->touched);
		if (!touched)
			return -ENOMEM;
		*touched = token;
	}
	key->count += count;
	return accounts_keep(counts->accounts, key->container, count);
}

static void take_name(void *data, uint64_t token, uint32_t stack, enum stack_end end)
{
	struct sample_key *key = key_of(data, token);

	key->stack = stack;
	key->stack_end = (uint8_t)end;
	key->named = true;
}

static int write_key(struct sample_counts *counts, struct sample_key *key, uint64_t time_ns)
{
	struct recording_sample row = {
		.kind = SAMPLE_ONCPU,
		.stack_end = key->stack_end,
		.container = key->container,
		.thread = key->thread,
		.stack = key->stack,
		.time_ns = time_ns,
		.count = key->count,
	};
	int err = recording_writer_sample(counts->writer, &row);

	if (!err && key->call)
		err = recording_writer_sample_call(counts->writer, key->call);
	if (key->left)
		counts->left += key->count;
	key->count = 0;
	return err;
}

int sample_counts_write(struct sample_counts *counts, bool all, uint64_t tick, uint64_t time_ns)
{
	struct unnamed_stacks_taker taker = {take_name, counts};
	size_t kept = 0;
	int err;

	do {
		err = unnamed_stacks_name(&counts->unnamed, counts->stacks, tick, &taker);
	} while (!err && all && counts->unnamed.list.count);
	for (size_t i = 0; i < counts->touched.count && !err; i++) {
		uint64_t token = counts->touched.items[i];

		if (key_of(counts, token)->named)
			err = write_key(counts, key_of(counts, token), time_ns);
		else
			counts->touched.items[kept++] = token;
	}
	if (!err)
		counts->touched.count = kept;
	return err;
}

void sample_counts_clear(struct sample_counts *counts, uint32_t set)
{
	size_t kept = 0;

	for (size_t i = 0; i < counts->touched.count; i++)
		if (SAMPLER_TOKEN_SET(counts->touched.items[i]) != set)
			counts->touched.items[kept++] = counts->touched.items[i];
	counts->touched.count = kept;
	counts->keys[set].count = 0;
}
