/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/partition_point.h"

#define THREADS_MAX 131072
#define LATE_LOOKS_MAX 8
#define REFRESH_PART 10 /* reading one process takes no more than 1 / this of the time, with whatever is found */
/* In one call of processes_follow(), on the thread that empties the rings: the next one goes on. */
#define FOLLOW_NS 100000000ull

struct known_thread {
	uint32_t process, tid;
	string_id comm;
	uint32_t row;
};

struct processes {
	struct symbolizer *symbolizer;
	struct recording_writer *writer;
	struct sampler *sampler;
	struct new_mappings *mappings; /* may be NULL */
	ARRAY(struct process *) list;
	uint32_t follow_row; /* the first whose turn it is in processes_follow() */
	struct hash_index index;
	struct hash_index newest; /* by pid; while some are being forgotten */
	ARRAY(struct known_thread) threads;
	struct hash_index thread_index;
};

int processes_new(struct symbolizer *symbolizer, struct recording_writer *writer, struct sampler *sampler,
		  struct new_mappings *mappings, struct processes **ret_processes)
{
	struct processes *processes = calloc(1, sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	processes->symbolizer = symbolizer;
	processes->writer = writer;
	processes->sampler = sampler;
	processes->mappings = mappings;
	*ret_processes = processes;
	return 0;
}

static void free_process(struct processes *processes, struct process *process)
{
	if (!process)
		return;
	if (process->followed)
		new_mappings_unfollow(processes->mappings, process->tgid);
	for (size_t i = 0; i < process->pins; i++)
		symbolizer_process_free(process->before[i]);
	symbolizer_process_free(process->snapshot);
	free(process);
}

void processes_free(struct processes *processes)
{
	if (!processes)
		return;
	for (size_t i = 0; i < processes->list.count; i++)
		free_process(processes, processes->list.items[i]);
	array_deinit(&processes->list);
	hash_index_deinit(&processes->index);
	hash_index_deinit(&processes->newest);
	array_deinit(&processes->threads);
	hash_index_deinit(&processes->thread_index);
	free(processes);
}

static uint64_t hash_of(uint32_t tgid, uint32_t exec_generation, uint64_t start_ns)
{
	return hash_words((uint64_t)tgid << 32 | exec_generation, start_ns);
}

/* Of the main thread, whichever was sampled; of one that is gone by now, the sample's. Returns its length. */
static size_t main_comm(const struct stack_event *event, char comm[COMM_BYTES])
{
	char path[32];
	FILE *file = NULL;
	size_t length = 0;

	if (event->tid != event->tgid) {
		snprintf(path, sizeof(path), "/proc/%u/comm", event->tgid);
		file = fopen(path, "re");
	}
	if (file) {
		length = fread(comm, 1, COMM_BYTES, file);
		fclose(file);
	}
	/* It ends in a newline. */
	if (length > 1)
		return length - 1;
	memcpy(comm, event->comm, COMM_BYTES);
	return strnlen(comm, COMM_BYTES);
}

static int add_row(struct processes *processes, const struct stack_event *event, uint32_t *ret_row)
{
	struct recording_process row = {
		.tgid = event->tgid,
		.ns_tgid = event->ns_tgid,
		.pid_namespace = event->pid_namespace,
		.start_ns = event->process_start_ns,
		.exec_generation = event->exec_generation,
	};
	char comm[COMM_BYTES], link[32], exe[4096];
	ssize_t length;

	if (recording_writer_passing(processes->writer, comm, main_comm(event, comm), &row.comm))
		return -ENOMEM;
	snprintf(link, sizeof(link), "/proc/%u/exe", event->tgid);
	length = event->flags & STACK_KERNEL_THREAD ? 0 : readlink(link, exe, sizeof(exe));
	if (length > 0 && recording_writer_passing(processes->writer, exe, (size_t)length, &row.exe))
		return -ENOMEM;
	return recording_writer_process(processes->writer, &row, ret_row);
}

static int pin(struct processes *processes, const struct stack_event *event, uint32_t container,
	       struct process *process, struct symbolizer_process **ret_snapshot)
{
	struct process_identity identity = {
		.pid = (pid_t)event->tgid,
		.ns_pid = event->ns_tgid,
		.start_ns = event->process_start_ns,
		.address_space = event->address_space,
		.tenant = container,
	};
	int err = 0;

	if (event->flags & STACK_KERNEL_THREAD)
		return 0;
	/* Before it is read: nothing that comes after that is missed. */
	if (processes->mappings && !process->followed) {
		err = new_mappings_follow(processes->mappings, process->tgid);
		process->followed = !err;
	}
	if (!err)
		err = symbolizer_process_new(processes->symbolizer, &identity, ret_snapshot);
	if (!err)
		sampler_seen(processes->sampler, event->tgid, event->exec_generation,
			     process_image(event->process_start_ns, event->address_space));
	return err;
}

static int add(struct processes *processes, const struct stack_event *event, uint32_t container, uint64_t hash,
	       struct process **ret_process)
{
	struct process *process = calloc(1, sizeof(*process));
	int err;

	if (!process)
		return -ENOMEM;
	process->tgid = event->tgid;
	process->exec_generation = event->exec_generation;
	process->start_ns = event->process_start_ns;
	process->address_space = event->address_space;
	err = pin(processes, event, container, process, &process->snapshot);
	if (!err)
		err = add_row(processes, event, &process->row);
	if (!err && (array_reserve(&processes->list, 1) ||
		     hash_index_insert(&processes->index, hash, (uint32_t)processes->list.count)))
		err = -ENOMEM;
	if (err) {
		free_process(processes, process);
		return err;
	}
	*array_add(&processes->list) = process;
	*ret_process = process;
	return 0;
}

/*
 * A process that was first sampled within execve(2) had a stack that still moved, and was looked for in vain. Without
 * an end to it, one that moves its stack all the time (prctl(2), PR_SET_MM_MAP) would keep us busy.
 */
static int pin_again(struct processes *processes, const struct stack_event *event, uint32_t container,
		     struct process *process)
{
	struct symbolizer_process *fresh = NULL;
	int err;

	if (!event->address_space || event->address_space == process->address_space ||
	    process->pins >= PROCESS_PINS_MAX)
		return 0;
	process->address_space = event->address_space;
	err = pin(processes, event, container, process, &fresh);
	if (err)
		return err;
	/* Its frames may be waiting for their names right now (recorder.c's while_naming()). */
	process->before[process->pins++] = process->snapshot;
	process->snapshot = fresh;
	process->refresh_after_ns = process->refresh_wait_ns = 0;
	return 0;
}

int processes_find(struct processes *processes, const struct stack_event *event, uint32_t container, uint64_t tick,
		   struct process **ret_process)
{
	uint64_t hash = hash_of(event->tgid, event->exec_generation, event->process_start_ns);
	uint32_t number;
	int err;

	for (size_t at = hash_index_first(&processes->index, hash);
	     hash_index_next(&processes->index, hash, &at, &number);) {
		struct process *process = processes->list.items[number];

		if (process->tgid == event->tgid && process->exec_generation == event->exec_generation &&
		    process->start_ns == event->process_start_ns) {
			err = pin_again(processes, event, container, process);
			if (err)
				return err;
			process->seen = tick;
			*ret_process = process;
			return 0;
		}
	}
	err = add(processes, event, container, hash, ret_process);
	if (!err)
		(*ret_process)->seen = tick;
	return err;
}

static bool maps_all(const struct process *process, const uint64_t *user, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!symbolizer_process_maps(process->snapshot, user[i]))
			return false;
	return true;
}

/* Reading it has taken @took_ns. What is in vain is done less and less often. */
static void back_off(uint64_t *after_ns, uint64_t *wait_ns, bool in_vain, uint64_t took_ns, uint64_t now_ns)
{
	uint64_t least_ns = REFRESH_PART * took_ns;

	if (!*wait_ns || !in_vain)
		*wait_ns = REFRESH_WAIT_MIN_NS;
	else if (*wait_ns < REFRESH_WAIT_MAX_NS)
		*wait_ns *= 2;
	least_ns = least_ns > *wait_ns ? least_ns : *wait_ns;
	*after_ns = now_ns + (least_ns < REFRESH_WAIT_MAX_NS ? least_ns : REFRESH_WAIT_MAX_NS);
}

/*
 * An address outside the snapshot: a library or code made since, or a frame pointer that was none. The first comes in
 * bursts while a program starts and is worth looking at once; the second goes on for ever and must cost little.
 */
int processes_refresh(struct process *process, const uint64_t *user, size_t count, uint64_t now_ns)
{
	uint64_t began_ns, took_ns;
	int err;

	if (!process->snapshot || maps_all(process, user, count) || now_ns < process->refresh_after_ns)
		return 0;
	began_ns = clock_now_ns();
	err = symbolizer_process_refresh(process->snapshot);
	took_ns = clock_now_ns() - began_ns;
	back_off(&process->refresh_after_ns, &process->refresh_wait_ns, !maps_all(process, user, count), took_ns,
		 now_ns);
	return err == -ENOMEM ? err : 0;
}

int processes_look_late(struct process *process, const uint64_t *user, size_t count, uint64_t tick)
{
	if (!process->snapshot || process->late_looks >= LATE_LOOKS_MAX || process->late_look_tick > tick ||
	    maps_all(process, user, count))
		return 0;
	process->late_look_tick = tick + 1;
	process->late_looks++;
	if (symbolizer_process_refresh(process->snapshot) == -ENOMEM)
		return -ENOMEM;
	if (maps_all(process, user, count))
		process->late_looks = 0;
	return 0;
}

static void note_new(struct process *process, const struct new_mapping *list, size_t count)
{
	size_t first = partition_point(i, count, list[i].tgid < process->tgid);

	for (size_t i = first; i < count && list[i].tgid == process->tgid && !process->remapped; i++)
		process->remapped = symbolizer_process_replaced_by(process->snapshot, list[i].start, list[i].end,
								   list[i].time_ns, list[i].anonymous);
}

static int follow(struct process *process)
{
	uint32_t before = symbolizer_process_generation(process->snapshot);
	uint64_t began_ns = clock_now_ns(), now_ns;
	int err = symbolizer_process_refresh(process->snapshot);

	now_ns = clock_now_ns();
	back_off(&process->follow_after_ns, &process->follow_wait_ns,
		 symbolizer_process_generation(process->snapshot) == before, now_ns - began_ns, now_ns);
	/* What could not be read now is tried again. */
	process->remapped = err && err != -ESRCH;
	return err == -ENOMEM ? err : 0;
}

/* From @first on, and around. */
static int follow_remapped(struct processes *processes, size_t first, uint64_t now_ns)
{
	size_t count = processes->list.count;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		struct process *process = processes->list.items[(first + i) % count];

		if (!process->remapped || process->follow_after_ns > now_ns)
			continue;
		/* Whoever had no turn is the first to have it. */
		processes->follow_row = process->row;
		if (clock_now_ns() - now_ns >= FOLLOW_NS)
			return 0;
		err = follow(process);
	}
	return err;
}

int processes_follow(struct processes *processes)
{
	const struct new_mapping *list;
	size_t count, first;
	int err;

	if (!processes->mappings)
		return 0;
	err = new_mappings_take(processes->mappings, &list, &count);
	if (err)
		return err;
	for (size_t i = 0; i < processes->list.count; i++)
		if (processes->list.items[i]->snapshot)
			note_new(processes->list.items[i], list, count);
	first = partition_point(i, processes->list.count, processes->list.items[i]->row < processes->follow_row);
	return follow_remapped(processes, first, clock_now_ns());
}

static uint64_t thread_hash(uint32_t process, uint32_t tid, string_id comm)
{
	return hash_words((uint64_t)process << 32 | tid, comm);
}

static void forget_threads(struct processes *processes)
{
	processes->threads.count = 0;
	hash_index_clear(&processes->thread_index);
}

int processes_thread(struct processes *processes, const struct process *process, const struct stack_event *event,
		     uint32_t *ret_row)
{
	struct recording_thread row = {.process = process->row, .tid = event->tid};
	struct known_thread *added;
	uint32_t number;
	uint64_t hash;

	if (recording_writer_passing(processes->writer, event->comm, strnlen(event->comm, COMM_BYTES), &row.comm))
		return -ENOMEM;
	hash = thread_hash(row.process, row.tid, row.comm);
	for (size_t at = hash_index_first(&processes->thread_index, hash);
	     hash_index_next(&processes->thread_index, hash, &at, &number);) {
		const struct known_thread *thread = &processes->threads.items[number];

		if (thread->process == row.process && thread->tid == row.tid && thread->comm == row.comm) {
			*ret_row = thread->row;
			return 0;
		}
	}
	/* A forgotten thread that comes again is a second row of the same thread: larger, not wrong. */
	if (processes->threads.count >= THREADS_MAX)
		forget_threads(processes);
	if (array_reserve(&processes->threads, 1) ||
	    hash_index_insert(&processes->thread_index, hash, (uint32_t)processes->threads.count) ||
	    recording_writer_thread(processes->writer, &row, ret_row))
		return -ENOMEM;
	added = array_add(&processes->threads);
	*added = (struct known_thread){row.process, row.tid, row.comm, *ret_row};
	return 0;
}

/* Whether @a has the pid that @b had: a later process, or a later program of the same one. */
static bool comes_after(const struct process *a, const struct process *b)
{
	if (a->tgid != b->tgid || a->start_ns != b->start_ns)
		return a->tgid == b->tgid && a->start_ns > b->start_ns;
	return (int32_t)(a->exec_generation - b->exec_generation) > 0;
}

/* NULL: it is the newest of its pid. */
static const struct process *later_than(const struct processes *processes, const struct process *process, uint64_t hash)
{
	uint32_t number;

	for (size_t at = hash_index_first(&processes->newest, hash);
	     hash_index_next(&processes->newest, hash, &at, &number);)
		if (comes_after(processes->list.items[number], process))
			return processes->list.items[number];
	return NULL;
}

/* From the end, where the newest are: of each pid few come into the index. Without memory for it, old ones stay. */
static void find_replaced(struct processes *processes)
{
	size_t count = processes->list.count;

	hash_index_clear(&processes->newest);
	for (size_t i = count; i > 0; i--) {
		uint64_t hash = hash_words(processes->list.items[i - 1]->tgid, 0);

		if (!later_than(processes, processes->list.items[i - 1], hash))
			hash_index_insert(&processes->newest, hash, (uint32_t)(i - 1));
	}
	for (size_t i = 0; i < count; i++) {
		struct process *process = processes->list.items[i];

		const struct process *later = later_than(processes, process, hash_words(process->tgid, 0));

		process->replaced = later;
		process->seen_is_anothers = later && later->exec_generation == process->exec_generation;
	}
}

bool processes_has_ended(const struct process *process)
{
	return process->replaced || (kill((pid_t)process->tgid, 0) && errno == ESRCH);
}

/* Rows are given in the order of the list. */
struct process *processes_find_row(struct processes *processes, uint32_t row)
{
	size_t at = partition_point(i, processes->list.count, processes->list.items[i]->row < row);

	return at < processes->list.count && processes->list.items[at]->row == row ? processes->list.items[at] : NULL;
}

static void forget_threads_of_gone(struct processes *processes)
{
	size_t kept = 0;

	for (size_t i = 0; i < processes->threads.count; i++)
		if (processes_find_row(processes, processes->threads.items[i].process))
			processes->threads.items[kept++] = processes->threads.items[i];
	forget_threads(processes);
	processes->threads.count = kept;
	/* Fewer than before: the index does not grow and cannot fail. */
	for (size_t i = 0; i < kept; i++) {
		const struct known_thread *thread = &processes->threads.items[i];

		hash_index_insert(&processes->thread_index, thread_hash(thread->process, thread->tid, thread->comm),
				  (uint32_t)i);
	}
}

void processes_forget(struct processes *processes, uint64_t before)
{
	size_t kept = 0;

	find_replaced(processes);
	for (size_t i = 0; i < processes->list.count; i++) {
		struct process *process = processes->list.items[i];

		if (process->seen >= before || !processes_has_ended(process)) {
			processes->list.items[kept++] = process;
			continue;
		}
		if (!process->seen_is_anothers)
			sampler_unseen(processes->sampler, process->tgid, process->exec_generation);
		free_process(processes, process);
	}
	if (kept == processes->list.count)
		return;
	processes->list.count = kept;
	hash_index_clear(&processes->index);
	/* As many as before or fewer: the index does not grow and cannot fail. */
	for (size_t i = 0; i < kept; i++) {
		const struct process *process = processes->list.items[i];

		hash_index_insert(&processes->index,
				  hash_of(process->tgid, process->exec_generation, process->start_ns), (uint32_t)i);
	}
	forget_threads_of_gone(processes);
}

size_t processes_count(const struct processes *processes)
{
	return processes->list.count;
}

struct process *processes_at(struct processes *processes, size_t number)
{
	return processes->list.items[number];
}
