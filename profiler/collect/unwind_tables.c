/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/unwind_tables.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/collect/file_tenants.h"
#include "profiler/collect/row_store.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/log.h"
#include "symbolizer/unwind_debug.h"

#define RETRY_SWEEPS_MAX 64 /* between two attempts to load what found no room */

enum file_state {
	FILE_FREE,
	FILE_WAITING, /* to be parsed */
	FILE_PARSING,
	FILE_LOADED,  /* also with no rows, where there is no unwind data */
	FILE_EVICTED, /* without rows for now: for want of room, or of time to parse it */
};

struct file {
	enum file_state state;
	bool vdso;
	struct unwind_identity identity;
	int path_fd;	 /* -1: closed, as nobody maps it any more */
	uint32_t tenant; /* FILE_TENANTS_NONE: our own */
	struct stored_rows stored;
	bool lacks_rows;	 /* but for those that a debug file may have */
	bool rows_inside;	 /* has such that came from inside of root */
	bool shared;		 /* more than one root maps it */
	struct unwind_root root; /* of who mapped it first, as long as that matters */
	uint32_t retry_at;	 /* epoch before which it is not tried again */
	uint32_t retry_wait;	 /* doubled by each time that it found no room */
};

struct unwind_tables {
	pthread_mutex_t lock; /* of everything here; not held while parsing */
	struct walk_maps *maps;
	struct unwind_parser *parser;
	struct unwind_debug *debug; /* the loader's alone */
	struct file files[WALK_FILES_MAX];
	uint32_t file_count; /* slots ever used */
	struct hash_index index;
	struct row_store store;
	struct file_tenants tenants;
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
	tables->tenants.limit = limit;
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
	for (uint32_t i = 0; i < tables->file_count; i++)
		if (tables->files[i].state != FILE_FREE && tables->files[i].path_fd >= 0)
			close(tables->files[i].path_fd);
	unwind_debug_free(tables->debug);
	hash_index_deinit(&tables->index);
	row_store_deinit(&tables->store);
	file_tenants_deinit(&tables->tenants);
	pthread_mutex_destroy(&tables->lock);
	free(tables);
}

static uint64_t hash_of(const struct unwind_identity *identity)
{
	return hash_words(hash_words(identity->device, identity->inode),
			  hash_words((uint64_t)identity->size, (uint64_t)identity->modified.tv_sec * 1000000000ull +
								       (uint64_t)identity->modified.tv_nsec));
}

static bool same(const struct unwind_identity *a, const struct unwind_identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static uint32_t find(const struct unwind_tables *tables, const struct unwind_identity *identity)
{
	uint64_t hash;
	uint32_t number;

	/* The vdso is the first file there is. */
	if (!identity)
		return tables->file_count ? 0 : UNWIND_NO_FILE;
	hash = hash_of(identity);
	for (size_t at = hash_index_first(&tables->index, hash); hash_index_next(&tables->index, hash, &at, &number);)
		if (tables->files[number].state != FILE_FREE && same(&tables->files[number].identity, identity))
			return number;
	return UNWIND_NO_FILE;
}

static uint32_t free_slot(const struct unwind_tables *tables)
{
	for (uint32_t i = 0; i < tables->file_count; i++)
		if (tables->files[i].state == FILE_FREE)
			return i;
	return tables->file_count < WALK_FILES_MAX ? tables->file_count : UNWIND_NO_FILE;
}

static void give_to(struct unwind_tables *tables, struct file *file, uint32_t tenant)
{
	if (file->tenant != FILE_TENANTS_NONE)
		tables->tenants.list.items[file->tenant].files--;
	if (tenant != FILE_TENANTS_NONE)
		tables->tenants.list.items[tenant].files++;
	file->tenant = tenant;
}

static uint32_t add(struct unwind_tables *tables, const struct unwind_identity *identity, int path_fd, uint32_t tenant)
{
	uint32_t number = free_slot(tables);
	struct file *file;

	if (number == UNWIND_NO_FILE ||
	    (identity && !file_tenants_may_add(&tables->tenants, tenant, WALK_FILES_MAX - tables->counts.files))) {
		tables->counts.refused++;
		return UNWIND_NO_FILE;
	}
	if (identity && hash_index_insert(&tables->index, hash_of(identity), number))
		return UNWIND_NO_FILE;
	file = &tables->files[number];
	*file = (struct file){
		.state = FILE_WAITING, .vdso = !identity, .path_fd = path_fd, .tenant = FILE_TENANTS_NONE};
	give_to(tables, file, tenant);
	if (identity)
		file->identity = *identity;
	if (number == tables->file_count)
		tables->file_count++;
	tables->counts.files++;
	tables->counts.waiting++;
	return number;
}

static void unload(struct unwind_tables *tables, uint32_t number)
{
	row_store_take_out(&tables->store, number, &tables->files[number].stored);
	tables->files[number].state = FILE_EVICTED;
	tables->counts.loaded--;
}

/* What a container says of a file is not good for others that map it, too. */
static void note_root(struct unwind_tables *tables, uint32_t number, pid_t pid)
{
	struct file *file = &tables->files[number];
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
	return tenant == FILE_TENANTS_NONE || file_tenants_may_parse(&tables->tenants, tenant, clock_now_ns());
}

/* @fd is taken where there is use for it. */
static uint32_t find_or_add(struct unwind_tables *tables, const struct unwind_identity *identity, int *fd,
			    uint64_t tenant_number)
{
	uint32_t number = find(tables, identity), tenant = FILE_TENANTS_NONE;
	struct file *file = number == UNWIND_NO_FILE ? NULL : &tables->files[number];

	if (identity && (!file || file->state == FILE_WAITING)) {
		tenant = file_tenants_find(&tables->tenants, tenant_number, clock_now_ns());
		if (tenant == FILE_TENANTS_NONE)
			return number;
	}
	if (!file) {
		number = add(tables, identity, *fd, tenant);
		if (number != UNWIND_NO_FILE)
			take_fd(fd);
		return number;
	}
	if (file->path_fd < 0)
		file->path_fd = take_fd(fd);
	/* Nobody waits for a table because somebody else, who maps the file too, has none. */
	if (file->state == FILE_WAITING && tenant != file->tenant && !may_parse(tables, file->tenant))
		give_to(tables, file, tenant);
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

	for (uint32_t i = 0; i < tables->file_count; i++)
		if (tables->files[i].state == FILE_LOADED && tables->files[i].stored.rows.count &&
		    (oldest == UNWIND_NO_FILE || used_about(tables, i) < used_about(tables, oldest)))
			oldest = i;
	if (oldest == UNWIND_NO_FILE || used_about(tables, oldest) >= used_about(tables, number))
		return false;
	unload(tables, oldest);
	tables->counts.evictions++;
	return true;
}

/* Not at once: others would get no turn. */
static void try_later(struct unwind_tables *tables, struct file *file)
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
	struct file *file = &tables->files[number];
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
	uint32_t tenant = tables->files[number].tenant;

	return tenant == FILE_TENANTS_NONE ? 0 : file_tenants_cost(&tables->tenants, tenant);
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
	return tables->files[a].identity.size < tables->files[b].identity.size;
}

static uint32_t first_waiting(struct unwind_tables *tables)
{
	uint32_t first = UNWIND_NO_FILE;

	tables->counts.held = 0;
	for (uint32_t i = 0; i < tables->file_count; i++) {
		if (tables->files[i].state != FILE_WAITING)
			continue;
		if (!may_parse(tables, tables->files[i].tenant))
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
	if (tables->files[file].state == FILE_WAITING)
		shown->at[file].used = shown->epoch;
	pthread_mutex_unlock(&tables->lock);
}

uint32_t unwind_tables_wanted(struct unwind_tables *tables)
{
	uint32_t wanted = 0;

	pthread_mutex_lock(&tables->lock);
	for (uint32_t i = 0; i < tables->file_count; i++)
		wanted += (tables->files[i].state == FILE_WAITING || tables->files[i].state == FILE_PARSING) &&
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
	struct file *file;
	uint32_t number;
	int err;

	pthread_mutex_lock(&tables->lock);
	number = first_waiting(tables);
	if (number == UNWIND_NO_FILE) {
		pthread_mutex_unlock(&tables->lock);
		return false;
	}
	file = &tables->files[number];
	file->state = FILE_PARSING;
	fd = file->path_fd < 0 ? -1 : dup(file->path_fd);
	root = file->shared ? (struct unwind_root){0} : file->root;
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
		file_tenants_spend(&tables->tenants, file->tenant,
				   unwind_parser_costs(tables->parser).busy_ns - busy_ns);
	file->lacks_rows = lacks_rows;
	file->rows_inside = inside;
	if (inside && file->shared) {
		file->rows_inside = false;
		file->state = FILE_WAITING;
		tables->counts.waiting++;
		pthread_mutex_unlock(&tables->lock);
		return true;
	}
	if (err == -ETIME) {
		try_later(tables, file);
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
	struct file *file = &tables->files[number];

	if (file->path_fd >= 0)
		close(file->path_fd);
	give_to(tables, file, FILE_TENANTS_NONE);
	*file = (struct file){.path_fd = -1, .tenant = FILE_TENANTS_NONE};
	tables->maps->files->at[number].used = 0;
	tables->maps->files->at[number].python_version = 0;
	tables->counts.files--;
}

/* The index forgets nothing by itself. 0 or -ENOMEM. */
static int index_again(struct unwind_tables *tables)
{
	hash_index_clear(&tables->index);
	for (uint32_t i = 1; i < tables->file_count; i++)
		if (tables->files[i].state != FILE_FREE &&
		    hash_index_insert(&tables->index, hash_of(&tables->files[i].identity), i))
			return -ENOMEM;
	return 0;
}

void unwind_tables_sweep(struct unwind_tables *tables, const bool *mapped)
{
	struct walk_files *shown = tables->maps->files;
	bool forgotten = false;

	pthread_mutex_lock(&tables->lock);
	for (uint32_t i = 1; i < tables->file_count; i++) {
		struct file *file = &tables->files[i];

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
		if (file->state == FILE_EVICTED || tables->counts.files > WALK_FILES_MAX / 2) {
			if (file->state == FILE_LOADED)
				unload(tables, i);
			forget(tables, i);
			forgotten = true;
		}
	}
	if (forgotten && index_again(tables))
		log_debug("no memory for the index of unwind tables");
	shown->epoch++;
	pthread_mutex_unlock(&tables->lock);
}

struct unwind_tables_counts unwind_tables_counts(struct unwind_tables *tables)
{
	struct unwind_tables_counts counts;

	pthread_mutex_lock(&tables->lock);
	counts = tables->counts;
	counts.tenants_over = tables->tenants.over;
	counts.row_bytes = (uint64_t)tables->store.segments_made * sizeof(struct walk_segment);
	pthread_mutex_unlock(&tables->lock);
	return counts;
}
