/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/owners.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

/* No cgroup has this id: all kernel threads, wherever they sit. */
#define KERNEL_THREADS UINT64_MAX

struct owned_cgroup {
	uint64_t id;
	uint32_t row;
};

struct owned_row {
	struct recording_container container; /* as the recording has it */
	bool on_disk;			      /* with names from there */
};

struct owners {
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	struct recording_writer *writer;
	ARRAY(struct owned_cgroup) cgroups;
	struct hash_index index;
	ARRAY(struct owned_row) rows;
};

int owners_new(struct cgroup_tree *tree, struct container_resolver *resolver, struct recording_writer *writer,
	       struct owners **ret_owners)
{
	struct owners *owners = calloc(1, sizeof(*owners));

	if (!owners)
		return -ENOMEM;
	owners->tree = tree;
	owners->resolver = resolver;
	owners->writer = writer;
	*ret_owners = owners;
	return 0;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	array_deinit(&owners->cgroups);
	array_deinit(&owners->rows);
	hash_index_deinit(&owners->index);
	free(owners);
}

static int add_text(struct owners *owners, const char *text, string_id *ret_id)
{
	return recording_writer_string(owners->writer, text ? text : "", text ? strlen(text) : 0, ret_id);
}

static int describe_known(struct owners *owners, const char *path, struct recording_container *row, bool *on_disk)
{
	struct container_info info;
	int err = container_resolver_describe(owners->resolver, path, &info);

	if (err)
		return err;
	row->kind = (uint8_t)info.kind;
	*on_disk = info.on_disk;
	if (add_text(owners, info.name, &row->name) || add_text(owners, info.id, &row->id) ||
	    add_text(owners, info.runtime, &row->runtime) || add_text(owners, info.image, &row->image) ||
	    add_text(owners, info.pod, &row->pod) || add_text(owners, info.namespace, &row->namespace) ||
	    add_text(owners, path, &row->cgroup))
		return -ENOMEM;
	return 0;
}

static int describe(struct owners *owners, uint64_t cgroup_id, struct owned_row *ret_row)
{
	struct recording_container row = {.cgroup_id = cgroup_id};
	const char *path = cgroup_tree_path(owners->tree, cgroup_id);
	bool on_disk = false;
	char text[64];
	int err;

	if (cgroup_id == KERNEL_THREADS) {
		row.kind = CONTAINER_KERNEL;
		err = add_text(owners, "kernel", &row.name);
	} else if (path) {
		err = describe_known(owners, path, &row, &on_disk);
	} else {
		snprintf(text, sizeof(text), "[unknown cgroup %" PRIx64 "]", cgroup_id);
		err = add_text(owners, text, &row.name);
	}
	if (!err)
		*ret_row = (struct owned_row){row, on_disk};
	return err;
}

static bool same_container(const struct recording_container *a, const struct recording_container *b)
{
	if (a->kind != b->kind || a->kind == CONTAINER_UNKNOWN || a->runtime != b->runtime)
		return false;
	return a->id ? a->id == b->id : !b->id && a->name == b->name;
}

/* A runtime makes the directory first and writes down later whose it is: a sample may come between the two. */
static bool became_container(const struct recording_container *known, const struct recording_container *now)
{
	return known->kind == CONTAINER_HOST && now->kind == CONTAINER_CONTAINER && known->cgroup == now->cgroup;
}

static int find_or_add_row(struct owners *owners, const struct owned_row *row, uint32_t *ret_row)
{
	struct owned_row *added;
	uint32_t number;
	int err;

	for (size_t i = 0; i < owners->rows.count; i++) {
		if (same_container(&owners->rows.items[i].container, &row->container)) {
			*ret_row = (uint32_t)i;
			return 0;
		}
		if (became_container(&owners->rows.items[i].container, &row->container)) {
			owners->rows.items[i] = *row;
			*ret_row = (uint32_t)i;
			return recording_writer_redefine_container(owners->writer, (uint32_t)i, &row->container);
		}
	}
	if (array_reserve(&owners->rows, 1))
		return -ENOMEM;
	err = recording_writer_container(owners->writer, &row->container, &number);
	if (err)
		return err;
	added = array_add(&owners->rows);
	*added = *row;
	*ret_row = number;
	return 0;
}

int owners_row(struct owners *owners, uint64_t cgroup_id, bool kernel_thread, uint32_t *ret_row)
{
	uint64_t id = kernel_thread ? KERNEL_THREADS : cgroup_id, hash = hash_words(id, 0);
	struct owned_cgroup *added;
	struct owned_row row;
	uint32_t number;
	int err;

	for (size_t at = hash_index_first(&owners->index, hash); hash_index_next(&owners->index, hash, &at, &number);) {
		if (owners->cgroups.items[number].id == id) {
			*ret_row = owners->cgroups.items[number].row;
			return 0;
		}
	}
	err = describe(owners, id, &row);
	if (!err)
		err = find_or_add_row(owners, &row, ret_row);
	if (err || array_reserve(&owners->cgroups, 1) ||
	    hash_index_insert(&owners->index, hash, (uint32_t)owners->cgroups.count))
		return err ? err : -ENOMEM;
	added = array_add(&owners->cgroups);
	*added = (struct owned_cgroup){id, *ret_row};
	return 0;
}

uint32_t owners_count(const struct owners *owners)
{
	return (uint32_t)owners->rows.count;
}

enum container_kind owners_kind(const struct owners *owners, uint32_t row, const char **ret_cgroup)
{
	const struct recording_container *container = &owners->rows.items[row].container;

	*ret_cgroup = recording_writer_text(owners->writer, container->cgroup);
	return (enum container_kind)container->kind;
}

int owners_cgroup(struct owners *owners, const struct cgroup_event *event)
{
	uint32_t row;
	int err;

	if (event->type == EVENT_CGROUP_REMOVED)
		return 0;
	err = cgroup_tree_put(owners->tree, event->cgroup_id, event->path);
	/* Its name may be on disk only for as long as it lives: look now. */
	if (!err && event->type == EVENT_CGROUP_RENAMED)
		err = owners_row(owners, event->cgroup_id, false, &row);
	return err;
}

/* What is gone from disk keeps the name that it had. */
static bool is_news(const struct owned_row *known, const struct owned_row *now)
{
	const struct recording_container *before = &known->container, *after = &now->container;

	if (!memcmp(after, before, sizeof(*after)) || after->kind == CONTAINER_UNKNOWN)
		return false;
	if ((known->on_disk && !now->on_disk) || (before->image && !after->image))
		return false;
	return before->kind != CONTAINER_CONTAINER || after->kind == before->kind;
}

int owners_refresh(struct owners *owners)
{
	container_resolver_refresh(owners->resolver);
	for (size_t i = 0; i < owners->rows.count; i++) {
		struct owned_row *known = &owners->rows.items[i], now;
		int err = describe(owners, known->container.cgroup_id, &now);

		if (err)
			return err;
		if (!is_news(known, &now))
			continue;
		*known = now;
		err = recording_writer_redefine_container(owners->writer, (uint32_t)i, &known->container);
		if (err)
			return err;
	}
	return 0;
}
