/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/file_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/partition_point.h"

#define HARMLESS_NS 1000000000ull /* of the parser's time: a file that owes more is remembered for that */

struct file_cache {
	struct parser *parser;
	ARRAY(struct pinned_file *) files;
	struct hash_index index;
	uint64_t clock;
	size_t open;
};

int file_cache_new(struct parser *parser, struct file_cache **ret_cache)
{
	struct file_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->parser = parser;
	*ret_cache = cache;
	return 0;
}

static void close_file(struct file_cache *cache, struct pinned_file *file)
{
	if (file->state != PINNED_OPEN)
		return;
	parser_source_deinit(cache->parser, &file->source);
	file->state = PINNED_TRIMMED;
	cache->open--;
	if (file->opened_for)
		--*file->opened_for;
	file->opened_for = NULL;
}

static void free_file(struct file_cache *cache, struct pinned_file *file)
{
	close_file(cache, file);
	range_cache_deinit(&file->names);
	free(file);
}

void file_cache_free(struct file_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->files.count; i++)
		free_file(cache, cache->files.items[i]);
	array_deinit(&cache->files);
	hash_index_deinit(&cache->index);
	free(cache);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A deleted file keeps its identity though its change time moves when it is unlinked: only the content's time counts. */
static bool same_file(const struct pinned_file *file, const struct stat *status)
{
	return file->inode == status->st_ino && file->device == status->st_dev && file->size == status->st_size &&
	       same_time(file->modified, status->st_mtim);
}

static int add(struct file_cache *cache, uint64_t hash, struct pinned_file **ret_file)
{
	struct pinned_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	if (array_reserve(&cache->files, 1) || hash_index_insert(&cache->index, hash, (uint32_t)cache->files.count)) {
		free(file);
		return -ENOMEM;
	}
	*array_add(&cache->files) = file;
	file->hash = hash;
	file->state = PINNED_FAILED;
	file->used = ++cache->clock;
	*ret_file = file;
	return 0;
}

static void take_descriptor(struct file_cache *cache, struct pinned_file *file, int fd, size_t *open_count)
{
	if (fd < 0)
		return;
	/* Whoever maps it next may not be one to believe the container that those names came from. */
	if (file->debug_inside)
		range_cache_deinit(&file->names);
	parser_source_reopen(&file->source, fd);
	file->state = PINNED_OPEN;
	file->sought = file->sought_inside = file->debug_inside = false;
	cache->open++;
	file->opened_for = open_count;
	if (open_count)
		++*open_count;
}

int file_cache_pin(struct file_cache *cache, int path_fd, const struct stat *status, size_t *open_count,
		   struct pinned_file **ret_file)
{
	uint64_t hash = hash_words(status->st_ino, hash_words(status->st_dev, (uint64_t)status->st_size));
	struct pinned_file *file;
	uint32_t id;
	int err;

	if (!S_ISREG(status->st_mode))
		return -EINVAL;
	for (size_t at = hash_index_first(&cache->index, hash); hash_index_next(&cache->index, hash, &at, &id);) {
		file = cache->files.items[id];
		if (!same_file(file, status))
			continue;
		file->used = ++cache->clock;
		if (file->state != PINNED_OPEN)
			take_descriptor(cache, file, fcntl(path_fd, F_DUPFD_CLOEXEC, 0), open_count);
		*ret_file = file;
		return 0;
	}
	err = add(cache, hash, &file);
	if (err)
		return err;
	file->device = status->st_dev;
	file->inode = status->st_ino;
	file->size = status->st_size;
	file->modified = status->st_mtim;
	take_descriptor(cache, file, fcntl(path_fd, F_DUPFD_CLOEXEC, 0), open_count);
	*ret_file = file;
	return 0;
}

int file_cache_adopt(struct file_cache *cache, int fd, struct pinned_file **ret_file)
{
	int err = add(cache, 0, ret_file);

	if (err) {
		close(fd);
		return err;
	}
	take_descriptor(cache, *ret_file, fd, NULL);
	(*ret_file)->shared = true;
	return 0;
}

size_t file_cache_count(const struct file_cache *cache)
{
	return cache->files.count;
}

void file_cache_unmark(struct file_cache *cache)
{
	for (size_t i = 0; i < cache->files.count; i++)
		cache->files.items[i]->marked = false;
}

void file_cache_forget_unmarked(struct file_cache *cache)
{
	size_t kept = 0;

	for (size_t i = 0; i < cache->files.count; i++) {
		struct pinned_file *file = cache->files.items[i];

		if (file->marked || file->source.deaths || parser_source_debt_ns(&file->source) > HARMLESS_NS) {
			cache->files.items[kept++] = file;
			continue;
		}
		free_file(cache, file);
	}
	cache->files.count = kept;
	hash_index_clear(&cache->index);
	/* No more than before: the index does not grow and cannot fail. */
	for (size_t i = 0; i < kept; i++)
		hash_index_insert(&cache->index, cache->files.items[i]->hash, (uint32_t)i);
}

void file_cache_forget_names(struct file_cache *cache)
{
	for (size_t i = 0; i < cache->files.count; i++)
		range_cache_deinit(&cache->files.items[i]->names);
}

void file_cache_note_root(struct pinned_file *file, struct root_identity root)
{
	if (!file->root.inode)
		file->root = root;
	else if (root.inode != file->root.inode || root.device != file->root.device)
		file->shared = true;
}

void file_cache_touch(struct file_cache *cache, struct pinned_file *file)
{
	file->used = ++cache->clock;
}

/* How many open files were used at this time or later. */
static size_t used_since(const struct file_cache *cache, uint64_t time)
{
	size_t count = 0;

	for (size_t i = 0; i < cache->files.count; i++)
		count += cache->files.items[i]->state == PINNED_OPEN && cache->files.items[i]->used >= time;
	return count;
}

/* No two files were used at the same time, so there is one from which on just so many were. This takes no memory. */
void file_cache_trim(struct file_cache *cache, size_t count)
{
	uint64_t since;

	if (cache->open <= count)
		return;
	since = partition_point(time, cache->clock + 1, used_since(cache, time) > count);
	for (size_t i = 0; i < cache->files.count; i++)
		if (cache->files.items[i]->used < since)
			close_file(cache, cache->files.items[i]);
}
