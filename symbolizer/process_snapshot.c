/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/partition_point.h"
#include "symbolizer/process_files.h"
#include "symbolizer/symbolizer_private.h"

/* What was unmapped has names for the samples that are still to be named; no process grows for ever by it. */
#define OLD_MAPPINGS_MAX 512
/*
 * What processes map, with the names of it. 65,536 pieces of one file fit into the first. Of all, a tenant may have half of
 * what the others leave, so that whoever comes first does not keep it all: it gives some up as its processes are read again.
 * That never comes to more than all; each tenant is sure of its least besides, so it may be that much more for each tenant.
 */
#define PROCESS_BYTES_MAX (8ull << 20)
#define TENANT_BYTES_MIN (256ull << 10) /* some twenty usual processes */
#define ALL_BYTES_MAX (256ull << 20)
/* What it takes to read a process like any other: whoever starts many does not pay for it. */
#define READ_FREE_NS 1000000ull
#define PIN_NS_MAX 500000000ull /* for the files of one process */
/* A map that was not there is looked for again after an eighth of the process's age: runtimes begin it as they begin. */
#define MAP_WAIT_MIN_NS 100000000ull
#define MAP_WAIT_MAX_NS 60000000000ull
#define MAP_WAIT_PART 8

/* The first of [count] sorted mappings that ends above an address, or @count. */
static size_t first_above(const struct mapping_array *mappings, size_t count, uint64_t address)
{
	return partition_point(i, count, mappings->list.items[i].end <= address);
}

/* The same line was there before, so the file behind it is pinned already: a refresh opens only what is new. */
static const struct mapping *known_line(const struct mapping_array *old, const struct mapping *mapping)
{
	size_t at = first_above(old, old->list.count, mapping->start);
	const struct mapping *known = &old->list.items[at];

	if (at == old->list.count || known->start != mapping->start || known->end != mapping->end ||
	    known->offset != mapping->offset || known->inode != mapping->inode || known->device != mapping->device ||
	    known->path != mapping->path)
		return NULL;
	return known;
}

/* A runtime maps a page of its jit-PID.dump as code, to be found by that (the jitdump specification, "marker"). */
static void pin_jitdump(struct symbolizer_process *process, const struct mapping *mapping, int path_fd,
			const struct stat *status)
{
	const char *name = string_table_text(&process->symbolizer->strings, mapping->name);
	unsigned int pid;
	int end = 0, fd;

	if (process->jitdump.fd >= 0 || sscanf(name, "jit-%u.dump%n", &pid, &end) != 1 || !end || name[end])
		return;
	if (pid != process->identity.ns_pid && pid != (unsigned int)process->identity.pid)
		return;
	fd = S_ISREG(status->st_mode) ? fcntl(path_fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd >= 0)
		parser_source_init(&process->jitdump, PARSER_JITDUMP, fd);
}

static bool may_be_file(const struct symbolizer_process *process, const struct mapping *mapping)
{
	const char *path = string_table_text(&process->symbolizer->strings, mapping->path);

	return mapping->kind == MAPPING_FILE || (mapping->kind == MAPPING_JIT && !strncmp(path, "/memfd:", 7));
}

/* Mappings whose files are opened in one question. */
struct batch {
	struct memory_file files[MEMORY_READER_FILES_MAX];
	struct mapping *mappings[MEMORY_READER_FILES_MAX];
	size_t count;
};

/* Finds a file that is pinned already, or puts the mapping into the batch. */
static void find_or_want(struct symbolizer_process *process, struct mapping *mapping, const struct mapping *before,
			 struct batch *batch)
{
	const struct mapping *known = known_line(&process->mappings, mapping);

	if (mapping->kind == MAPPING_VDSO)
		mapping->file = process->symbolizer->vdso;
	else if (known && known->file && known->file->state == PINNED_OPEN)
		mapping->file = known->file;
	else if (before && before->file && before->file->state == PINNED_OPEN &&
		 process_maps_same_file(before, mapping))
		mapping->file = before->file;
	/* The process may have another root by now. */
	if (mapping->file && mapping->kind != MAPPING_VDSO)
		file_cache_note_root(mapping->file, process->root);
	if (mapping->file || !may_be_file(process, mapping))
		return;
	mapping->crowded = process->tenant->open_files + batch->count >= TENANT_OPEN_FILES_MAX;
	if (mapping->crowded) {
		/* It may have names from when it was open. */
		mapping->file = known ? known->file : NULL;
		return;
	}
	batch->files[batch->count] = (struct memory_file){.start = mapping->file_start, .end = mapping->file_end};
	batch->mappings[batch->count++] = mapping;
}

/* A file that cannot be pinned leaves the mapping without one: its frames then say so. */
static int pin_one(struct symbolizer_process *process, struct mapping *mapping, const struct memory_file *file)
{
	_cleanup_close_ int fd = file->error ? -1 : file->path_fd;
	int err;

	/* That passes: it is tried again. */
	mapping->crowded = file->error == -EMFILE || file->error == -ENFILE;
	if (fd < 0)
		return 0;
	err = file_cache_pin(process->symbolizer->files, fd, &file->status, &process->tenant->open_files,
			     &mapping->file);
	if (err == -ENOMEM)
		return err;
	if (!err)
		file_cache_note_root(mapping->file, process->root);
	pin_jitdump(process, mapping, fd, &file->status);
	return 0;
}

static int pin_batch(struct symbolizer_process *process, pid_t pid, struct batch *batch)
{
	int err = memory_reader_files(process->symbolizer->memory, process->identity.tenant, pid, batch->files,
				      batch->count);

	if (err)
		return err;
	for (size_t i = 0; i < batch->count; i++) {
		int pin_err = pin_one(process, batch->mappings[i], &batch->files[i]);

		err = err ? err : pin_err;
	}
	batch->count = 0;
	return err;
}

static int pin_files(struct symbolizer_process *process, pid_t pid, struct mapping_array *mappings)
{
	uint64_t until = clock_now_ns() + PIN_NS_MAX;
	struct batch batch = {.count = 0};
	int err = 0;

	for (size_t i = 0; i < mappings->list.count && !err && clock_now_ns() < until; i++) {
		struct mapping *mapping = &mappings->list.items[i], *before = i ? mapping - 1 : NULL;
		bool same = before && process_maps_same_file(before, mapping);

		/* Another piece of a file that is about to be opened. */
		if (batch.count == MEMORY_READER_FILES_MAX || (batch.count && same))
			err = pin_batch(process, pid, &batch);
		if (!err)
			find_or_want(process, mapping, before, &batch);
	}
	return err ? err : pin_batch(process, pid, &batch);
}

static int by_start(const void *left, const void *right)
{
	const struct mapping *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* Are addresses that both hold called the same? Code that was made at run time has its names from a map, by time. */
static bool same_code(const struct mapping *a, const struct mapping *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind != MAPPING_FILE)
		return a->file == b->file && a->name == b->name;
	if (a->start - a->offset != b->start - b->offset)
		return false;
	return a->file && b->file ? a->file == b->file : process_maps_same_file(a, b);
}

/* Of what lies where an old mapping was, from @at on, is there anything else than it? */
static bool is_replaced(const struct mapping *old, const struct mapping_array *fresh, size_t at, size_t count)
{
	for (; at < count && fresh->list.items[at].start < old->end; at++)
		if (!same_code(old, &fresh->list.items[at]))
			return true;
	return false;
}

/* What was unmapped since may have been sampled before: it stays unless something new lies there. */
static int keep_old(struct symbolizer_process *process, struct mapping_array *fresh, bool gone, size_t count,
		    bool *replaced)
{
	const struct mapping_array *old = &process->mappings;

	for (size_t i = 0; i < old->list.count; i++) {
		const struct mapping *mapping = &old->list.items[i];
		size_t at = first_above(fresh, count, mapping->start);
		struct mapping *kept;

		if (mapping->gone != gone)
			continue;
		if (at < count && fresh->list.items[at].start < mapping->end) {
			*replaced |= is_replaced(mapping, fresh, at, count);
			continue;
		}
		if (fresh->list.count >= count + OLD_MAPPINGS_MAX || fresh->bytes >= fresh->bytes_max)
			continue;
		kept = array_add(&fresh->list);
		if (!kept)
			return -ENOMEM;
		*kept = *mapping;
		kept->gone = true;
		fresh->bytes += process_maps_bytes(&process->symbolizer->strings, kept, NULL);
	}
	return 0;
}

/* Those that went last come first. */
static int keep_all_old(struct symbolizer_process *process, struct mapping_array *fresh, bool *ret_replaced)
{
	size_t count = fresh->list.count;
	bool replaced = false;
	int err = keep_old(process, fresh, false, count, &replaced);

	if (!err)
		err = keep_old(process, fresh, true, count, &replaced);
	if (err)
		return err;
	if (fresh->list.count > count)
		qsort(fresh->list.items, fresh->list.count, sizeof(struct mapping), by_start);
	*ret_replaced = replaced;
	return 0;
}

static bool has_jit(const struct symbolizer_process *process)
{
	for (size_t i = 0; i < process->mappings.list.count; i++)
		if (process->mappings.list.items[i].kind == MAPPING_JIT)
			return true;
	return false;
}

static void take_perf_map(struct symbolizer_process *process, bool wait)
{
	struct path_lookup_answer answer;
	int err;

	if (!path_lookup_under_way(&process->perf_map_lookup))
		return;
	err = path_lookup_take(parser_worker(process->symbolizer->parser), &process->tenant->lookups,
			       &process->perf_map_lookup, wait, &answer);
	if (err == -EINPROGRESS)
		return;
	process->perf_map_error = err ? err : answer.error;
	if (!process->perf_map_error)
		parser_source_init(&process->perf_map, PARSER_PERF_MAP, answer.fd);
}

static uint64_t map_wait_ns(const struct symbolizer_process *process)
{
	uint64_t wait_ns = (clock_read_ns(CLOCK_BOOTTIME) - process->identity.start_ns) / MAP_WAIT_PART;

	if (wait_ns < MAP_WAIT_MIN_NS)
		return MAP_WAIT_MIN_NS;
	return wait_ns < MAP_WAIT_MAX_NS ? wait_ns : MAP_WAIT_MAX_NS;
}

static void look_for_perf_map(struct symbolizer_process *process)
{
	int err;

	if (process->perf_map.fd >= 0 || path_lookup_under_way(&process->perf_map_lookup) || !has_jit(process))
		return;
	err = path_lookup_perf_map(parser_worker(process->symbolizer->parser), &process->tenant->lookups,
				   &process->identity, &process->perf_map_lookup);
	if (err)
		process->perf_map_error = err;
	process->perf_map_after_ns = clock_now_ns() + map_wait_ns(process);
}

void process_snapshot_find_perf_map(struct symbolizer_process *process)
{
	/* The snapshot came while too many others were looked for. */
	if (process->perf_map_error == -EAGAIN)
		look_for_perf_map(process);
	take_perf_map(process, true);
	/* Nobody waits for this one: it is taken the next time, also when the process has ended by then. */
	if (process->perf_map_error == -ENOENT && !process->exited && clock_now_ns() >= process->perf_map_after_ns) {
		look_for_perf_map(process);
		process->perf_map_error = -ENOENT;
	}
}

static struct root_identity root_of(pid_t pid)
{
	_cleanup_close_ int fd = -1;
	struct stat status;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || process_files_stat(fd, &status))
		return (struct root_identity){0};
	return (struct root_identity){status.st_dev, status.st_ino};
}

/* There are thousands of snapshots where processes come and go: none holds room for mappings that it has not. */
static void fit(struct mapping_array *mappings)
{
	struct mapping *fitting = realloc(mappings->list.items, mappings->list.count * sizeof(*fitting));

	if (!fitting)
		return;
	mappings->list.items = fitting;
	mappings->list.capacity = mappings->list.count;
}

static size_t left_of(size_t most, size_t used)
{
	return used < most ? most - used : 0;
}

/* Not 0: the limit is told by the first mapping that is beyond it. */
static size_t room_for(const struct symbolizer_process *process)
{
	const struct tenant *tenant = process->tenant;
	size_t share = left_of(ALL_BYTES_MAX, process->symbolizer->mapping_bytes - tenant->mapping_bytes) / 2;
	size_t room = left_of(share > TENANT_BYTES_MIN ? share : TENANT_BYTES_MIN,
			      tenant->mapping_bytes - process->mappings.bytes);

	room = room < PROCESS_BYTES_MAX ? room : PROCESS_BYTES_MAX;
	return room ? room : 1;
}

static void forget_mappings(struct symbolizer_process *process)
{
	if (process->tenant)
		process->tenant->mapping_bytes -= process->mappings.bytes;
	process->symbolizer->mapping_bytes -= process->mappings.bytes;
	array_deinit(&process->mappings.list);
}

static int take_snapshot(struct symbolizer_process *process, struct mapping_array *fresh)
{
	const struct process_identity *identity = &process->identity;
	uint64_t now_ns = clock_now_ns();
	_cleanup_free_ char *text = NULL;
	bool replaced;
	pid_t pid;
	int err;

	err = process_maps_check(identity->pid, identity->start_ns, identity->address_space, &pid);
	if (err)
		return err;
	process->root = root_of(pid);
	err = memory_reader_maps(process->symbolizer->memory, identity->tenant, pid, &text);
	fresh->bytes_max = room_for(process);
	if (!err)
		err = process_maps_parse(text, &process->symbolizer->strings, fresh);
	if (!err)
		err = pin_files(process, pid, fresh);
	if (err)
		return err;
	/* It may have ended or become another image while it was read: then nothing of this is true. */
	err = process_maps_check(identity->pid, identity->start_ns, identity->address_space, &pid);
	if (err || !fresh->list.count)
		return err ? err : -ESRCH;
	err = keep_all_old(process, fresh, &replaced);
	if (err)
		return err;
	if (replaced) {
		process->generation = process->symbolizer->generations++;
		process->symbolizer->replacements++;
	}
	process->read_ns = now_ns;
	fit(fresh);
	forget_mappings(process);
	process->mappings = *fresh;
	process->tenant->mapping_bytes += fresh->bytes;
	process->symbolizer->mapping_bytes += fresh->bytes;
	memset(fresh, 0, sizeof(*fresh));
	take_perf_map(process, false);
	look_for_perf_map(process);
	return 0;
}

/* On the caller's own thread, which all tenants wait for. */
static int take_in_time(struct symbolizer_process *process)
{
	struct time_share *share = &process->tenant->reading;
	uint64_t began_ns = clock_now_ns(), took_ns;
	struct mapping_array fresh = {0};
	int err;

	if (!time_share_left(share, TENANT_READING_LIMIT, began_ns))
		return -EDQUOT;
	err = take_snapshot(process, &fresh);
	array_deinit(&fresh.list);
	took_ns = clock_now_ns() - began_ns;
	if (took_ns > READ_FREE_NS)
		time_share_spend(share, took_ns - READ_FREE_NS);
	return err;
}

int symbolizer_process_refresh(struct symbolizer_process *process)
{
	int err = process->exited ? -ESRCH : take_in_time(process);

	process->error = err;
	if (err == -ESRCH)
		process->exited = true;
	return err;
}

int symbolizer_process_new(struct symbolizer *symbolizer, const struct process_identity *identity,
			   struct symbolizer_process **ret_process)
{
	struct symbolizer_process *process = calloc(1, sizeof(*process));
	int err;

	if (!process)
		return -ENOMEM;
	process->symbolizer = symbolizer;
	process->next = symbolizer->processes;
	process->back = &symbolizer->processes;
	if (process->next)
		process->next->back = &process->next;
	symbolizer->processes = process;
	process->generation = symbolizer->generations++;
	process->identity = *identity;
	process->perf_map_error = -ENOENT;
	process->perf_map_lookup.socket = -1;
	process->tenant = tenants_find(&symbolizer->tenants, identity->tenant);
	if (process->tenant)
		process->tenant->users++;
	parser_source_init(&process->perf_map, PARSER_PERF_MAP, -1);
	parser_source_init(&process->jitdump, PARSER_JITDUMP, -1);
	err = process->tenant ? symbolizer_process_refresh(process) : -ENOMEM;
	if (err == -ENOMEM) {
		symbolizer_process_free(process);
		return err;
	}
	*ret_process = process;
	return 0;
}

void symbolizer_process_free(struct symbolizer_process *process)
{
	if (!process)
		return;
	*process->back = process->next;
	if (process->next)
		process->next->back = process->back;
	forget_mappings(process);
	if (process->tenant) {
		path_lookup_drop(&process->tenant->lookups, &process->perf_map_lookup);
		process->tenant->users--;
	}
	parser_source_deinit(process->symbolizer->parser, &process->perf_map);
	parser_source_deinit(process->symbolizer->parser, &process->jitdump);
	free(process);
}

const struct mapping *process_snapshot_mapping(const struct symbolizer_process *process, uint64_t address)
{
	const struct mapping_array *mappings = &process->mappings;
	size_t at = first_above(mappings, mappings->list.count, address);

	if (at == mappings->list.count || address < mappings->list.items[at].start)
		return NULL;
	return &mappings->list.items[at];
}

bool symbolizer_process_maps(const struct symbolizer_process *process, uint64_t address)
{
	return process_snapshot_mapping(process, address);
}

bool symbolizer_process_replaced_by(const struct symbolizer_process *process, uint64_t start, uint64_t end,
				    uint64_t time_ns, bool anonymous)
{
	const struct mapping_array *mappings = &process->mappings;

	if (time_ns < process->read_ns)
		return false;
	for (size_t i = first_above(mappings, mappings->list.count, start);
	     i < mappings->list.count && mappings->list.items[i].start < end; i++)
		if (!anonymous || mappings->list.items[i].kind != MAPPING_JIT)
			return true;
	return false;
}

uint32_t symbolizer_process_generation(const struct symbolizer_process *process)
{
	return process->generation;
}

bool symbolizer_process_maps_file(const struct symbolizer_process *process, const char *name)
{
	for (size_t i = 0; i < process->mappings.list.count; i++) {
		const struct mapping *mapping = &process->mappings.list.items[i];

		if (mapping->kind == MAPPING_FILE &&
		    !strcmp(string_table_text(&process->symbolizer->strings, mapping->name), name))
			return true;
	}
	return false;
}

const struct process_identity *symbolizer_process_identity(const struct symbolizer_process *process)
{
	return &process->identity;
}

size_t symbolizer_process_mappings(const struct symbolizer_process *process)
{
	return process->mappings.list.count;
}

/* The last number of the line is that of the innermost namespace. */
static uint32_t innermost_pid(const char *status)
{
	const char *line = strstr(status, "\nNSpid:");
	unsigned long pid = 0;

	if (!line)
		return 0;
	line += strlen("\nNSpid:");
	while (*line == '\t' || *line == ' ') {
		char *end;

		pid = strtoul(line, &end, 10);
		line = end;
	}
	return (uint32_t)pid;
}

int symbolizer_identify(pid_t pid, struct process_identity *ret_identity)
{
	struct process_identity identity = {.pid = pid};
	char status[4096];

	if (!process_maps_start(pid, &identity.start_ns) || process_files_read(pid, "status", status, sizeof(status)))
		return -ESRCH;
	identity.ns_pid = innermost_pid(status);
	*ret_identity = identity;
	return 0;
}
