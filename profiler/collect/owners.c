/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/owners.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/partition_point.h"

#define GONE_ROUNDS 6 /* a refresh each: late samples of what is gone come within a few seconds */
#define IDENTITY_BYTES 512
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
	char *identity;			      /* who it is, as text: numbers of strings may pass */
	char *own;			      /* where it is: see struct container_info; "" where unknown */
	char *path;			      /* of its cgroup, "" where unknown */
	bool on_disk;			      /* with names from there */
	bool living;			      /* one of its cgroups does; while rows are being forgotten */
	uint64_t used;			      /* round */
};

/* What a cgroup is now. */
struct described {
	struct recording_container container;
	char identity[IDENTITY_BYTES];
	const char *own;  /* the resolver's, until it is asked again */
	const char *path; /* the tree's */
	bool on_disk;
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

static void free_texts(struct owned_row *row)
{
	free(row->identity);
	free(row->own);
	free(row->path);
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	for (size_t i = 0; i < owners->rows.count; i++)
		free_texts(&owners->rows.items[i]);
	array_deinit(&owners->cgroups);
	array_deinit(&owners->rows);
	hash_index_deinit(&owners->index);
	free(owners);
}

static int add_text(struct owners *owners, const char *text, string_id *ret_id)
{
	return recording_writer_passing(owners->writer, text ? text : "", text ? strlen(text) : 0, ret_id);
}

static int describe_known(struct owners *owners, struct described *known)
{
	struct recording_container *row = &known->container;
	struct container_info info;
	int err = container_resolver_describe(owners->resolver, known->path, &info);

	if (err)
		return err;
	row->kind = (uint8_t)info.kind;
	known->on_disk = info.on_disk;
	known->own = info.own;
	snprintf(known->identity, sizeof(known->identity), "%s\n%s\n%s", info.runtime, info.id,
		 info.id[0] ? "" : info.name);
	if (add_text(owners, info.name, &row->name) || add_text(owners, info.id, &row->id) ||
	    add_text(owners, info.runtime, &row->runtime) || add_text(owners, info.image, &row->image) ||
	    add_text(owners, info.pod, &row->pod) || add_text(owners, info.namespace, &row->namespace) ||
	    add_text(owners, known->path, &row->cgroup))
		return -ENOMEM;
	return 0;
}

static int describe(struct owners *owners, uint64_t cgroup_id, struct described *ret_described)
{
	struct described known = {.container.cgroup_id = cgroup_id, .own = ""};
	const char *path = cgroup_tree_path(owners->tree, cgroup_id);
	char text[64];
	int err;

	known.path = path ? path : "";
	if (cgroup_id == CGROUP_KERNEL_THREADS) {
		known.container.kind = CONTAINER_KERNEL;
		err = add_text(owners, "kernel", &known.container.name);
	} else if (cgroup_id == CGROUP_OTHERS) {
		err = add_text(owners, "[too many cgroups at once]", &known.container.name);
	} else if (path) {
		err = describe_known(owners, &known);
	} else {
		snprintf(text, sizeof(text), "[unknown cgroup %" PRIx64 "]", cgroup_id);
		err = add_text(owners, text, &known.container.name);
	}
	if (!err)
		*ret_described = known;
	return err;
}

static struct owned_row *row_at(const struct owners *owners, uint32_t number)
{
	size_t at = partition_point(i, owners->rows.count, owners->rows.items[i].number < number);

	return at < owners->rows.count && owners->rows.items[at].number == number ? &owners->rows.items[at] : NULL;
}

/* Anybody who may make cgroups may name one like a container or a unit: only where it is tells them apart. */
static bool same_container(const struct owned_row *known, const struct described *now)
{
	return known->container.kind == now->container.kind && known->container.kind != CONTAINER_UNKNOWN &&
	       !strcmp(known->identity, now->identity) && !strcmp(known->own, now->own);
}

/* A runtime makes the directory first and writes down later whose it is: a sample may come between the two. */
static bool became_container(const struct owned_row *known, const struct described *now)
{
	return known->container.kind == CONTAINER_HOST && now->container.kind == CONTAINER_CONTAINER &&
	       !strcmp(known->path, now->path);
}

/* Fills a row with what is known now; as it was after an error. */
static int take(struct owned_row *row, const struct described *now)
{
	struct owned_row texts = {
		.identity = strdup(now->identity),
		.own = strdup(now->own),
		.path = strdup(now->path),
	};

	if (!texts.identity || !texts.own || !texts.path) {
		free_texts(&texts);
		return -ENOMEM;
	}
	free_texts(row);
	row->identity = texts.identity;
	row->own = texts.own;
	row->path = texts.path;
	row->container = now->container;
	row->on_disk = now->on_disk;
	return 0;
}

static int redefine(struct owners *owners, struct owned_row *known, const struct described *now)
{
	int err = take(known, now);

	return err ? err : recording_writer_redefine_container(owners->writer, known->number, &known->container);
}

static int add_row(struct owners *owners, const struct described *now, uint32_t *ret_row)
{
	struct owned_row row = {.used = owners->round};
	int err = array_reserve(&owners->rows, 1) ? -ENOMEM : take(&row, now);

	if (!err)
		err = recording_writer_container(owners->writer, &row.container, &row.number);
	if (err) {
		free_texts(&row);
		return err;
	}
	*array_add(&owners->rows) = row;
	*ret_row = row.number;
	return 0;
}

static int find_or_add_row(struct owners *owners, const struct described *now, uint32_t *ret_row)
{
	for (size_t i = 0; i < owners->rows.count; i++) {
		struct owned_row *known = &owners->rows.items[i];
		bool became = became_container(known, now);

		if (!became && !same_container(known, now))
			continue;
		known->used = owners->round;
		*ret_row = known->number;
		return became ? redefine(owners, known, now) : 0;
	}
	return add_row(owners, now, ret_row);
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
	uint64_t id = kernel_thread ? CGROUP_KERNEL_THREADS : cgroup_id, hash = hash_words(id, 0);
	struct owned_cgroup *known = find_cgroup(owners, id, hash);
	struct described now;
	int err;

	if (known) {
		known->used = owners->round;
		*ret_row = known->row;
		return 0;
	}
	err = describe(owners, id, &now);
	if (!err)
		err = find_or_add_row(owners, &now, ret_row);
	if (err || array_reserve(&owners->cgroups, 1) ||
	    hash_index_insert(&owners->index, hash, (uint32_t)owners->cgroups.count))
		return err ? err : -ENOMEM;
	known = array_add(&owners->cgroups);
	*known = (struct owned_cgroup){.id = id, .row = *ret_row, .used = owners->round};
	known->gone = id != CGROUP_KERNEL_THREADS && cgroup_tree_is_gone(owners->tree, id);
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

	*ret_cgroup = owned ? owned->path : "";
	return owned ? (enum container_kind)owned->container.kind : CONTAINER_UNKNOWN;
}

bool owners_knows(const struct owners *owners, uint64_t cgroup_id)
{
	return cgroup_tree_path(owners->tree, cgroup_id);
}

bool owners_is_gone(const struct owners *owners, uint64_t cgroup_id)
{
	const struct owned_cgroup *known = find_cgroup(owners, cgroup_id, hash_words(cgroup_id, 0));

	return (known && known->gone) || cgroup_tree_is_gone(owners->tree, cgroup_id);
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

static bool is_of_a_cgroup(const struct owned_cgroup *known)
{
	return known->id != CGROUP_KERNEL_THREADS && known->id != CGROUP_OTHERS;
}

int owners_look(struct owners *owners)
{
	bool any_unknown = false;
	int err = 0;

	for (size_t i = 0; i < owners->cgroups.count; i++)
		any_unknown |= is_of_a_cgroup(&owners->cgroups.items[i]) && !owners->cgroups.items[i].gone &&
			       !owners_knows(owners, owners->cgroups.items[i].id);
	if (any_unknown)
		err = cgroup_tree_scan(owners->tree);
	cgroup_tree_look(owners->tree);
	for (size_t i = 0; i < owners->cgroups.count && !err; i++) {
		const struct owned_cgroup *known = &owners->cgroups.items[i];

		/* What no directory is of, is gone as well. */
		if (!known->gone && is_of_a_cgroup(known) &&
		    (cgroup_tree_is_gone(owners->tree, known->id) || !owners_knows(owners, known->id)))
			note_gone(owners, known->id);
	}
	return err;
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
static bool is_news(const struct owned_row *known, const struct described *now)
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
			free_texts(row);
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
	struct described now;
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
