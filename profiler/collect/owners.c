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

#define GONE_ROUNDS 6 /* a refresh each: late samples of what is gone come within a few seconds */
#define KEPT_MAX 1024 /* rows without a living cgroup, whose container may come back */

struct owned_cgroup {
	uint64_t id;
	uint32_t row; /* of the recording */
	bool gone;
	uint64_t used; /* round */
};

struct owned_row {
	uint32_t number;		      /* in the recording; they ascend */
	struct recording_container container; /* as the recording has it */
	bool on_disk;			      /* with names from there */
	bool living;			      /* one of its cgroups does; while rows are being forgotten */
	uint64_t used;			      /* round */
};

struct owners {
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	struct recording_writer *writer;
	ARRAY(struct owned_cgroup) cgroups;
	struct hash_index index;
	ARRAY(struct owned_row) rows;
	uint64_t round; /* counts refreshes */
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
		*ret_row = (struct owned_row){.container = row, .on_disk = on_disk};
	return err;
}

static struct owned_row *row_at(const struct owners *owners, uint32_t number)
{
	size_t first = 0, end = owners->rows.count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (owners->rows.items[middle].number < number)
			first = middle + 1;
		else
			end = middle;
	}
	return first < owners->rows.count && owners->rows.items[first].number == number ? &owners->rows.items[first]
											: NULL;
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

/* Takes @row in place of what was known, under the same number. */
static int redefine(struct owners *owners, struct owned_row *known, const struct owned_row *row)
{
	known->container = row->container;
	known->on_disk = row->on_disk;
	return recording_writer_redefine_container(owners->writer, known->number, &known->container);
}

static int find_or_add_row(struct owners *owners, const struct owned_row *row, uint32_t *ret_row)
{
	struct owned_row *added;
	uint32_t number;
	int err;

	for (size_t i = 0; i < owners->rows.count; i++) {
		struct owned_row *known = &owners->rows.items[i];
		bool became = became_container(&known->container, &row->container);

		if (!became && !same_container(&known->container, &row->container))
			continue;
		known->used = owners->round;
		*ret_row = known->number;
		return became ? redefine(owners, known, row) : 0;
	}
	if (array_reserve(&owners->rows, 1))
		return -ENOMEM;
	err = recording_writer_container(owners->writer, &row->container, &number);
	if (err)
		return err;
	added = array_add(&owners->rows);
	*added = *row;
	added->number = number;
	added->used = owners->round;
	*ret_row = number;
	return 0;
}

static struct owned_cgroup *find_cgroup(const struct owners *owners, uint64_t id, uint64_t hash)
{
	uint32_t number;

	for (size_t at = hash_index_first(&owners->index, hash); hash_index_next(&owners->index, hash, &at, &number);)
		if (owners->cgroups.items[number].id == id)
			return &owners->cgroups.items[number];
	return NULL;
}

int owners_row(struct owners *owners, uint64_t cgroup_id, bool kernel_thread, uint32_t *ret_row)
{
	uint64_t id = kernel_thread ? KERNEL_THREADS : cgroup_id, hash = hash_words(id, 0);
	struct owned_cgroup *known = find_cgroup(owners, id, hash);
	struct owned_row row;
	int err;

	if (known) {
		known->used = owners->round;
		*ret_row = known->row;
		return 0;
	}
	err = describe(owners, id, &row);
	if (!err)
		err = find_or_add_row(owners, &row, ret_row);
	if (err || array_reserve(&owners->cgroups, 1) ||
	    hash_index_insert(&owners->index, hash, (uint32_t)owners->cgroups.count))
		return err ? err : -ENOMEM;
	known = array_add(&owners->cgroups);
	*known = (struct owned_cgroup){.id = id, .row = *ret_row, .used = owners->round};
	known->gone = id != KERNEL_THREADS && cgroup_tree_is_gone(owners->tree, id);
	return 0;
}

bool owners_holds(const struct owners *owners, uint32_t row)
{
	return row_at(owners, row);
}

size_t owners_count(const struct owners *owners)
{
	return owners->rows.count;
}

uint32_t owners_at(const struct owners *owners, size_t place)
{
	return owners->rows.items[place].number;
}

enum container_kind owners_kind(const struct owners *owners, uint32_t row, const char **ret_cgroup)
{
	const struct owned_row *owned = row_at(owners, row);

	*ret_cgroup = owned ? recording_writer_text(owners->writer, owned->container.cgroup) : "";
	return owned ? (enum container_kind)owned->container.kind : CONTAINER_UNKNOWN;
}

static void note_gone(struct owners *owners, uint64_t cgroup_id)
{
	struct owned_cgroup *known = find_cgroup(owners, cgroup_id, hash_words(cgroup_id, 0));

	if (known) {
		known->gone = true;
		known->used = owners->round;
	}
	cgroup_tree_gone(owners->tree, cgroup_id);
}

int owners_cgroup(struct owners *owners, const struct cgroup_event *event)
{
	uint32_t row;
	int err;

	if (event->type == EVENT_CGROUP_REMOVED) {
		note_gone(owners, event->cgroup_id);
		return 0;
	}
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

static bool is_recent(const struct owners *owners, uint64_t used)
{
	return owners->round - used <= GONE_ROUNDS;
}

/* Which rows a cgroup still stands for: it lives, or was gone or used a moment ago. */
static void find_living(struct owners *owners)
{
	for (size_t i = 0; i < owners->rows.count; i++)
		owners->rows.items[i].living = is_recent(owners, owners->rows.items[i].used);
	for (size_t i = 0; i < owners->cgroups.count; i++) {
		const struct owned_cgroup *cgroup = &owners->cgroups.items[i];
		struct owned_row *row = row_at(owners, cgroup->row);

		if (row && (!cgroup->gone || is_recent(owners, cgroup->used)))
			row->living = true;
	}
}

/* A container may be started again under its id; a plain cgroup of the host that comes back is another one. */
static bool may_come_back(const struct owned_row *row)
{
	return row->container.kind == CONTAINER_CONTAINER;
}

static void forget_rows(struct owners *owners)
{
	size_t gone = 0, kept = 0;

	for (size_t i = 0; i < owners->rows.count; i++)
		gone += !owners->rows.items[i].living && may_come_back(&owners->rows.items[i]);
	for (size_t i = 0; i < owners->rows.count; i++) {
		struct owned_row *row = &owners->rows.items[i];

		if (!row->living && (!may_come_back(row) || gone > KEPT_MAX)) {
			gone -= may_come_back(row);
			continue;
		}
		owners->rows.items[kept++] = *row;
	}
	owners->rows.count = kept;
}

static void forget_cgroups(struct owners *owners)
{
	size_t kept = 0;

	for (size_t i = 0; i < owners->cgroups.count; i++) {
		const struct owned_cgroup *cgroup = &owners->cgroups.items[i];

		if (!cgroup->gone || is_recent(owners, cgroup->used))
			owners->cgroups.items[kept++] = *cgroup;
	}
	if (kept == owners->cgroups.count)
		return;
	owners->cgroups.count = kept;
	hash_index_clear(&owners->index);
	/* Fewer than before: the index does not grow and cannot fail. */
	for (size_t i = 0; i < kept; i++)
		hash_index_insert(&owners->index, hash_words(owners->cgroups.items[i].id, 0), (uint32_t)i);
}

static int look_again(struct owners *owners, struct owned_row *known)
{
	struct owned_row now;
	int err = describe(owners, known->container.cgroup_id, &now);

	return err || !is_news(known, &now) ? err : redefine(owners, known, &now);
}

int owners_refresh(struct owners *owners)
{
	int err = 0;

	container_resolver_refresh(owners->resolver);
	find_living(owners);
	for (size_t i = 0; i < owners->rows.count && !err; i++)
		if (owners->rows.items[i].living)
			err = look_again(owners, &owners->rows.items[i]);
	return err;
}

void owners_forget(struct owners *owners)
{
	owners->round++;
	find_living(owners);
	forget_rows(owners);
	forget_cgroups(owners);
	cgroup_tree_forget(owners->tree);
}
