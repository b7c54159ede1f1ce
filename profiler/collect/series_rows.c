/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/series_rows.h"

#include <errno.h>
#include <stdlib.h>

void series_rows_deinit(struct series_rows *rows)
{
	array_deinit(&rows->list);
}

void series_between(const struct series_values *before, const struct series_values *after, bool fresh,
		    uint64_t unrelated, struct series_values *ret_change)
{
	struct series_values change = {0};

	for (unsigned int i = 0; i < SERIES_MEASURES; i++) {
		uint64_t bit = SERIES_BIT(i), now = after->values[i], then = before->values[i];

		if (!(after->known & bit))
			continue;
		if (!(SERIES_NOW & bit)) {
			if (unrelated & bit || (!(before->known & bit) && !fresh) || now < then)
				continue;
			now -= then;
		}
		series_put(&change, (enum series_measure)i, now);
	}
	*ret_change = change;
}

static int add_row(struct series_rows *rows, const struct recording_series *row)
{
	struct recording_series *added = array_add(&rows->list);

	if (!added)
		return -ENOMEM;
	*added = *row;
	return 0;
}

static bool is_quiet(const struct series_values *change, const struct series_values *last)
{
	if (change->known != last->known)
		return false;
	for (unsigned int i = 0; i < SERIES_MEASURES; i++)
		if (change->values[i] != (SERIES_NOW & SERIES_BIT(i) ? last->values[i] : 0))
			return false;
	return true;
}

int series_rows_add(struct series_rows *rows, struct series_past *past, uint32_t container,
		    const struct series_values *values, uint64_t unrelated, uint64_t now_ns)
{
	bool fresh = past->made_ns && now_ns < past->made_ns + SERIES_YOUNG_NS;
	struct recording_series row = {.container = container, .time_ns = now_ns - rows->start_ns};
	int err = 0;

	if (past->read_ns || fresh)
		row.span_ns = now_ns - (past->read_ns ? past->read_ns : past->made_ns);
	series_between(&past->before, values, fresh, unrelated, &row.values);
	past->held = container != SERIES_HOST && past->read_ns && is_quiet(&row.values, &past->last.values);
	if (!past->held)
		err = add_row(rows, &row);
	past->last = row;
	past->before = *values;
	past->read_ns = now_ns;
	return err;
}

int series_rows_let_go(struct series_rows *rows, struct series_past *past)
{
	int err = past->held ? add_row(rows, &past->last) : 0;

	past->held = false;
	return err;
}

static int by_container_and_time(const void *left, const void *right)
{
	const struct recording_series *a = left, *b = right;

	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

int series_rows_flush(struct series_rows *rows, struct recording_writer *writer)
{
	int err = 0;

	if (rows->list.count)
		qsort(rows->list.items, rows->list.count, sizeof(*rows->list.items), by_container_and_time);
	for (size_t i = 0; i < rows->list.count && !err; i++)
		err = recording_writer_series(writer, &rows->list.items[i]);
	rows->list.count = 0;
	return err;
}
