/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/recorder.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/accounts.h"
#include "profiler/collect/call_names.h"
#include "profiler/collect/copy_programs.h"
#include "profiler/collect/java_maps.h"
#include "profiler/collect/processes.h"
#include "profiler/collect/sample_counts.h"
#include "profiler/collect/series.h"
#include "profiler/collect/stack_copies.h"
#include "profiler/collect/stacks.h"
#include "profiler/collect/waits.h"
#include "symbolizer/base/clock.h"

#define OPEN_FILES_MAX 512
#define TURN_TICKS 5  /* seconds, at least, between two times that all stacks are sent again */
#define IDLE_TICKS 15 /* a process that has ended and was not sampled for so many seconds is forgotten */
#define RARE_TICKS 60 /* seconds between two trims of memory, and looks for cgroups that nobody told of */

struct recorder {
	struct recorder_parts parts;
	struct owners *owners;
	struct processes *processes;
	struct python_names *python_names;
	struct stacks *stacks;
	struct java_maps *java_maps; /* NULL: JVMs are not asked */
	struct waits *waits;	     /* NULL: samples alone */
	struct series *series;
	struct stack_copies *copies; /* NULL: no stack comes as a copy */
	struct sample_counts samples;
	struct accounts accounts;
	int failed; /* where nobody could be told: the next tick does */
	uint64_t tick, rare_tick;
	uint64_t replacements; /* of mappings, that stacks were sent again for */
	uint64_t turn_tick;    /* not again before */
};

static void while_naming(void *data);

static int add_waits(struct recorder *recorder)
{
	struct waits_parts parts = {
		.sampler = recorder->parts.sampler,
		.writer = recorder->parts.writer,
		.owners = recorder->owners,
		.processes = recorder->processes,
		.stacks = recorder->stacks,
		.start_ns = recorder->parts.start_ns,
	};

	return wait_settings_any(sampler_wait_settings(parts.sampler)) ? waits_new(&parts, &recorder->waits) : 0;
}

static int take_copy(void *data, void *bytes, size_t size);

static int add_copies(struct recorder *recorder)
{
	struct sampler *sampler = recorder->parts.sampler;
	struct stack_copies_parts parts = {
		.choice = sampler_copies(sampler),
		.symbolizer = recorder->parts.symbolizer,
		.stacks = recorder->stacks,
		.writer = recorder->parts.writer,
	};
	int err;

	if (parts.choice == COPY_NONE)
		return 0;
	err = stack_copies_new(&parts, &recorder->copies);
	return err ? err
		   : sampler_add_ring(sampler, copy_programs_ring(sampler_skeleton(sampler)), take_copy, recorder);
}

static int add_java_maps(struct recorder *recorder)
{
	struct java_maps_parts parts = {recorder->parts.java, recorder->processes, recorder->stacks};

	return parts.attach ? java_maps_new(&parts, &recorder->java_maps) : 0;
}

static int add_series(struct recorder *recorder)
{
	struct series_parts parts = {
		.root = "",
		.tree = recorder->parts.tree,
		.resolver = recorder->parts.resolver,
		.owners = recorder->owners,
		.writer = recorder->parts.writer,
		.filtered = recorder->parts.filtered,
		.start_ns = recorder->parts.start_ns,
	};

	return series_new(&parts, &recorder->series);
}

int recorder_new(const struct recorder_parts *parts, struct recorder **ret_recorder)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return -ENOMEM;
	recorder->parts = *parts;
	if (owners_new(parts->tree, parts->resolver, parts->writer, &recorder->owners) ||
	    processes_new(recorder->parts.symbolizer, parts->writer, parts->sampler,
			  parts->unwinder ? unwinder_new_mappings(parts->unwinder) : NULL, &recorder->processes) ||
	    python_names_new(parts->writer, sampler_python_functions_fd(parts->sampler), parts->lines,
			     &recorder->python_names) ||
	    stacks_new(recorder->parts.symbolizer, parts->writer, recorder->python_names, &recorder->stacks) ||
	    add_waits(recorder) || add_copies(recorder) || add_java_maps(recorder) || add_series(recorder)) {
		recorder_free(recorder);
		return -ENOMEM;
	}
	recorder->samples.writer = parts->writer;
	recorder->samples.stacks = recorder->stacks;
	recorder->samples.accounts = &recorder->accounts;
	symbolizer_set_waiting(parts->symbolizer, while_naming, recorder);
	*ret_recorder = recorder;
	return 0;
}

void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	series_free(recorder->series);
	java_maps_free(recorder->java_maps);
	waits_free(recorder->waits);
	stack_copies_free(recorder->copies);
	stacks_free(recorder->stacks);
	python_names_free(recorder->python_names);
	processes_free(recorder->processes);
	owners_free(recorder->owners);
	sample_counts_deinit(&recorder->samples);
	accounts_deinit(&recorder->accounts);
	free(recorder);
}

uint64_t recorder_samples(const struct recorder *recorder)
{
	return recorder->accounts.kept;
}

uint64_t recorder_samples_left(const struct recorder *recorder)
{
	return recorder->samples.left;
}

uint64_t recorder_names_given_up(const struct recorder *recorder)
{
	return stacks_names_given_up(recorder->stacks);
}

bool recorder_copies(const struct recorder *recorder, struct stack_copies_counts *ret_counts)
{
	if (!recorder->copies)
		return false;
	*ret_counts = stack_copies_counts(recorder->copies);
	return true;
}

const struct java_maps_counts *recorder_java(const struct recorder *recorder)
{
	return recorder->java_maps ? java_maps_counts(recorder->java_maps) : NULL;
}

const struct series_counts *recorder_series(const struct recorder *recorder)
{
	return series_counts(recorder->series);
}

bool recorder_kernel_hidden(const struct recorder *recorder)
{
	return symbolizer_kernel_hidden(recorder->parts.symbolizer);
}

static uint64_t time_now(const struct recorder *recorder)
{
	return clock_now_ns() - recorder->parts.start_ns;
}

/* A walk that left the tables is worth another look at what the process maps; one that always does, ever more rarely. */
static void look_again(struct recorder *recorder, const struct stack_event *event, struct process *process)
{
	uint64_t now;

	if (!recorder->parts.unwinder || !(event->flags & STACK_UNMAPPED))
		return;
	now = time_now(recorder);
	if (now < process->look_after_ns)
		return;
	unwinder_look_again(recorder->parts.unwinder, process->tgid);
	process->look_wait_ns = process->look_wait_ns ? 2 * process->look_wait_ns : REFRESH_WAIT_MIN_NS;
	if (process->look_wait_ns > REFRESH_WAIT_MAX_NS)
		process->look_wait_ns = REFRESH_WAIT_MAX_NS;
	process->look_after_ns = now + process->look_wait_ns;
}

static int call_of(struct recorder *recorder, uint32_t number, string_id *ret_name)
{
	char name[CALL_NAME_BYTES];

	call_name(number, name, sizeof(name));
	return recording_writer_string(recorder->parts.writer, name, strlen(name), ret_name);
}

/* Whose it is, and in which system call; a process that is new is pinned. */
static int find_owner(struct recorder *recorder, const struct stack_event *event, struct process **ret_process,
		      uint32_t *ret_container, uint32_t *ret_thread, string_id *ret_call)
{
	bool kernel_thread = event->flags & STACK_KERNEL_THREAD;
	struct process *process;
	int err = owners_row(recorder->owners, event->cgroup_id, kernel_thread, ret_container);

	if (!err)
		err = processes_find(recorder->processes, event, *ret_container, recorder->tick, &process);
	if (!err)
		err = processes_refresh(process, event->frames + event->kernel_count, event->user_count,
					time_now(recorder));
	if (!err)
		look_again(recorder, event, process);
	if (!err)
		err = processes_thread(recorder->processes, process, event, ret_thread);
	if (!err && event->call)
		err = call_of(recorder, event->call - 1, ret_call);
	if (!err)
		*ret_process = process;
	return err;
}

static int take_stack(void *data, const struct stack_event *event, uint64_t token)
{
	struct recorder *recorder = data;
	struct sample_key key = {0};
	struct process *process;
	int err = 0;

	/* A known one is a key that two CPUs saw first, or of a full map. */
	if (sample_counts_is_new(&recorder->samples, token)) {
		err = find_owner(recorder, event, &process, &key.container, &key.thread, &key.call);
		if (!err)
			err = sample_counts_add_key(&recorder->samples, token, &key, event, process);
	}
	return err ? err : sample_counts_add(&recorder->samples, token, 1);
}

static int take_copy(void *data, void *bytes, size_t size)
{
	struct recording_sample row = {.kind = SAMPLE_ONCPU, .count = 1};
	const struct stack_copy *copy = bytes;
	struct recorder *recorder = data;
	struct process *process;
	string_id call = 0;
	int err = size < sizeof(copy->event) ? -EPROTO : 0;

	if (!err)
		err = find_owner(recorder, &copy->event, &process, &row.container, &row.thread, &call);
	if (!err)
		err = stack_copies_add(recorder->copies, copy, size, process, &row, call);
	return err ? err : accounts_keep(&recorder->accounts, row.container, 1);
}

static int take_cgroup(void *data, const struct cgroup_event *event)
{
	struct recorder *recorder = data;
	int err = owners_cgroup(recorder->owners, event);

	if (!err)
		err = series_cgroup(recorder->series, event);
	if (!err && recorder->parts.filter && event->type != EVENT_CGROUP_REMOVED)
		err = container_filter_made(recorder->parts.filter, event->cgroup_id, time_now(recorder));
	/* A container too many for the filter's map is not recorded; the others go on. */
	return err == -ENOMEM ? err : 0;
}

static int take_python(void *data, const struct python_event *event, size_t size)
{
	struct recorder *recorder = data;

	return python_names_take(recorder->python_names, event, size);
}

static int take_count(void *data, uint64_t token, uint64_t count)
{
	struct recorder *recorder = data;

	return sample_counts_add(&recorder->samples, token, count);
}

static void take_cleared(void *data, uint32_t set)
{
	struct recorder *recorder = data;

	/* Its last key came before it was cleared: one round names them all. */
	recorder->failed = sample_counts_write(&recorder->samples, false, recorder->tick, time_now(recorder));
	sample_counts_clear(&recorder->samples, set);
}

static struct sampler_callbacks callbacks_of(struct recorder *recorder)
{
	return (struct sampler_callbacks){take_stack, take_cgroup, take_python, take_count, take_cleared, recorder};
}

int recorder_start(struct recorder *recorder)
{
	return series_start(recorder->series);
}

int recorder_events(struct recorder *recorder)
{
	struct sampler_callbacks callbacks = callbacks_of(recorder);
	int err = sampler_read_events(recorder->parts.sampler, &callbacks);

	if (!err && recorder->parts.filter &&
	    container_filter_again(recorder->parts.filter, time_now(recorder)) == -ENOMEM)
		err = -ENOMEM;
	return err;
}

/*
 * The child may take its time over a hostile file. Meanwhile events are taken from the ring, and new processes pinned,
 * as ever. What goes wrong here shows in the account.
 */
static void while_naming(void *data)
{
	recorder_events(data);
}

/*
 * Stacks that are counted in the kernel have got their names: where one of their mappings was replaced they are sent again, with
 * all others. That is not done for who replaces mappings all the time.
 */
static int follow(struct recorder *recorder)
{
	uint64_t replacements;
	int err = processes_follow(recorder->processes);

	replacements = symbolizer_replacements(recorder->parts.symbolizer);
	if (err || replacements == recorder->replacements || recorder->tick < recorder->turn_tick)
		return err;
	recorder->replacements = replacements;
	recorder->turn_tick = recorder->tick + TURN_TICKS;
	sampler_turn(recorder->parts.sampler);
	return 0;
}

/* @flush: a flush is to follow; @stopped: nothing new comes any more. */
static int tick(struct recorder *recorder, uint64_t number, bool flush, bool stopped)
{
	struct sampler_callbacks callbacks = callbacks_of(recorder);
	int err;

	recorder->tick = number;
	sampler_look_at_cpus(recorder->parts.sampler);
	err = follow(recorder);
	if (!err && recorder->waits)
		err = waits_fetch(recorder->waits, number, flush);
	if (!err)
		err = sampler_read_counts(recorder->parts.sampler, &callbacks);
	if (!err)
		err = recorder->failed;
	if (!err)
		err = sample_counts_write(&recorder->samples, stopped, recorder->tick, time_now(recorder));
	if (!err && recorder->copies)
		err = stack_copies_write(recorder->copies, time_now(recorder));
	if (!err && recorder->waits)
		err = waits_write(recorder->waits, stopped);
	if (!err)
		err = series_tick(recorder->series);
	if (!err && recorder->java_maps)
		err = java_maps_tick(recorder->java_maps, time_now(recorder));
	if (!err && !stopped)
		err = stacks_name_pending(recorder->stacks, recorder->processes, false);
	return err;
}

int recorder_tick(struct recorder *recorder, uint64_t number)
{
	return tick(recorder, number, false, false);
}

/* What is on disk, and whose time is over. 0 or -ENOMEM. */
static int forget(struct recorder *recorder)
{
	if (recorder->tick > IDLE_TICKS)
		processes_forget(recorder->processes, recorder->tick - IDLE_TICKS);
	owners_forget(recorder->owners);
	accounts_forget(&recorder->accounts, recorder->owners);
	symbolizer_trim(recorder->parts.symbolizer, OPEN_FILES_MAX);
	stacks_forget(recorder->stacks);
	if (recorder->tick < recorder->rare_tick)
		return 0;
	recorder->rare_tick = recorder->tick + RARE_TICKS;
	malloc_trim(0);
	return owners_look(recorder->owners);
}

static int flush(struct recorder *recorder, uint64_t number, bool stopped)
{
	struct tick_counters ticks;
	int err = sampler_ticks(recorder->parts.sampler, &ticks);

	if (!err)
		err = tick(recorder, number, true, stopped);
	if (!err && recorder->java_maps && stopped)
		err = java_maps_finish(recorder->java_maps);
	if (!err && stopped)
		err = stacks_name_pending(recorder->stacks, recorder->processes, true);
	if (!err)
		err = owners_refresh(recorder->owners);
	if (!err)
		err = accounts_write(&recorder->accounts, &ticks, stopped, recorder->parts.sampler, recorder->owners,
				     recorder->parts.writer);
	if (!err && recorder->waits)
		err = waits_flush(recorder->waits);
	if (!err && recorder->waits && stopped)
		err = waits_account(recorder->waits);
	if (!err && stopped)
		err = series_end(recorder->series);
	if (!err)
		err = series_flush(recorder->series);
	if (!err)
		err = recording_writer_flush(recorder->parts.writer);
	return err ? err : forget(recorder);
}

int recorder_flush(struct recorder *recorder, uint64_t number)
{
	return flush(recorder, number, false);
}

int recorder_finish(struct recorder *recorder)
{
	return flush(recorder, recorder->tick + 1, true);
}
