/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

#define NOT_WANTED UINT32_MAX

struct summing {
	const struct profile *profile;
	struct profile_calls *calls;
	enum calls_grouping by;
	const bool *wanted;	 /* [containers]; NULL: all */
	struct hash_index index; /* of calls->rows */
	struct hash_index seen;	 /* of recorded rows: the first one of each row and container */
	uint32_t *place;	 /* [recorded rows]: the row that each is part of, or NOT_WANTED */
};

static void summing_deinit(struct summing *summing)
{
	hash_index_deinit(&summing->index);
	hash_index_deinit(&summing->seen);
	free(summing->place);
}

void profile_calls_deinit(struct profile_calls *calls)
{
	array_deinit(&calls->rows);
}

static int find_or_add(struct summing *summing, uint32_t container, string_id name, uint32_t *ret_row)
{
	uint64_t hash = hash_words(container, name);
	struct call_sums *added;
	uint32_t number;

	for (size_t at = hash_index_first(&summing->index, hash);
	     hash_index_next(&summing->index, hash, &at, &number);) {
		const struct call_sums *row = &summing->calls->rows.items[number];

		if (row->container == container && row->name == name) {
			*ret_row = number;
			return 0;
		}
	}
	number = (uint32_t)summing->calls->rows.count;
	if (array_reserve(&summing->calls->rows, 1) || hash_index_insert(&summing->index, hash, number))
		return -ENOMEM;
	added = array_add(&summing->calls->rows);
	added->container = container;
	added->name = name;
	*ret_row = number;
	return 0;
}

/* How many containers are in a row: each counts when it first comes there. */
static int count_container(struct summing *summing, uint32_t recorded, uint32_t row)
{
	const struct recording_call *rows = summing->profile->rows.calls.items;
	uint64_t hash = hash_words(row, rows[recorded].container);
	uint32_t other;

	for (size_t at = hash_index_first(&summing->seen, hash); hash_index_next(&summing->seen, hash, &at, &other);)
		if (summing->place[other] == row && rows[other].container == rows[recorded].container)
			return 0;
	summing->calls->rows.items[row].containers++;
	return hash_index_insert(&summing->seen, hash, recorded);
}

static void add(struct call_sums *sums, const struct recording_call *row)
{
	sums->count += row->count;
	sums->errors += row->errors;
	sums->timed += row->timed;
	sum_add(&sums->wall_ns, row->wall_ns);
	if (row->wall_max_ns > sums->wall_max_ns)
		sums->wall_max_ns = row->wall_max_ns;
	sum_add(&sums->oncpu_ns, row->oncpu_ns);
	sum_add(&sums->blocked_ns, row->blocked_ns);
	sum_add(&sums->uninterruptible_ns, row->uninterruptible_ns);
	sum_add(&sums->queued_ns, row->queued_ns);
	sum_add(&sums->lock_ns, row->lock_ns);
}

static int add_call(struct summing *summing, uint32_t recorded)
{
	const struct recording_call *row = &summing->profile->rows.calls.items[recorded];
	int err;

	add(&summing->calls->total, row);
	summing->place[recorded] = NOT_WANTED;
	if (summing->wanted && !summing->wanted[row->container])
		return 0;
	err = find_or_add(summing, summing->by == CALLS_BY_CALL ? CALLS_ALL : row->container,
			  summing->by == CALLS_BY_CONTAINER ? 0 : row->name, &summing->place[recorded]);
	if (err)
		return err;
	add(&summing->calls->rows.items[summing->place[recorded]], row);
	return count_container(summing, recorded, summing->place[recorded]);
}

/* The file is not to be trusted: its histograms may name rows and buckets that are not there. */
static void add_bucket(struct summing *summing, const struct recording_bucket *bucket)
{
	if (bucket->kind != HISTOGRAM_CALL || bucket->row >= summing->profile->rows.calls.count ||
	    bucket->bucket >= RECORDING_BUCKETS)
		return;
	if (summing->place[bucket->row] != NOT_WANTED)
		summing->calls->rows.items[summing->place[bucket->row]].histogram[bucket->bucket] += bucket->count;
	summing->calls->total.histogram[bucket->bucket] += bucket->count;
}

int profile_calls_init(struct profile_calls *calls, const struct profile *profile, enum calls_grouping by,
		       const bool *wanted)
{
	_cleanup_(summing_deinit) struct summing summing = {
		.profile = profile, .calls = calls, .by = by, .wanted = wanted};
	int err;

	memset(calls, 0, sizeof(*calls));
	calls->total.container = CALLS_ALL;
	summing.place = calloc(profile->rows.calls.count + 1, sizeof(*summing.place));
	err = summing.place ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < profile->rows.calls.count && !err; i++)
		err = add_call(&summing, i);
	for (size_t i = 0; i < profile->rows.buckets.count && !err; i++)
		add_bucket(&summing, &profile->rows.buckets.items[i]);
	return err;
}
