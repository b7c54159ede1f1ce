/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/recording_keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define ACCOUNTS_MIN 1024 /* fewer are not worth a pass */

void recording_keeper_init(struct recording_keeper *keeper, struct recording_tables *tables, unsigned int wants)
{
	memset(keeper, 0, sizeof(*keeper));
	keeper->tables = tables;
	keeper->wants = wants;
}

void recording_keeper_deinit(struct recording_keeper *keeper)
{
	hash_index_deinit(&keeper->index);
}

struct any_array *recording_keeper_rows(const struct recording_keeper *keeper, enum table_id table)
{
	return (struct any_array *)((char *)keeper->tables + recording_shapes[table].rows);
}

size_t recording_keeper_count(const struct recording_keeper *keeper, enum table_id table)
{
	return recording_keeper_rows(keeper, table)->count + keeper->forgotten[table];
}

uint64_t recording_keeper_bytes(const struct recording_keeper *keeper)
{
	uint64_t bytes = keeper->index.slots ? (keeper->index.mask + 1) * sizeof(*keeper->index.slots) : 0;

	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table))
		bytes += recording_keeper_rows(keeper, table)->count * recording_shapes[table].row_bytes;
	return bytes;
}

bool recording_keeper_has_left_out(const struct recording_keeper *keeper)
{
	bool left_out = false;

	for (enum table_id table = TABLE_FIRST_LATER; table < TABLES; table = next_kept_table(table))
		left_out |= table != TABLE_SERIES && table != TABLE_TIMES && keeper->forgotten[table];
	return left_out;
}

/* Most are of calls, and of no use to those who ask for the run queue. */
static void forget_buckets(struct recording_keeper *keeper)
{
	struct recording_tables *tables = keeper->tables;

	for (size_t i = keeper->buckets; i < tables->buckets.count; i++)
		if (recording_buckets_are_wanted(tables->buckets.items[i].kind, keeper->wants))
			tables->buckets.items[keeper->buckets++] = tables->buckets.items[i];
	keeper->forgotten[TABLE_BUCKETS] += tables->buckets.count - keeper->buckets;
	tables->buckets.count = keeper->buckets;
}

static void sum_up_waits(struct recording_tables *tables)
{
	for (size_t i = 0; i < tables->waits.count; i++)
		recording_waits_add(&tables->waits_left_out, &tables->waits.items[i]);
}

void recording_keeper_take_chunk(struct recording_keeper *keeper)
{
	forget_buckets(keeper);
	if (!recording_table_is_wanted(TABLE_WAITS, keeper->wants))
		sum_up_waits(keeper->tables);
	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table)) {
		struct any_array *rows = recording_keeper_rows(keeper, table);

		if (recording_table_is_wanted(table, keeper->wants))
			continue;
		keeper->forgotten[table] += rows->count;
		rows->count = 0;
	}
}

bool recording_keeper_adds_up(const struct recording_keeper *keeper)
{
	size_t accounts = keeper->tables->accounting.count;

	return !accounts || accounts > keeper->mark[TABLE_ACCOUNTING];
}

/* One of the rows that a sample adds to: where, how and by whom it was taken, whenever. */
static struct recording_sample *place_of(const struct recording_keeper *keeper, const struct recording_sample *sample,
					 uint64_t hash)
{
	uint32_t number;

	for (size_t at = hash_index_first(&keeper->index, hash); hash_index_next(&keeper->index, hash, &at, &number);) {
		struct recording_sample *known = &keeper->tables->samples.items[number];

		if (known->container == sample->container && known->stack == sample->stack &&
		    known->thread == sample->thread && known->kind == sample->kind &&
		    known->stack_end == sample->stack_end)
			return known;
	}
	return NULL;
}

static int merge_samples(struct recording_keeper *keeper)
{
	struct recording_tables *tables = keeper->tables;
	bool by_thread = recording_table_is_wanted(TABLE_THREADS, keeper->wants);

	for (size_t i = keeper->places; i < tables->samples.count; i++) {
		struct recording_sample sample = tables->samples.items[i], *known;
		uint64_t hash;

		if (!by_thread)
			sample.thread = 0;
		hash = hash_words(hash_words(sample.container, (uint64_t)sample.thread << 32 | sample.stack),
				  (uint64_t)sample.kind << 8 | sample.stack_end);
		known = place_of(keeper, &sample, hash);
		if (!known) {
			if (hash_index_insert(&keeper->index, hash, (uint32_t)keeper->places))
				return -ENOMEM;
			tables->samples.items[keeper->places++] = sample;
			continue;
		}
		known->count += sample.count;
		known->time_ns = sample.time_ns > known->time_ns ? sample.time_ns : known->time_ns;
	}
	keeper->forgotten[TABLE_SAMPLES] += tables->samples.count - keeper->places;
	tables->samples.count = keeper->places;
	return 0;
}

/* A flush writes an account for each container that did something: in days these are more than all else. */
static int keep_last_accounts(struct recording_keeper *keeper)
{
	struct recording_tables *tables = keeper->tables;
	size_t containers = tables->containers.count, kept = 0;
	_cleanup_free_ uint32_t *place = NULL;

	/* A pass costs as much as there are containers: where it is for as many accounts, all passes are of the file's length. */
	if (tables->accounting.count < 2 * keeper->accounts || tables->accounting.count < containers ||
	    tables->accounting.count < ACCOUNTS_MIN)
		return 0;
	place = malloc((containers + 1) * sizeof(*place));
	if (!place)
		return -ENOMEM;
	memset(place, 0xff, (containers + 1) * sizeof(*place));
	for (size_t i = 0; i < tables->accounting.count; i++) {
		struct recording_accounting row = tables->accounting.items[i];
		uint32_t *at = &place[row.container == RECORDING_TOTAL ? containers : row.container];

		if (*at == UINT32_MAX)
			*at = (uint32_t)kept++;
		tables->accounting.items[*at] = row;
	}
	tables->accounting.count = keeper->accounts = kept;
	return 0;
}

int recording_keeper_mark(struct recording_keeper *keeper)
{
	int err = keep_last_accounts(keeper);

	/* A call is of a sample's row: who wants calls has the rows as they are. */
	if (!err && !(keeper->wants & RECORDING_SAMPLE_CALLS))
		err = merge_samples(keeper);
	if (err)
		return err;
	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table)) {
		keeper->mark[table] = recording_keeper_rows(keeper, table)->count;
		keeper->marked |= keeper->mark[table] > 0;
	}
	keeper->mark_calls_told = keeper->tables->calls_told;
	keeper->mark_waits_left_out = keeper->tables->waits_left_out;
	return 0;
}

int recording_keeper_back(struct recording_keeper *keeper)
{
	if (!keeper->marked)
		return -EFBIG;
	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table))
		recording_keeper_rows(keeper, table)->count = keeper->mark[table];
	keeper->tables->calls_told = keeper->mark_calls_told;
	keeper->tables->waits_left_out = keeper->mark_waits_left_out;
	return 0;
}
