/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/unwind_tables.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"
#include "symbolizer/unwind_debug.h"

#define RETRY_SWEEPS_MAX 64 /* between two attempts to load what found no room */

struct unwind_tables {
	pthread_mutex_t lock; /* of everything here; not held while parsing */
	struct walk_maps *maps;
	struct unwind_parser *parser;
	struct unwind_debug *debug; /* the loader's alone */
	struct unwind_file_list list;
	struct row_store store;
	struct unwind_tables_counts counts;
};

int unwind_tables_new(struct walk_maps *maps, struct unwind_parser *parser, uint64_t memory_bytes,
		      struct time_share_limit limit, struct unwind_tables **ret_tables)
{
	uint64_t segments = memory_bytes / sizeof(struct walk_segment);
	struct unwind_tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return -ENOMEM;
	pthread_mutex_init(&tables->lock, NULL);
	tables->maps = maps;
	tables->parser = parser;
	tables->list.tenants.limit = limit;
	maps->files->epoch = 1; /* 0: never used */
	if (row_store_init(&tables->store, maps, segments < UINT32_MAX ? (uint32_t)segments : UINT32_MAX) ||
	    unwind_debug_new(parser, &tables->debug) ||
	    unwind_tables_file(tables, NULL, -1, (struct unwind_mapper){0}) == UNWIND_NO_FILE) {
		unwind_tables_free(tables);
		return -ENOMEM;
	}
	*ret_tables = tables;
	return 0;
}

void unwind_tables_free(struct unwind_tables *tables)
{
	if (!tables)
		return;
	unwind_file_list_deinit(&tables->list);
	unwind_debug_free(tables->debug);
	row_store_deinit(&tables->store);
	pthread_mutex_destroy(&tables->lock);
	free(tables);
}

static void unload(struct unwind_tables *tables, uint32_t number)
{
	row_store_take_out(&tables->store, number, &tables->list.files[number].stored);
	tables->list.files[number].state = FILE_EVICTED;
	tables->counts.loaded--;
}

/* What a container says of a file is not good for others that map it, too. */
static void note_root(struct unwind_tables *tables, uint32_t number, pid_t pid)
{
	struct unwind_file *file = &tables->list.files[number];
	struct unwind_root root;

	if (!pid || file->shared || (file->state == FILE_LOADED && !file->lacks_rows) ||
	    unwind_files_root(pid, NULL, &root))
		return;
	if (!file->root.pid)
		file->root = root;
	file->shared = root.device != file->root.device || root.inode != file->root.inode;
	if (!file->shared || !file->rows_inside || file->state != FILE_LOADED)
		return;
	unload(tables, number);
	file->rows_inside = false;
	file->state = FILE_WAITING;
	tables->counts.waiting++;
}

static bool may_parse(struct unwind_tables *tables, uint32_t tenant)
{
	return tenant == FILE_TENANTS_NONE || file_tenants_may_parse(&tables->list.tenants, tenant, clock_now_ns());
}

/* Makes another tenant pay for a file, if he has time: true where it is his now. His first try is not put off. */
static bool give_to(struct unwind_tables *tables, struct unwind_file *file, uint64_t number)
{
	struct file_tenants *tenants = &tables->list.tenants;
	uint32_t tenant = file_tenants_find(tenants, number, clock_now_ns());
	uint64_t before;

	if (tenant == FILE_TENANTS_NONE || !may_parse(tables, tenant))
		return false;
	before = tenants->list.items[file->tenant].number;
	unwind_file_list_give(&tables->list, file, tenant);
	if (!file->has_other || file->other == number) {
		file->has_other = true;
		file->other = before;
	}
	file->unanswered = false;
	if (!file->passed_on) {
		file->retry_wait = 0;
		file->retry_at = tables->maps->files->epoch;
	}
	file->passed_on = true;
	return true;
}

/* Nobody waits for a table because somebody else, who maps the file too, has none. */
static bool pass_on(struct unwind_tables *tables, struct unwind_file *file)
{
	return file->has_other && give_to(tables, file, file->other);
}

static bool is_held(struct unwind_tables *tables, const struct unwind_file *file)
{
	return file->state != FILE_PARSING &&
	       (file->unanswered || (file->state == FILE_WAITING && !may_parse(tables, file->tenant)));
}

static void note_mapper(struct unwind_tables *tables, struct unwind_file *file, uint64_t number)
{
	uint32_t other;

	if (file->tenant == FILE_TENANTS_NONE || number == tables->list.tenants.list.items[file->tenant].number)
		return;
	if (is_held(tables, file) && give_to(tables, file, number))
		return;
	if (file->has_other && file->other != number) {
		other = file_tenants_find(&tables->list.tenants, file->other, clock_now_ns());
		if (other != FILE_TENANTS_NONE && may_parse(tables, other))
			return;
	}
	file->has_other = true;
	file->other = number;
}

/* @fd is taken where there is use for it. */
static uint32_t find_or_add(struct unwind_tables *tables, const struct unwind_identity *identity, int *fd,
			    uint64_t tenant_number)
{
	uint32_t number = unwind_file_list_find(&tables->list, identity), tenant = FILE_TENANTS_NONE;
	struct unwind_file *file;

	if (number != UNWIND_NO_FILE) {
		file = &tables->list.files[number];
		if (file->path_fd < 0)
			file->path_fd = take_fd(fd);
		note_mapper(tables, file, tenant_number);
		return number;
	}
	if (identity)
		tenant = file_tenants_find(&tables->list.tenants, tenant_number, clock_now_ns());
	if (identity && tenant == FILE_TENANTS_NONE)
		return UNWIND_NO_FILE;
	number = unwind_file_list_add(&tables->list, identity, *fd, tenant);
	if (number != UNWIND_NO_FILE) {
		take_fd(fd);
		tables->counts.waiting++;
	}
	return number;
}

uint32_t unwind_tables_file(struct unwind_tables *tables, const struct unwind_identity *identity, int path_fd,
			    struct unwind_mapper mapper)
{
	_cleanup_close_ int fd = path_fd;
	uint32_t number;

	pthread_mutex_lock(&tables->lock);
	number = find_or_add(tables, identity, &fd, mapper.tenant);
	if (number != UNWIND_NO_FILE)
		note_root(tables, number, mapper.pid);
	pthread_mutex_unlock(&tables->lock);
	return number;
}

/* Walks say that they use a file only every few seconds (SALT_JIFFIES_SHIFT in bpf/walk.bpf.h): finer it is not known. */
static uint32_t used_about(const struct unwind_tables *tables, uint32_t number)
{
	return tables->maps->files->at[number].used / 32;
}

/* Never in favour of @number what is used as much as it is: the two would take turns. */
static bool evict_one(struct unwind_tables *tables, uint32_t number)
{
	uint32_t oldest = UNWIND_NO_FILE;

	for (uint32_t i = 0; i < tables->list.count; i++)
		if (tables->list.files[i].state == FILE_LOADED && tables->list.files[i].stored.rows.count &&
		    (oldest == UNWIND_NO_FILE || used_about(tables, i) < used_about(tables, oldest)))
			oldest = i;
	if (oldest == UNWIND_NO_FILE || used_about(tables, oldest) >= used_about(tables, number))
		return false;
	unload(tables, oldest);
	tables->counts.evictions++;
	return true;
}

/* Not at once: others would get no turn. */
static void try_later(struct unwind_tables *tables, struct unwind_file *file)
{
	file->state = FILE_EVICTED;
	file->retry_wait = file->retry_wait ? 2 * file->retry_wait : 1;
	if (file->retry_wait > RETRY_SWEEPS_MAX)
		file->retry_wait = RETRY_SWEEPS_MAX;
	file->retry_at = tables->maps->files->epoch + file->retry_wait;
}

static void load(struct unwind_tables *tables, uint32_t number, const struct unwind_rows *rows)
{
	static const struct unwind_rows none;
	struct unwind_file *file = &tables->list.files[number];
	int err;

	do
		err = row_store_put(&tables->store, number, rows, &file->stored);
	while (err == -ENOSPC && evict_one(tables, number));
	if (err == -E2BIG) {
		tables->counts.failed++;
		err = row_store_put(&tables->store, number, &none, &file->stored);
	}
	if (!err) {
		file->state = FILE_LOADED;
		file->retry_wait = 0;
		tables->counts.loaded++;
		return;
	}
	try_later(tables, file);
	tables->counts.no_room++;
}

static void show_python(struct unwind_tables *tables, uint32_t number, const struct python_runtime *python)
{
	struct walk_file *shown = &tables->maps->files->at[number];

	if (!python->version || shown->python_version)
		return;
	shown->python_place = python->place;
	__atomic_store_n(&shown->python_version, python->version, __ATOMIC_RELEASE);
	tables->counts.interpreters++;
}

static uint64_t cost_of(const struct unwind_tables *tables, uint32_t number)
{
	uint32_t tenant = tables->list.files[number].tenant;

	return tenant == FILE_TENANTS_NONE ? 0 : file_tenants_cost(&tables->list.tenants, tenant);
}

/*
 * What a walk has missed goes before what may never be sampled, who has cost little before who has cost much, and many
 * small files before a large one.
 */
static bool goes_before(const struct unwind_tables *tables, uint32_t a, uint32_t b)
{
	const struct walk_file *shown = tables->maps->files->at;

	if (shown[a].used != shown[b].used)
		return shown[a].used > shown[b].used;
	if (cost_of(tables, a) != cost_of(tables, b))
		return cost_of(tables, a) < cost_of(tables, b);
	return tables->list.files[a].identity.size < tables->list.files[b].identity.size;
}

static uint32_t first_waiting(struct unwind_tables *tables)
{
	uint32_t first = UNWIND_NO_FILE;

	tables->counts.held = 0;
	for (uint32_t i = 0; i < tables->list.count; i++) {
		if (tables->list.files[i].state != FILE_WAITING)
			continue;
		if (!may_parse(tables, tables->list.files[i].tenant) && !pass_on(tables, &tables->list.files[i]))
			tables->counts.held++;
		else if (first == UNWIND_NO_FILE || goes_before(tables, i, first))
			first = i;
	}
	return first;
}

void unwind_tables_want(struct unwind_tables *tables, uint32_t file)
{
	struct walk_files *shown = tables->maps->files;

	pthread_mutex_lock(&tables->lock);
	if (tables->list.files[file].state == FILE_WAITING)
		shown->at[file].used = shown->epoch;
	pthread_mutex_unlock(&tables->lock);
}

uint32_t unwind_tables_wanted(struct unwind_tables *tables)
{
	uint32_t wanted = 0;

	pthread_mutex_lock(&tables->lock);
	for (uint32_t i = 0; i < tables->list.count; i++)
		wanted +=
			(tables->list.files[i].state == FILE_WAITING || tables->list.files[i].state == FILE_PARSING) &&
			tables->maps->files->at[i].used;
	pthread_mutex_unlock(&tables->lock);
	return wanted;
}

/* Whoever asks for the number of a file must not wait for the kernel to make a map. */
static void make_segments(struct unwind_tables *tables, const struct unwind_rows *rows)
{
	int err = 0;

	while (!err) {
		bool lacks;

		pthread_mutex_lock(&tables->lock);
		lacks = row_store_lacks_segment(&tables->store, rows);
		pthread_mutex_unlock(&tables->lock);
		err = lacks ? row_store_make_segment(&tables->store) : -EALREADY;
		if (err)
			return;
		pthread_mutex_lock(&tables->lock);
		err = row_store_use_segment(&tables->store);
		pthread_mutex_unlock(&tables->lock);
	}
}

bool unwind_tables_load_one(struct unwind_tables *tables)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows rows = {0};
	_cleanup_close_ int fd = -1;
	uint64_t start_ns = clock_now_ns(), busy_ns = unwind_parser_costs(tables->parser).busy_ns;
	struct unwind_root root;
	bool inside = false, lacks_rows;
	struct unwind_file *file;
	uint32_t number;
	int err;

	pthread_mutex_lock(&tables->lock);
	number = first_waiting(tables);
	if (number == UNWIND_NO_FILE) {
		pthread_mutex_unlock(&tables->lock);
		return false;
	}
	file = &tables->list.files[number];
	file->state = FILE_PARSING;
	fd = file->path_fd < 0 ? -1 : dup(file->path_fd);
	root = file->shared ? (struct unwind_root){0} : file->root;
	unwind_parser_ask_for(tables->parser, file->tenant == FILE_TENANTS_NONE
						      ? 0
						      : tables->list.tenants.list.items[file->tenant].number);
	pthread_mutex_unlock(&tables->lock);

	err = fd < 0 && !file->vdso ? -EBADF : unwind_parser_rows(tables->parser, fd, -1, &rows);
	lacks_rows = !err && rows.lacks_rows && fd >= 0;
	if (lacks_rows)
		unwind_debug_rows(tables->debug, fd, &root, &rows, &inside);
	make_segments(tables, &rows);

	pthread_mutex_lock(&tables->lock);
	tables->counts.waiting--;
	tables->counts.parse_ns += clock_now_ns() - start_ns;
	if (file->tenant != FILE_TENANTS_NONE)
		file_tenants_spend(&tables->list.tenants, file->tenant,
				   unwind_parser_costs(tables->parser).busy_ns - busy_ns);
	file->lacks_rows = lacks_rows;
	file->rows_inside = inside;
	file->unanswered = err == -EHOSTDOWN;
	if (inside && file->shared) {
		file->rows_inside = false;
		file->state = FILE_WAITING;
		tables->counts.waiting++;
		pthread_mutex_unlock(&tables->lock);
		return true;
	}
	if (err == -ETIME || err == -EHOSTDOWN) {
		try_later(tables, file);
		if (file->unanswered)
			pass_on(tables, file);
		pthread_mutex_unlock(&tables->lock);
		return true;
	}
	if (err) {
		/* No ELF, or a broken one: loaded, and empty. */
		log_debug("no unwind data from file %u: %s", number, strerror(-err));
		unwind_rows_deinit(&rows);
		tables->counts.failed++;
	}
	show_python(tables, number, &rows.python);
	load(tables, number, &rows);
	pthread_mutex_unlock(&tables->lock);
	return true;
}

static void forget(struct unwind_tables *tables, uint32_t number)
{
	unwind_file_list_remove(&tables->list, number);
	tables->maps->files->at[number].used = 0;
	tables->maps->files->at[number].python_version = 0;
}

void unwind_tables_sweep(struct unwind_tables *tables, const bool *mapped)
{
	struct walk_files *shown = tables->maps->files;
	bool forgotten = false;

	pthread_mutex_lock(&tables->lock);
	for (uint32_t i = 1; i < tables->list.count; i++) {
		struct unwind_file *file = &tables->list.files[i];

		if (file->state == FILE_EVICTED && mapped[i] && shown->at[i].used == shown->epoch &&
		    (int32_t)(shown->epoch - file->retry_at) >= 0) {
			file->state = FILE_WAITING;
			tables->counts.waiting++;
		}
		if (mapped[i] || file->state == FILE_FREE || file->state == FILE_PARSING || file->state == FILE_WAITING)
			continue;
		/* Nobody maps it: the next one who does opens it again. Its rows may stay for him. */
		if (file->path_fd >= 0)
			close(file->path_fd);
		file->path_fd = -1;
		if (file->state == FILE_EVICTED || tables->list.known > WALK_FILES_MAX / 2) {
			if (file->state == FILE_LOADED)
				unload(tables, i);
			forget(tables, i);
			forgotten = true;
		}
	}
	if (forgotten && unwind_file_list_index(&tables->list))
		log_debug("no memory for the index of unwind tables");
	shown->epoch++;
	pthread_mutex_unlock(&tables->lock);
}

struct unwind_tables_counts unwind_tables_counts(struct unwind_tables *tables)
{
	struct unwind_tables_counts counts;

	pthread_mutex_lock(&tables->lock);
	counts = tables->counts;
	counts.files = tables->list.known;
	counts.refused = tables->list.refused;
	counts.tenants_over = tables->list.tenants.over;
	counts.row_bytes = (uint64_t)tables->store.segments_made * sizeof(struct walk_segment);
	pthread_mutex_unlock(&tables->lock);
	return counts;
}
