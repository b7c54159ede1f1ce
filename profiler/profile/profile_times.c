/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile_times.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

void profile_times_deinit(struct profile_times *times)
{
	array_deinit(&times->containers);
	array_deinit(&times->namespaces);
	array_deinit(&times->queues);
}

static void add(struct time_sums *sums, const struct recording_times *row)
{
	sums->seen = true;
	sum_add(&sums->oncpu_ns, row->oncpu_ns);
	for (size_t i = 0; i < WAIT_STATES; i++) {
		sum_add(&sums->blocked_ns[i], row->blocked_ns[i]);
		sum_add(&sums->blocks[i], row->blocks[i]);
	}
	sum_add(&sums->short_ns, row->short_ns);
	sum_add(&sums->shorts, row->shorts);
	sum_add(&sums->woken_ns, row->woken_ns);
	sum_add(&sums->preempted_ns, row->preempted_ns);
	sum_add(&sums->throttled_ns, row->throttled_ns);
	sum_add(&sums->throttles, row->throttles);
}

/* The file is not to be trusted: its histograms may name rows and buckets that are not there. */
static bool is_of_times(const struct recording_bucket *bucket, const struct recording_tables *rows)
{
	return (bucket->kind == HISTOGRAM_WOKEN || bucket->kind == HISTOGRAM_PREEMPTED) &&
	       bucket->row < rows->times.count && bucket->bucket < RECORDING_BUCKETS;
}

static void add_bucket(struct time_sums *sums, const struct recording_bucket *bucket)
{
	if (bucket->kind == HISTOGRAM_WOKEN)
		sums->woken[bucket->bucket] += bucket->count;
	else
		sums->preempted[bucket->bucket] += bucket->count;
}

/* A container's part of a pid namespace. */
struct namespace_part {
	uint32_t place, container; /* in profile_times.namespaces; row */
	uint64_t queued_ns;
};

struct namespace_maker {
	struct profile_times *times;
	struct hash_index index, part_index;
	ARRAY(struct namespace_part) parts;
};

static void namespace_maker_deinit(struct namespace_maker *maker)
{
	hash_index_deinit(&maker->index);
	hash_index_deinit(&maker->part_index);
	array_deinit(&maker->parts);
}

/* NULL where memory is out. */
static struct time_sums *namespace_of(struct namespace_maker *maker, uint64_t pid_namespace, uint32_t *ret_place)
{
	struct profile_times *times = maker->times;
	uint64_t hash = hash_words(pid_namespace, 0);
	struct time_sums *sums;

	for (size_t at = hash_index_first(&maker->index, hash); hash_index_next(&maker->index, hash, &at, ret_place);)
		if (times->namespaces.items[*ret_place].pid_namespace == pid_namespace)
			return &times->namespaces.items[*ret_place];
	*ret_place = (uint32_t)times->namespaces.count;
	if (array_reserve(&times->namespaces, 1) || hash_index_insert(&maker->index, hash, *ret_place))
		return NULL;
	sums = array_add(&times->namespaces);
	sums->pid_namespace = pid_namespace;
	return sums;
}

static int add_part(struct namespace_maker *maker, uint32_t place, const struct recording_times *row)
{
	uint64_t hash = hash_words(place, row->container),
		 queued = sum_of(sum_of(row->woken_ns, row->preempted_ns), row->throttled_ns);
	uint32_t number;

	for (size_t at = hash_index_first(&maker->part_index, hash);
	     hash_index_next(&maker->part_index, hash, &at, &number);) {
		struct namespace_part *part = &maker->parts.items[number];

		if (part->place == place && part->container == row->container) {
			sum_add(&part->queued_ns, queued);
			return 0;
		}
	}
	if (array_reserve(&maker->parts, 1) ||
	    hash_index_insert(&maker->part_index, hash, (uint32_t)maker->parts.count))
		return -ENOMEM;
	*array_add(&maker->parts) = (struct namespace_part){place, row->container, queued};
	return 0;
}

static int add_namespaces(struct profile_times *times, const struct recording_tables *rows)
{
	_cleanup_(namespace_maker_deinit) struct namespace_maker maker = {.times = times};
	_cleanup_free_ uint64_t *longest = NULL;
	_cleanup_free_ uint32_t *places = calloc(rows->times.count + 1, sizeof(*places));
	int err = places ? 0 : -ENOMEM;

	for (size_t i = 0; i < rows->times.count && !err; i++) {
		struct time_sums *sums = namespace_of(&maker, rows->times.items[i].pid_namespace, &places[i]);

		if (!sums)
			return -ENOMEM;
		add(sums, &rows->times.items[i]);
		err = add_part(&maker, places[i], &rows->times.items[i]);
	}
	for (size_t i = 0; i < rows->buckets.count && !err; i++)
		if (is_of_times(&rows->buckets.items[i], rows))
			add_bucket(&times->namespaces.items[places[rows->buckets.items[i].row]],
				   &rows->buckets.items[i]);
	longest = err ? NULL : calloc(times->namespaces.count + 1, sizeof(*longest));
	if (!longest)
		return -ENOMEM;
	for (size_t i = 0; i < maker.parts.count; i++) {
		const struct namespace_part *part = &maker.parts.items[i];
		struct time_sums *sums = &times->namespaces.items[part->place];

		if (!sums->containers++ || part->queued_ns > longest[part->place]) {
			longest[part->place] = part->queued_ns;
			sums->container = part->container;
		}
	}
	return 0;
}

static int add_queue(struct profile_times *times, struct hash_index *index, const struct recording_queue *row)
{
	uint64_t hash = hash_words((uint64_t)row->container << 8 | row->reason, row->culprit);
	struct queue_sum *added;
	uint32_t number;

	for (size_t at = hash_index_first(index, hash); hash_index_next(index, hash, &at, &number);) {
		struct queue_sum *sum = &times->queues.items[number];

		if (sum->container == row->container && sum->culprit == row->culprit && sum->reason == row->reason) {
			sum_add(&sum->ns, row->ns);
			return 0;
		}
	}
	if (array_reserve(&times->queues, 1) || hash_index_insert(index, hash, (uint32_t)times->queues.count))
		return -ENOMEM;
	added = array_add(&times->queues);
	*added = (struct queue_sum){row->container, row->culprit, row->reason, row->ns};
	return 0;
}

static int longest_first(const void *left, const void *right)
{
	const struct queue_sum *a = left, *b = right;

	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	if (a->reason != b->reason)
		return a->reason < b->reason ? -1 : 1;
	return a->culprit < b->culprit ? -1 : a->culprit > b->culprit;
}

static int add_queues(struct profile_times *times, const struct profile *profile)
{
	struct hash_index index = {0};
	int err = 0;

	for (size_t i = 0; i < profile->rows.queues.count && !err; i++)
		err = add_queue(times, &index, &profile->rows.queues.items[i]);
	hash_index_deinit(&index);
	if (!err && times->queues.count)
		qsort(times->queues.items, times->queues.count, sizeof(*times->queues.items), longest_first);
	return err;
}

int profile_times_init(struct profile_times *times, const struct profile *profile)
{
	const struct recording_tables *rows = &profile->rows;

	memset(times, 0, sizeof(*times));
	for (uint32_t i = 0; i < rows->containers.count; i++) {
		struct time_sums *sums = array_add(&times->containers);

		if (!sums)
			return -ENOMEM;
		sums->container = i;
	}
	for (size_t i = 0; i < rows->times.count; i++) {
		add(&times->containers.items[rows->times.items[i].container], &rows->times.items[i]);
		add(&times->total, &rows->times.items[i]);
	}
	times->any = rows->times.count > 0;
	for (size_t i = 0; i < rows->buckets.count; i++) {
		const struct recording_bucket *bucket = &rows->buckets.items[i];

		if (!is_of_times(bucket, rows))
			continue;
		add_bucket(&times->containers.items[rows->times.items[bucket->row].container], bucket);
		add_bucket(&times->total, bucket);
	}
	if (add_namespaces(times, rows))
		return -ENOMEM;
	return add_queues(times, profile);
}

static int heaviest_first(const void *left, const void *right)
{
	const struct weighed_sums *a = left, *b = right;

	if (a->weight != b->weight)
		return a->weight < b->weight ? 1 : -1;
	return a->sums->container < b->sums->container ? -1 : 1;
}

int profile_times_order(const struct time_sums *sums, size_t count, uint64_t (*weight)(const struct time_sums *sums),
			struct weighed_sums **ret_order, size_t *ret_count)
{
	struct weighed_sums *order = calloc(count + 1, sizeof(*order));
	size_t seen = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (sums[i].seen)
			order[seen++] = (struct weighed_sums){weight(&sums[i]), &sums[i]};
	qsort(order, seen, sizeof(*order), heaviest_first);
	*ret_order = order;
	*ret_count = seen;
	return 0;
}

bool profile_times_have_blocks(const struct profile_times *times, const struct profile *profile)
{
	uint64_t lost_ns = profile_fact_number(profile, "waits.lost_ns");

	return times->any && (profile->rows.waits.count || profile->rows.waits_left_out.rows ||
			      time_sums_blocked(&times->total) <= sum_of(times->total.short_ns, lost_ns));
}
