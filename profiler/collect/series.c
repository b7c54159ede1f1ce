/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/series.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "profiler/collect/series_rows.h"
#include "profiler/containers/cgroup_stat.h"
#include "profiler/containers/host_stat.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/partition_point.h"

#define FILES_MAX 4096
#define YOUNG_MAX 1024

struct tracked {
	uint32_t row; /* the container's */
	char *path;
	struct cgroup_stat *stat; /* NULL: it is gone */
	bool removed;		  /* somebody told so: what is made at its path is another one */
	struct series_past past;
};

/* A container that was looked at. */
struct looked_at {
	uint32_t row;
	uint32_t place; /* in @tracked, or: */
};
#define LEFT_OUT UINT32_MAX
#define FORGOTTEN (UINT32_MAX - 1) /* long gone; its place is another one's */
#define ANEW (UINT32_MAX - 2)	   /* it is back */

/* A cgroup that was made not long ago. */
struct young_cgroup {
	uint64_t id, made_ns;
	char *path;
};

struct series {
	struct series_parts parts;
	struct cgroup_stat_reader *reader;
	ARRAY(struct tracked) tracked;
	ARRAY(struct looked_at) looked_at; /* ascending by row */
	ARRAY(struct young_cgroup) young;
	struct series_rows rows;
	struct series_past host;
	size_t next; /* whose turn it is */
	struct series_counts counts;
};

/* A quarter of the descriptors: the rest is for containers' files. */
static size_t files_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur / 4 > FILES_MAX)
		return FILES_MAX;
	return files.rlim_cur / 4;
}

int series_new(const struct series_parts *parts, struct series **ret_series)
{
	struct series *series = calloc(1, sizeof(*series));

	if (!series)
		return -ENOMEM;
	series->parts = *parts;
	series->rows.start_ns = parts->start_ns;
	if (cgroup_stat_reader_new(parts->root, files_max(), &series->reader)) {
		series_free(series);
		return -ENOMEM;
	}
	*ret_series = series;
	return 0;
}

void series_free(struct series *series)
{
	if (!series)
		return;
	for (size_t i = 0; i < series->tracked.count; i++) {
		cgroup_stat_free(series->tracked.items[i].stat);
		free(series->tracked.items[i].path);
	}
	for (size_t i = 0; i < series->young.count; i++)
		free(series->young.items[i].path);
	array_deinit(&series->tracked);
	array_deinit(&series->looked_at);
	array_deinit(&series->young);
	series_rows_deinit(&series->rows);
	cgroup_stat_reader_free(series->reader);
	free(series);
}

const struct series_counts *series_counts(const struct series *series)
{
	return &series->counts;
}

static int read_one(struct series *series, struct tracked *one)
{
	uint64_t now = clock_now_ns(), unrelated;
	struct series_values values;
	int err = cgroup_stat_read(one->stat, &values, &unrelated);

	/* No descriptor or no memory for it: the next row spans this time, too. */
	if (err && err != -ENOENT) {
		series->counts.missed++;
		return 0;
	}
	if (err) {
		cgroup_stat_free(one->stat);
		one->stat = NULL;
		return series_rows_let_go(&series->rows, &one->past);
	}
	series->counts.readings++;
	series->counts.containers += !one->past.read_ns;
	return series_rows_add(&series->rows, &one->past, one->row, &values, unrelated, now);
}

static int read_host(struct series *series)
{
	uint64_t now = clock_now_ns();
	struct series_values values;

	host_stat_read(series->parts.root, &values);
	return series_rows_add(&series->rows, &series->host, SERIES_HOST, &values, 0, now);
}

static int read_containers(struct series *series)
{
	size_t live = 0, read = 0;
	int err = 0;

	for (size_t i = 0; i < series->tracked.count; i++)
		live += series->tracked.items[i].stat != NULL;
	for (size_t i = 0; i < series->tracked.count && read < SERIES_READS_MAX && !err; i++) {
		series->next %= series->tracked.count;
		if (series->tracked.items[series->next].stat) {
			err = read_one(series, &series->tracked.items[series->next]);
			read++;
		}
		series->next++;
	}
	series->counts.put_off += live - read;
	return err;
}

static bool same_container(const struct container_info *a, const struct container_info *b)
{
	return a->kind == CONTAINER_CONTAINER && b->kind == CONTAINER_CONTAINER && !strcmp(a->id, b->id) &&
	       (a->id[0] || !strcmp(a->name, b->name));
}

/* A container may have cgroups below its own: the topmost one counts for all. @path has room for PATH_MAX. */
static int topmost(struct series *series, char *path)
{
	struct container_info own, above;
	int err = container_resolver_describe(series->parts.resolver, path, &own);
	char *slash;

	while (!err && (slash = strrchr(path, '/')) && slash != path) {
		*slash = '\0';
		err = container_resolver_describe(series->parts.resolver, path, &above);
		if (err || !same_container(&own, &above)) {
			*slash = '/';
			break;
		}
	}
	return err;
}

static uint64_t made_ns(const struct series *series, const char *path)
{
	for (size_t i = 0; i < series->young.count; i++)
		if (!strcmp(series->young.items[i].path, path))
			return series->young.items[i].made_ns;
	return 0;
}

/* Where a row is, or would be, among those that were looked at. */
static size_t place_of(const struct series *series, uint32_t row)
{
	return partition_point(i, series->looked_at.count, series->looked_at.items[i].row < row);
}

static struct looked_at *look_of(const struct series *series, uint32_t row)
{
	size_t place = place_of(series, row);

	return place < series->looked_at.count && series->looked_at.items[place].row == row
		       ? &series->looked_at.items[place]
		       : NULL;
}

static struct looked_at *add_look(struct series *series, uint32_t row)
{
	struct looked_at *look = array_insert(&series->looked_at, place_of(series, row));

	if (look)
		*look = (struct looked_at){.row = row, .place = LEFT_OUT};
	return look;
}

static void stop_tracking(struct series *series, size_t place)
{
	struct tracked *gone = &series->tracked.items[place];
	const struct tracked *last = &series->tracked.items[series->tracked.count - 1];

	look_of(series, gone->row)->place = FORGOTTEN;
	cgroup_stat_free(gone->stat);
	free(gone->path);
	if (gone != last) {
		*gone = *last;
		look_of(series, gone->row)->place = (uint32_t)place;
	}
	series->tracked.count--;
}

static bool make_room(struct series *series)
{
	if (series->tracked.count < SERIES_CONTAINERS_MAX)
		return true;
	for (size_t i = 0; i < series->tracked.count; i++) {
		if (series->tracked.items[i].stat)
			continue;
		stop_tracking(series, i);
		return true;
	}
	return false;
}

/* @look: of this container; none is added meanwhile. */
static int track(struct series *series, struct looked_at *look, const char *cgroup)
{
	char path[PATH_MAX];
	struct tracked one = {.row = look->row};
	int err = 0;

	look->place = LEFT_OUT;
	if (strlen(cgroup) >= sizeof(path) || !make_room(series)) {
		series->counts.left_out++;
		return 0;
	}
	memcpy(path, cgroup, strlen(cgroup) + 1);
	err = topmost(series, path);
	if (!err)
		err = cgroup_stat_new(series->reader, path, &one.stat);
	one.path = err ? NULL : strdup(path);
	if (!err && (!one.path || array_reserve(&series->tracked, 1)))
		err = -ENOMEM;
	if (err) {
		cgroup_stat_free(one.stat);
		free(one.path);
		return err == -EINVAL ? 0 : err;
	}
	one.past.made_ns = made_ns(series, path);
	look->place = (uint32_t)series->tracked.count;
	*array_add(&series->tracked) = one;
	return 0;
}

/* Rows that the owners have forgotten do not come again. */
static int forget(struct series *series)
{
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < series->looked_at.count && !err; i++) {
		const struct looked_at *look = &series->looked_at.items[i];

		if (look->place < ANEW && !owners_holds(series->parts.owners, look->row)) {
			err = series_rows_let_go(&series->rows, &series->tracked.items[look->place].past);
			stop_tracking(series, look->place);
		}
	}
	for (size_t i = 0; i < series->looked_at.count; i++)
		if (owners_holds(series->parts.owners, series->looked_at.items[i].row))
			series->looked_at.items[kept++] = series->looked_at.items[i];
	series->looked_at.count = kept;
	return err;
}

/* Whatever the recording knows as a container by now has a series. */
static int track_new(struct series *series)
{
	struct looked_at *look;
	int err = forget(series);

	for (size_t i = 0; i < owners_count(series->parts.owners) && !err; i++) {
		uint32_t row = owners_at(series->parts.owners, i);
		const char *cgroup;

		look = look_of(series, row);
		if ((look && look->place != ANEW) ||
		    owners_kind(series->parts.owners, row, &cgroup) != CONTAINER_CONTAINER)
			continue;
		if (!look)
			look = add_look(series, row);
		err = look ? track(series, look, cgroup) : -ENOMEM;
	}
	return err;
}

static int want(void *data, uint64_t id, const char *path)
{
	struct series *series = data;
	struct container_info info;
	struct looked_at *look;
	const char *cgroup;
	uint32_t row;
	int err = container_resolver_describe(series->parts.resolver, path, &info);

	if (err || info.kind != CONTAINER_CONTAINER)
		return err;
	err = owners_row(series->parts.owners, id, false, &row);
	/* A sample of it came before its runtime had written down what it is. */
	if (!err && owners_kind(series->parts.owners, row, &cgroup) != CONTAINER_CONTAINER)
		err = owners_refresh(series->parts.owners);
	look = err ? NULL : look_of(series, row);
	if (look && look->place == FORGOTTEN)
		look->place = ANEW;
	return err;
}

/* Runtimes write down what a cgroup is after they made it: young ones are looked at again. */
static int want_young(struct series *series, uint64_t now)
{
	size_t kept = 0;
	int err = 0;

	if (series->young.count)
		container_resolver_refresh(series->parts.resolver);
	for (size_t i = 0; i < series->young.count; i++) {
		struct young_cgroup young = series->young.items[i];

		if (!err && !series->parts.filtered)
			err = want(series, young.id, young.path);
		if (now < young.made_ns + SERIES_YOUNG_NS)
			series->young.items[kept++] = young;
		else
			free(young.path);
	}
	series->young.count = kept;
	return err;
}

/* What was made where another one was counts from zero. */
static int begin_anew(struct series *series, struct tracked *one, uint64_t now)
{
	struct cgroup_stat *stat;
	int err = series_rows_let_go(&series->rows, &one->past);

	if (!err)
		err = cgroup_stat_new(series->reader, one->path, &stat);
	if (err)
		return err;
	cgroup_stat_free(one->stat);
	one->stat = stat;
	one->removed = false;
	one->past = (struct series_past){.made_ns = now};
	return 0;
}

static int made(struct series *series, const struct cgroup_event *event)
{
	uint64_t now = clock_now_ns();
	struct young_cgroup young = {event->cgroup_id, now, strdup(event->path)}, *added;
	int err = young.path ? 0 : -ENOMEM;

	for (size_t i = 0; i < series->tracked.count && !err; i++) {
		struct tracked *one = &series->tracked.items[i];

		/* In v1 it is made in each hierarchy: what was begun at the first stays. */
		if ((!one->stat || one->removed) && !strcmp(one->path, event->path))
			err = begin_anew(series, one, now);
	}
	added = err || series->young.count >= YOUNG_MAX ? NULL : array_add(&series->young);
	if (added)
		*added = young;
	else
		free(young.path);
	return err;
}

int series_cgroup(struct series *series, const struct cgroup_event *event)
{
	if (event->type != EVENT_CGROUP_REMOVED)
		return made(series, event);
	/* The next reading finds that nothing of it is left, unless another one is made before. */
	for (size_t i = 0; i < series->tracked.count; i++)
		if (!strcmp(series->tracked.items[i].path, event->path))
			series->tracked.items[i].removed = true;
	return 0;
}

int series_start(struct series *series)
{
	int err = series->parts.filtered ? 0 : cgroup_tree_each(series->parts.tree, want, series);

	if (!err)
		err = track_new(series);
	if (!err)
		err = read_host(series);
	return err ? err : read_containers(series);
}

int series_tick(struct series *series)
{
	uint64_t before = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	int err = read_host(series);

	if (!err)
		err = want_young(series, clock_now_ns());
	if (!err)
		err = track_new(series);
	if (!err)
		err = read_containers(series);
	series->counts.cpu_ns += clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - before;
	return err;
}

int series_flush(struct series *series)
{
	return series_rows_flush(&series->rows, series->parts.writer);
}

int series_end(struct series *series)
{
	int err = 0;

	for (size_t i = 0; i < series->tracked.count && !err; i++)
		err = series_rows_let_go(&series->rows, &series->tracked.items[i].past);
	return err;
}
