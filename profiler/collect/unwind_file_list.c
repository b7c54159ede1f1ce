/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/unwind_file_list.h"

#include <errno.h>
#include <unistd.h>

void unwind_file_list_deinit(struct unwind_file_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->files[i].state != FILE_FREE && list->files[i].path_fd >= 0)
			close(list->files[i].path_fd);
	hash_index_deinit(&list->index);
	file_tenants_deinit(&list->tenants);
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

uint32_t unwind_file_list_find(const struct unwind_file_list *list, const struct unwind_identity *identity)
{
	uint64_t hash;
	uint32_t number;

	/* The vdso is the first file there is. */
	if (!identity)
		return list->count ? 0 : UNWIND_NO_FILE;
	hash = hash_of(identity);
	for (size_t at = hash_index_first(&list->index, hash); hash_index_next(&list->index, hash, &at, &number);)
		if (list->files[number].state != FILE_FREE && same(&list->files[number].identity, identity))
			return number;
	return UNWIND_NO_FILE;
}

static uint32_t free_slot(const struct unwind_file_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->files[i].state == FILE_FREE)
			return i;
	return list->count < WALK_FILES_MAX ? list->count : UNWIND_NO_FILE;
}

void unwind_file_list_give(struct unwind_file_list *list, struct unwind_file *file, uint32_t tenant)
{
	if (file->tenant != FILE_TENANTS_NONE)
		list->tenants.list.items[file->tenant].files--;
	if (tenant != FILE_TENANTS_NONE)
		list->tenants.list.items[tenant].files++;
	file->tenant = tenant;
}

uint32_t unwind_file_list_add(struct unwind_file_list *list, const struct unwind_identity *identity, int path_fd,
			      uint32_t tenant)
{
	uint32_t number = free_slot(list);
	struct unwind_file *file;

	if (number == UNWIND_NO_FILE ||
	    (identity && !file_tenants_may_add(&list->tenants, tenant, WALK_FILES_MAX - list->known))) {
		list->refused++;
		return UNWIND_NO_FILE;
	}
	if (identity && hash_index_insert(&list->index, hash_of(identity), number))
		return UNWIND_NO_FILE;
	file = &list->files[number];
	*file = (struct unwind_file){
		.state = FILE_WAITING, .vdso = !identity, .path_fd = path_fd, .tenant = FILE_TENANTS_NONE};
	unwind_file_list_give(list, file, tenant);
	if (identity)
		file->identity = *identity;
	if (number == list->count)
		list->count++;
	list->known++;
	return number;
}

void unwind_file_list_remove(struct unwind_file_list *list, uint32_t number)
{
	struct unwind_file *file = &list->files[number];

	if (file->path_fd >= 0)
		close(file->path_fd);
	unwind_file_list_give(list, file, FILE_TENANTS_NONE);
	*file = (struct unwind_file){.path_fd = -1, .tenant = FILE_TENANTS_NONE};
	list->known--;
}

int unwind_file_list_index(struct unwind_file_list *list)
{
	hash_index_clear(&list->index);
	for (uint32_t i = 1; i < list->count; i++)
		if (list->files[i].state != FILE_FREE &&
		    hash_index_insert(&list->index, hash_of(&list->files[i].identity), i))
			return -ENOMEM;
	return 0;
}
