/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/profile/kernel_stacks.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/profile_containers.h"
#include "profiler/profile/shared_pods.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define LABEL_BYTES_MAX 8192
#define DEPTH_MAX 512

struct query_run {
	const struct profile *profile;
	const struct profile_query *query;
	struct call_tree *tree;
	bool *wanted;	       /* by container */
	bool *shared_pods;     /* by string: a pod's name that needs its namespace; NULL: not by pod */
	uint32_t *tree_frames; /* of profile frames; CALL_TREE_NONE: not known yet */
	struct kernel_stacks stacks;
	struct string_table strings; /* names of @stacks */
	ARRAY(uint16_t) rests;	     /* by node, of times: nanoseconds that are no whole microsecond yet */
};

static const char *text_of(const struct profile *profile, string_id id)
{
	return string_table_text(&profile->rows.strings, id);
}

static int add_label(struct query_run *run, uint32_t *node, const char *text)
{
	uint32_t frame;
	int err;

	/* A thread may have taken its name away. */
	if (!*text)
		text = "[no name]";
	err = call_tree_frame(run->tree, text, strlen(text), FRAME_DELIMITER, &frame);

	return err ? err : call_tree_child(run->tree, *node, frame, node);
}

/* What a sample and one end of a wait have in common. */
struct place {
	uint32_t container; /* row */
	uint32_t thread;    /* row, or RECORDING_NONE */
	uint32_t stack;
	const char *
		call; /* of a sample: the system call that it was in, or in brackets why there is none; NULL: not known */
	const char *nobody; /* why @thread is RECORDING_NONE; NULL: its stack was lost */
};

/* A task that waits, or wakes another one, does so in the kernel: there its stack tells the call. */
static int add_call(struct query_run *run, const struct place *place, uint32_t *node)
{
	const char *call = place->call ? place->call : "[call not known]";
	const struct kernel_stack *kernel;
	int err = 0;

	if (!place->call && run->query->kind != PROFILE_ONCPU) {
		err = kernel_stacks_find(&run->stacks, place->stack, &kernel);
		if (!err && kernel->kind == KERNEL_ENTRY_SYSTEM_CALL)
			call = string_table_text(&run->strings, kernel->entry);
		else if (!err && kernel->kind != KERNEL_ENTRY_NONE)
			call = "[no call]";
	}
	return err ? err : add_label(run, node, call);
}

static int add_pod(struct query_run *run, const struct recording_container *container, uint32_t *node)
{
	const char *pod = text_of(run->profile, container->pod);
	char text[512];

	if (!container->namespace || !run->shared_pods[container->pod])
		return add_label(run, node, pod);
	snprintf(text, sizeof(text), "%.100s/%.400s", text_of(run->profile, container->namespace), pod);
	return add_label(run, node, text);
}

static int add_nobody(struct query_run *run, const struct place *place, uint32_t *node)
{
	int err = add_label(run, node, place->nobody ? place->nobody : "[stack lost]");

	if (err || run->query->by != PROFILE_BY_CALL || place->stack == RECORDING_STACK_ROOT)
		return err;
	return add_call(run, place, node);
}

static int add_labels(struct query_run *run, const struct place *place, uint32_t *node)
{
	const struct profile *profile = run->profile;
	const struct recording_container *container = &profile->rows.containers.items[place->container];
	const struct recording_thread *thread;
	const struct recording_process *process;
	enum profile_grouping by = run->query->by;
	const char *comm;
	char text[256];
	int err = 0;

	if (by == PROFILE_BY_NONE)
		return 0;
	if (by == PROFILE_BY_POD && container->pod)
		err = add_pod(run, container, node);
	if (!err)
		err = add_label(run, node, profile_container_label(profile, place->container));
	if (err)
		return err;
	if (place->thread == RECORDING_NONE)
		return add_nobody(run, place, node);
	thread = &profile->rows.threads.items[place->thread];
	process = &profile->rows.processes.items[thread->process];
	comm = text_of(profile, process->comm);
	if (!err && (by == PROFILE_BY_CONTAINER || by == PROFILE_BY_POD || by == PROFILE_BY_CALL))
		err = add_label(run, node, comm);
	if (!err && by == PROFILE_BY_CALL)
		err = add_call(run, place, node);
	if (by == PROFILE_BY_CONTAINER || by == PROFILE_BY_POD || by == PROFILE_BY_CALL)
		return err;
	if (err)
		return err;
	snprintf(text, sizeof(text), "%.200s-%u", comm, process->tgid);
	err = add_label(run, node, text);
	if (err || by == PROFILE_BY_PROCESS)
		return err;
	snprintf(text, sizeof(text), "%.200s-%u", text_of(profile, thread->comm), thread->tid);
	return add_label(run, node, text);
}

/* "function:file.c:12" where the line is known; Python's names have their file. [size] holds what matters of it. */
static void label_of(const struct profile *profile, const struct recording_frame *row, char *label, size_t size)
{
	const char *file = text_of(profile, row->file), *slash = strrchr(file, '/');
	char place[300];

	if (row->kind == FRAME_PYTHON)
		snprintf(place, sizeof(place), ":%" PRIu32, row->line);
	else
		snprintf(place, sizeof(place), ":%.255s:%" PRIu32, slash ? slash + 1 : file, row->line);
	snprintf(label, size, "%.*s%s", (int)(size - sizeof(place)), text_of(profile, row->name), place);
}

static int frame_in_tree(struct query_run *run, uint32_t frame, uint32_t *ret_frame)
{
	const struct recording_frame *row = &run->profile->rows.frames.items[frame];
	const char *name = text_of(run->profile, row->name);
	char label[LABEL_BYTES_MAX];
	int err = 0;

	if (run->tree_frames[frame] == CALL_TREE_NONE) {
		if (row->line) {
			label_of(run->profile, row, label, sizeof(label));
			name = label;
		}
		err = call_tree_frame(run->tree, name, strlen(name), (enum frame_kind)row->kind,
				      &run->tree_frames[frame]);
		if (!err)
			run->tree->frames.items[run->tree_frames[frame]].named = row->named;
	}
	if (!err)
		*ret_frame = run->tree_frames[frame];
	return err;
}

/* Leaf first. Returns how many of the sample's frames the query wants. */
static size_t collect_frames(const struct query_run *run, uint32_t stack, uint32_t *frames, bool *ret_deeper)
{
	const struct recording_tables *rows = &run->profile->rows;
	size_t count = 0, steps = 0;

	for (; stack != RECORDING_STACK_ROOT && count < DEPTH_MAX && steps < PROFILE_STEPS_MAX;
	     stack = rows->stacks.items[stack].parent, steps++) {
		uint32_t frame = rows->stacks.items[stack].frame;
		bool kernel = rows->frames.items[frame].kind == FRAME_KERNEL;

		if ((run->query->kernel_only && !kernel) || (run->query->user_only && kernel))
			continue;
		frames[count++] = frame;
	}
	*ret_deeper = stack != RECORDING_STACK_ROOT;
	return count;
}

static int add_frames(struct query_run *run, const uint32_t *frames, size_t count, bool leaf_first, uint32_t *node)
{
	uint32_t frame;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		err = frame_in_tree(run, frames[leaf_first ? i : count - 1 - i], &frame);
		if (!err)
			err = call_tree_child(run->tree, *node, frame, node);
	}
	return err;
}

/*
 * The waking end, from the waking up to who did it: container and process are the last boxes. An interrupt does it itself,
 * whoever it came upon.
 */
static int add_waker(struct query_run *run, const struct recording_wait *wait, uint32_t *node)
{
	const struct place place = {wait->waker_container, wait->waker_thread, wait->waker_stack};
	const struct kernel_stack *kernel;
	uint32_t frames[DEPTH_MAX];
	bool deeper;
	size_t count, interrupt;
	int err = add_label(run, node, "--");

	if (!err)
		err = kernel_stacks_find(&run->stacks, place.stack, &kernel);
	if (err)
		return err;
	if (wait->flags & RECORDING_WAIT_UNFINISHED)
		return add_label(run, node, "[not woken yet]");
	if (place.container == RECORDING_NONE)
		return add_label(run, node, "[waker not seen]");
	count = collect_frames(run, place.stack, frames, &deeper);
	interrupt = kernel->interrupt_frames;
	if (interrupt && count > interrupt)
		count = interrupt;
	err = add_frames(run, frames, interrupt && run->query->user_only ? 0 : count, true, node);
	if (!err && interrupt)
		return add_label(run, node, "interrupt");
	return err ? err : add_labels(run, &place, node);
}

/* Times come in nanoseconds, and what each of many short ones has beyond its microseconds is not lost. */
static int add_count(struct query_run *run, uint32_t node, uint64_t counted)
{
	size_t nodes = run->tree->nodes.count;
	uint64_t rest;

	if (run->query->kind == PROFILE_ONCPU) {
		call_tree_count(run->tree, node, counted);
		return 0;
	}
	if (node >= run->rests.count) {
		if (array_reserve(&run->rests, nodes - run->rests.count))
			return -ENOMEM;
		memset(&run->rests.items[run->rests.count], 0, (nodes - run->rests.count) * sizeof(*run->rests.items));
		run->rests.count = nodes;
	}
	rest = run->rests.items[node] + counted % 1000;
	call_tree_count(run->tree, node, counted / 1000 + rest / 1000);
	run->rests.items[node] = (uint16_t)(rest % 1000);
	return 0;
}

/* @counted: samples, or nanoseconds. @wait: whose waker is to be shown, too; NULL: none */
static int add_stack(struct query_run *run, const struct place *place, uint64_t counted,
		     const struct recording_wait *wait)
{
	uint32_t frames[DEPTH_MAX], node = 0;
	bool deeper;
	size_t count = collect_frames(run, place->stack, frames, &deeper);
	int err;

	if (!count && (run->query->kernel_only || run->query->user_only))
		return 0;
	err = add_labels(run, place, &node);
	if (!err && deeper)
		err = add_label(run, &node, "[deeper than shown]");
	if (!err)
		err = add_frames(run, frames, count, run->query->reverse, &node);
	if (!err && wait)
		err = add_waker(run, wait, &node);
	return err ? err : add_count(run, node, counted);
}

static bool is_wanted(const struct query_run *run, const struct place *place)
{
	const char *comm;

	if (!run->wanted[place->container])
		return false;
	if (!run->query->comm)
		return true;
	/* Whose name is not known is nobody that was asked for, whatever the expression takes. */
	if (place->thread == RECORDING_NONE)
		return false;
	comm = text_of(run->profile, run->profile->rows.threads.items[place->thread].comm);
	return !regexec(run->query->comm, comm, 0, NULL, 0);
}

static const char *call_of(const struct profile *profile, size_t sample)
{
	if (profile->calls.items[sample])
		return text_of(profile, profile->calls.items[sample]);
	return profile_call_is_told(profile, sample) ? "[no call]" : NULL;
}

static int add_samples(struct query_run *run)
{
	int err = 0;

	for (size_t i = 0; i < run->profile->rows.samples.count && !err; i++) {
		const struct recording_sample *sample = &run->profile->rows.samples.items[i];
		const struct place place = {sample->container, sample->thread, sample->stack, call_of(run->profile, i)};

		if (sample->kind == SAMPLE_ONCPU && is_wanted(run, &place))
			err = add_stack(run, &place, sample->count, NULL);
	}
	return err;
}

static int add_waits(struct query_run *run)
{
	uint32_t states = run->query->states;
	int err = 0;

	for (size_t i = 0; i < run->profile->rows.waits.count && !err; i++) {
		const struct recording_wait *wait = &run->profile->rows.waits.items[i];
		const struct place place = {wait->container, wait->thread, wait->stack};

		if ((!states || (wait->state < 32 && states & 1u << wait->state)) && is_wanted(run, &place))
			err = add_stack(run, &place, wait->total_ns, run->query->kind == PROFILE_WAKERS ? wait : NULL);
	}
	return err;
}

/* A wait that did not sleep has no thread: it is counted by stack, or by container alone. */
static const char *nobody_of(const struct recording_lock *lock)
{
	if (!(lock->flags & RECORDING_LOCK_SPUN))
		return NULL;
	return lock->stack == RECORDING_STACK_ROOT ? "[no stack taken]" : "[did not sleep]";
}

static int add_locks(struct query_run *run)
{
	int err = 0;

	for (size_t i = 0; i < run->profile->rows.locks.count && !err; i++) {
		const struct recording_lock *lock = &run->profile->rows.locks.items[i];
		const struct place place = {
			.container = lock->container,
			.thread = lock->thread,
			.stack = lock->stack,
			.nobody = nobody_of(lock),
		};

		if (is_wanted(run, &place))
			err = add_stack(run, &place, lock->total_ns, NULL);
	}
	return err;
}

static int add_all(struct query_run *run)
{
	switch (run->query->kind) {
	case PROFILE_ONCPU:
		return add_samples(run);
	case PROFILE_OFFCPU:
	case PROFILE_WAKERS:
		return add_waits(run);
	case PROFILE_LOCKS:
		return add_locks(run);
	}
	return 0;
}

static int query_run_init(struct query_run *run)
{
	const struct recording_tables *rows = &run->profile->rows;
	int err = string_table_init(&run->strings);

	if (!err)
		err = kernel_stacks_init(&run->stacks, run->profile, &run->strings);
	if (!err && run->query->by == PROFILE_BY_POD)
		err = shared_pods_find(run->profile, &run->shared_pods);
	run->wanted = calloc(rows->containers.count + 1, sizeof(*run->wanted));
	run->tree_frames = malloc((rows->frames.count + 1) * sizeof(*run->tree_frames));
	if (err || !run->wanted || !run->tree_frames)
		return -ENOMEM;
	memset(run->tree_frames, 0xff, (rows->frames.count + 1) * sizeof(*run->tree_frames));
	return 0;
}

static void query_run_deinit(struct query_run *run)
{
	kernel_stacks_deinit(&run->stacks);
	string_table_deinit(&run->strings);
	free(run->shared_pods);
	free(run->wanted);
	free(run->tree_frames);
	array_deinit(&run->rests);
}

int profile_call_tree(const struct profile *profile, const struct profile_query *query, struct call_tree *tree,
		      char *error, size_t error_size)
{
	_cleanup_(query_run_deinit) struct query_run run = {.profile = profile, .query = query, .tree = tree};
	int err = query_run_init(&run);

	snprintf(error, error_size, "out of memory");
	if (!err)
		err = profile_choose_containers(profile, query->containers,
						query->containers ? query->container_count : 0, run.wanted, error,
						error_size);
	if (!err)
		err = add_all(&run);
	return err ? err : call_tree_finish(tree);
}
