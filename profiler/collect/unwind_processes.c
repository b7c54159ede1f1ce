/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/unwind_processes.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/collect/count_set.h"
#include "profiler/collect/file_tenants.h"
#include "profiler/collect/map_changes.h"
#include "profiler/collect/number_ranges.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/text.h"

#define IDLE_SWEEPS 2		 /* a program may have copied a reference while it went away: at most once */
#define SWEEPS_PER_CENSUS 8	 /* between two looks at which processes still live */
#define READ_NS_MAX 500000000ull /* for opening the files of one process */
#define LIST_PART 16		 /* of the numbers that are free: the most that a list takes, */
#define LIST_MIN 128		 /* but for this many */

/* Of the list of mappings whose first number this is; slots is 0 for other numbers. */
struct list_state {
	uint16_t slots;
	uint16_t python; /* as struct walk_process has it */
	uint8_t idle;
	bool referenced;
};

struct unwind_processes {
	struct walk_maps *maps;
	struct unwind_tables *tables;
	struct memory_reader *memory;
	struct number_ranges numbers;
	struct list_state lists[WALK_MAPPINGS_MAX];
	struct walk_mapping list[WALK_PROCESS_MAPPINGS_MAX + 2]; /* the one being made */
	uint32_t list_count, list_max, list_cut;		 /* @list_cut had no place in it */
	struct map_changes changes;
	uint32_t tenant_tgid; /* whose @tenant is, until the next sweep; 0: nobody's */
	uint64_t tenant;
	bool mapped_files[WALK_FILES_MAX];
	uint64_t generation;
	uint64_t sweeps;
	bool census;
	struct unwind_processes_counts counts;
};

int unwind_processes_new(struct walk_maps *maps, struct unwind_tables *tables, struct unwind_processes **ret_processes)
{
	struct unwind_processes *processes = calloc(1, sizeof(*processes));

	if (!processes || number_ranges_init(&processes->numbers, WALK_MAPPINGS_MAX) ||
	    memory_reader_new(&processes->memory)) {
		unwind_processes_free(processes);
		return -ENOMEM;
	}
	processes->maps = maps;
	processes->tables = tables;
	*ret_processes = processes;
	return 0;
}

void unwind_processes_free(struct unwind_processes *processes)
{
	if (!processes)
		return;
	number_ranges_deinit(&processes->numbers);
	memory_reader_free(processes->memory);
	free(processes);
}

static void free_unreferenced(struct unwind_processes *processes);

static int take_numbers(struct unwind_processes *processes, uint32_t slots, uint32_t *ret_first)
{
	int err = number_ranges_take(&processes->numbers, slots, ret_first);

	if (err != -ENOSPC)
		return err;
	for (int i = 0; i < IDLE_SWEEPS; i++) {
		count_set_wait_for_programs();
		free_unreferenced(processes);
	}
	return number_ranges_take(&processes->numbers, slots, ret_first);
}

/* The first of an interpreter's mappings, numbered from 1 on; 0: none is known. */
static uint16_t python_among(const struct unwind_processes *processes, const struct walk_mapping *list, uint32_t count)
{
	const struct walk_file *files = processes->maps->files->at;

	for (uint32_t i = 0; i < count; i++)
		if (list[i].kind == WALK_FILE && files[list[i].file & (WALK_FILES_MAX - 1)].python_version)
			return (uint16_t)(i + 1);
	return 0;
}

/* Makes the list at hand the process's. */
static int publish(struct unwind_processes *processes, uint32_t tgid)
{
	struct walk_process process = {
		.count = (uint16_t)processes->list_count,
		.python = python_among(processes, processes->list, processes->list_count),
		.generation = ++processes->generation,
	};
	struct walk_mapping *mappings = processes->maps->mappings->at;
	uint32_t slots = processes->list_count + 1;
	int err = take_numbers(processes, slots, &process.first);

	map_changes_made(&processes->changes, tgid, slots);
	if (processes->list_cut > processes->counts.cut)
		processes->counts.cut = processes->list_cut;
	if (!err) {
		memcpy(&mappings[process.first + 1], processes->list, process.count * sizeof(*mappings));
		mappings[process.first] = (struct walk_mapping){.start = process.generation, .end = process.generation};
		processes->lists[process.first] =
			(struct list_state){.slots = (uint16_t)slots, .python = process.python};
		err = walk_maps_set_process(processes->maps, tgid, &process);
	}
	/* What the kernel still has of it is of another time. */
	if (err) {
		walk_maps_forget_process(processes->maps, tgid);
		processes->counts.no_room++;
	}
	return err == -E2BIG ? -ENOSPC : err;
}

/* Containers that map their code in pieces leave room for the others. */
static void start_list(struct unwind_processes *processes)
{
	uint32_t most = processes->numbers.free_count / LIST_PART;

	most = most > LIST_MIN ? most : LIST_MIN;
	processes->list_max = most < WALK_PROCESS_MAPPINGS_MAX ? most : WALK_PROCESS_MAPPINGS_MAX;
	processes->list_count = processes->list_cut = 0;
}

static void add(struct unwind_processes *processes, const struct walk_mapping *mapping)
{
	struct walk_mapping *last = &processes->list[processes->list_count];

	if (processes->list_count && mapping->kind == WALK_JIT && last[-1].kind == WALK_JIT &&
	    last[-1].end == mapping->start) {
		last[-1].end = mapping->end;
		return;
	}
	if (processes->list_count < processes->list_max) {
		*last = *mapping;
		processes->list_count++;
	} else {
		processes->list_cut++;
	}
}

static uint64_t tenant_of(struct unwind_processes *processes, uint32_t tgid)
{
	if (processes->tenant_tgid != tgid) {
		processes->tenant = file_tenants_number("", tgid);
		processes->tenant_tgid = tgid;
	}
	return processes->tenant;
}

/* False for mappings in which no frame can lie, or whose file is gone. @file: its number, or UNWIND_NO_FILE. */
static bool resolve(struct unwind_processes *processes, uint32_t tgid, const struct unwind_mapping *mapping,
		    uint32_t file, struct walk_mapping *ret)
{
	struct unwind_identity identity;
	int path_fd = -1;

	*ret = (struct walk_mapping){.start = mapping->start, .end = mapping->end, .kind = WALK_FILE};
	switch (mapping->kind) {
	case UNWIND_MAPPING_JIT:
		ret->kind = WALK_JIT;
		return true;
	case UNWIND_MAPPING_VDSO:
		ret->bias = mapping->start;
		ret->file = unwind_tables_file(processes->tables, NULL, -1, (struct unwind_mapper){0});
		return ret->file != UNWIND_NO_FILE;
	case UNWIND_MAPPING_FILE:
		ret->bias = mapping->start - mapping->offset;
		ret->file = file;
		if (file != UNWIND_NO_FILE)
			return true;
		if (unwind_files_open(processes->memory, tenant_of(processes, tgid), (pid_t)tgid, mapping->start,
				      mapping->end, &path_fd, &identity)) {
			processes->counts.gone++;
			return false;
		}
		ret->file = unwind_tables_file(processes->tables, &identity, path_fd,
					       (struct unwind_mapper){(pid_t)tgid, tenant_of(processes, tgid)});
		return ret->file != UNWIND_NO_FILE;
	case UNWIND_MAPPING_OTHER:
		break;
	}
	return false;
}

int unwind_processes_read(struct unwind_processes *processes, uint32_t tgid)
{
	struct unwind_mapping_array mappings = {0};
	struct walk_mapping mapping = {.kind = WALK_JIT};
	uint64_t until = clock_now_ns() + READ_NS_MAX;
	int err = unwind_files_mappings(processes->memory, tenant_of(processes, tgid), (pid_t)tgid, &mappings);

	start_list(processes);
	for (size_t i = 0; i < mappings.list.count && !err; i++) {
		const struct unwind_mapping *one = &mappings.list.items[i];
		uint32_t file = one->same_file && mapping.kind == WALK_FILE ? mapping.file : UNWIND_NO_FILE;

		/* What has no place anyway is not opened: it may be a hundred thousand files. */
		if (processes->list_count == processes->list_max || clock_now_ns() > until) {
			processes->list_cut++;
			continue;
		}
		if (resolve(processes, tgid, one, file, &mapping))
			add(processes, &mapping);
		else
			mapping.kind = WALK_JIT;
	}
	array_deinit(&mappings.list);
	processes->counts.read++;
	return err ? err : publish(processes, tgid);
}

static void want_files(struct unwind_processes *processes)
{
	for (uint32_t i = 0; i < processes->list_count; i++)
		if (processes->list[i].kind == WALK_FILE)
			unwind_tables_want(processes->tables, processes->list[i].file);
}

void unwind_processes_read_all(struct unwind_processes *processes)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct walk_process process = {0};
	struct dirent *entry;
	uint64_t pid;

	while (dir && (entry = readdir(dir)))
		if (text_to_u64(entry->d_name, 10, &pid) && pid <= INT32_MAX &&
		    !walk_maps_process(processes->maps, (uint32_t)pid, &process) &&
		    !unwind_processes_read(processes, (uint32_t)pid) && unwind_files_is_busy((pid_t)pid))
			want_files(processes);
}

/* The process's mappings of now, as far as they lie outside of [start, end); the new one among them. */
static void merge(struct unwind_processes *processes, const struct walk_process *process,
		  const struct walk_mapping *mapping)
{
	const struct walk_mapping *old = &processes->maps->mappings->at[process->first + 1];
	bool added = false;

	start_list(processes);
	for (uint32_t i = 0; i < process->count; i++) {
		struct walk_mapping before = old[i], after = old[i];

		before.end = before.end < mapping->start ? before.end : mapping->start;
		after.start = after.start > mapping->end ? after.start : mapping->end;
		if (before.start < before.end)
			add(processes, &before);
		if (!added && old[i].end > mapping->start) {
			add(processes, mapping);
			added = true;
		}
		if (after.start < after.end)
			add(processes, &after);
	}
	if (!added)
		add(processes, mapping);
}

static bool is_known(const struct unwind_processes *processes, const struct walk_process *process,
		     const struct walk_mapping *mapping)
{
	const struct walk_mapping *old = &processes->maps->mappings->at[process->first + 1];

	for (uint32_t i = 0; i < process->count; i++)
		if (old[i].start <= mapping->start && old[i].end >= mapping->end)
			return old[i].kind == mapping->kind && old[i].file == mapping->file &&
			       old[i].bias == mapping->bias;
	return false;
}

int unwind_processes_map(struct unwind_processes *processes, uint32_t tgid, const struct unwind_mapping *mapping)
{
	struct walk_process process = {0};
	struct walk_mapping resolved;
	bool known = walk_maps_process(processes->maps, tgid, &process);

	if (!map_changes_at_once(&processes->changes, tgid) ||
	    !resolve(processes, tgid, mapping, UNWIND_NO_FILE, &resolved) ||
	    (known && is_known(processes, &process, &resolved)))
		return 0;
	merge(processes, &process, &resolved);
	processes->counts.changed++;
	return publish(processes, tgid);
}

void unwind_processes_exec(struct unwind_processes *processes, uint32_t tgid)
{
	walk_maps_forget_process(processes->maps, tgid);
	map_changes_forget(&processes->changes, tgid);
}

static void mark_python(void *data, uint32_t tgid, const struct walk_process *process)
{
	struct unwind_processes *processes = data;
	struct walk_process marked = *process;

	marked.python = processes->lists[process->first & (WALK_MAPPINGS_MAX - 1)].python;
	if (marked.python != process->python)
		walk_maps_set_process(processes->maps, tgid, &marked);
}

void unwind_processes_find_python(struct unwind_processes *processes)
{
	for (uint32_t first = 0; first < WALK_MAPPINGS_MAX; first++) {
		struct list_state *list = &processes->lists[first];

		if (list->slots && !list->python)
			list->python =
				python_among(processes, &processes->maps->mappings->at[first + 1], list->slots - 1u);
	}
	walk_maps_each_process(processes->maps, mark_python, processes);
}

static void mark(void *data, uint32_t tgid, const struct walk_process *process)
{
	struct unwind_processes *processes = data;

	if (processes->census && kill((pid_t)tgid, 0) && errno == ESRCH) {
		walk_maps_forget_process(processes->maps, tgid);
		return;
	}
	processes->lists[process->first & (WALK_MAPPINGS_MAX - 1)].referenced = true;
	/* One that was forked while its parent was marked. */
	mark_python(data, tgid, process);
}

static void mark_files(struct unwind_processes *processes, uint32_t first)
{
	const struct walk_mapping *mappings = &processes->maps->mappings->at[first + 1];

	for (uint32_t i = 0; i + 1 < processes->lists[first].slots; i++)
		if (mappings[i].kind == WALK_FILE)
			processes->mapped_files[mappings[i].file] = true;
}

static void free_unreferenced(struct unwind_processes *processes)
{
	memset(processes->mapped_files, 0, sizeof(processes->mapped_files));
	processes->census = ++processes->sweeps % SWEEPS_PER_CENSUS == 0;
	walk_maps_each_process(processes->maps, mark, processes);
	for (uint32_t first = 0; first < WALK_MAPPINGS_MAX; first++) {
		struct list_state *list = &processes->lists[first];

		if (!list->slots)
			continue;
		list->idle = list->referenced ? 0 : list->idle + 1;
		list->referenced = false;
		if (list->idle < IDLE_SWEEPS) {
			mark_files(processes, first);
			continue;
		}
		processes->maps->mappings->at[first].start = 0;
		number_ranges_give(&processes->numbers, first, list->slots);
		list->slots = 0;
	}
	unwind_tables_sweep(processes->tables, processes->mapped_files);
}

static void read_late(void *data, uint32_t tgid)
{
	struct unwind_processes *processes = data;

	unwind_processes_read(processes, tgid);
}

void unwind_processes_sweep(struct unwind_processes *processes)
{
	processes->tenant_tgid = 0;
	free_unreferenced(processes);
	map_changes_sweep(&processes->changes, read_late, processes);
}

struct unwind_processes_counts unwind_processes_counts(const struct unwind_processes *processes)
{
	return processes->counts;
}
