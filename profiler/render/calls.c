/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/calls.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/analysis/lock_sites.h"
#include "profiler/analysis/percentile.h"
#include "profiler/render/chosen.h"
#include "profiler/render/columns.h"
#include "profiler/render/duration.h"
#include "profiler/render/name_text.h"
#include "profiler/render/table.h"
#include "profiler/render/waits_account.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define ROWS_SHOWN 40

enum { CONTAINER, CALL, COUNT, ERRORS, TOTAL, MEAN, P50, P99, MAX, ONCPU, BLOCKED, QUEUED, LOCKS, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", false, 32},
	[CALL] = {"CALL", false, 24},
	[COUNT] = {"CALLS", true, 27},
	[ERRORS] = {"ERRORS", true, 27},
	[TOTAL] = {"TOTAL", true, 12},
	[MEAN] = {"MEAN", true, 12},
	[P50] = {"P50", true, 12},
	[P99] = {"P99", true, 12},
	[MAX] = {"MAX", true, 12},
	[ONCPU] = {"ON-CPU", true, 8},
	[BLOCKED] = {"BLOCKED", true, 8},
	[QUEUED] = {"QUEUED", true, 8},
	[LOCKS] = {"LOCKS", true, 12},
};

static void put_part(char *cell, uint64_t part, uint64_t whole)
{
	if (whole)
		snprintf(cell, COLUMN_CELL_BYTES, "%.0f%%", 100.0 * (double)part / (double)whole);
}

static void put_times(char cells[][COLUMN_CELL_BYTES], const struct call_sums *sums)
{
	duration_text(sums->wall_ns, cells[TOTAL], COLUMN_CELL_BYTES);
	duration_text(sums->wall_ns / sums->timed, cells[MEAN], COLUMN_CELL_BYTES);
	duration_text(percentile_ns(sums->histogram, 0.5, sums->wall_max_ns), cells[P50], COLUMN_CELL_BYTES);
	duration_text(percentile_ns(sums->histogram, 0.99, sums->wall_max_ns), cells[P99], COLUMN_CELL_BYTES);
	duration_text(sums->wall_max_ns, cells[MAX], COLUMN_CELL_BYTES);
	put_part(cells[ONCPU], sums->oncpu_ns, sums->wall_ns);
	put_part(cells[BLOCKED], sums->blocked_ns, sums->wall_ns);
	put_part(cells[QUEUED], sums->queued_ns, sums->wall_ns);
	if (sums->lock_ns)
		duration_text(sums->lock_ns, cells[LOCKS], COLUMN_CELL_BYTES);
}

static int put_row(struct column_table *table, const struct profile *profile, const struct call_sums *sums,
		   enum calls_grouping by)
{
	const char *name = string_table_text(&profile->rows.strings, sums->name);
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};

	for (size_t i = TOTAL; i < COLUMNS; i++)
		snprintf(cells[i], COLUMN_CELL_BYTES, "-");
	if (by == CALLS_BY_CALL)
		snprintf(cells[CONTAINER], COLUMN_CELL_BYTES, "(%u of them)", sums->containers);
	else
		name_text(profile_container_label(profile, sums->container), columns[CONTAINER].max, cells[CONTAINER],
			  COLUMN_CELL_BYTES);
	text_printable(by == CALLS_BY_CONTAINER ? "(all)" : name, cells[CALL], COLUMN_CELL_BYTES);
	text_grouped(sums->count, cells[COUNT], COLUMN_CELL_BYTES);
	text_grouped(sums->errors, cells[ERRORS], COLUMN_CELL_BYTES);
	if (sums->timed)
		put_times(cells, sums);
	return column_table_add(table, cells, call_sleeps_by_design(name) ? "waits by design" : NULL);
}

static void put_account(const struct profile_calls *calls, const struct profile *profile, FILE *out)
{
	uint64_t others = profile_fact_number(profile, "calls.others");
	static const struct loss losses[] = {LOSS_UNSEEN, LOSS_MISSED};
	char all[32], timed[32], rest[32];

	fprintf(out,
		"%s system calls = %s timed + %s not timed (begun before the recording, never "
		"returning, or counted alone).\n",
		text_grouped(calls->total.count, all, sizeof(all)),
		text_grouped(calls->total.timed, timed, sizeof(timed)),
		text_grouped(calls->total.count - calls->total.timed, rest, sizeof(rest)));
	if (others)
		fprintf(out, "%s of them have no row of their own: there were too many containers and calls.\n",
			text_grouped(others, all, sizeof(all)));
	render_losses(losses, ARRAY_LENGTH(losses), profile, out);
}

int render_calls_text(const struct profile_calls *calls, const struct profile *profile,
		      const struct calls_options *options, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {.columns = columns, .column_count = COLUMNS};
	size_t max = options->max ? options->max : ROWS_SHOWN;
	int err = 0;

	for (size_t i = 0; i < calls->rows.count && i < max && !err; i++)
		err = put_row(&table, profile, &calls->rows.items[i], options->by);
	if (err)
		return err;
	if (calls->rows.count)
		column_table_print(&table, out);
	else
		render_none("No system calls", options->wanted, out);
	if (calls->rows.count > max)
		fprintf(out, "(%zu more rows: -n shows them)\n", calls->rows.count - max);
	fputc('\n', out);
	render_chosen(profile, options->wanted, out);
	put_account(calls, profile, out);
	return render_accounting(profile, out);
}

static int add_numbers(struct json_object *one, const struct profile *profile, const struct call_sums *sums)
{
	bool untimed = !sums->timed, no_percentiles = !percentile_count(sums->histogram);
	const struct json_number numbers[] = {
		{"count", sums->count},
		{"errors", sums->errors},
		{"timed", sums->timed},
		{"wall_ns", sums->wall_ns, untimed},
		{"max_ns", sums->wall_max_ns, untimed},
		{"p50_ns", percentile_ns(sums->histogram, 0.5, sums->wall_max_ns), no_percentiles},
		{"p90_ns", percentile_ns(sums->histogram, 0.9, sums->wall_max_ns), no_percentiles},
		{"p99_ns", percentile_ns(sums->histogram, 0.99, sums->wall_max_ns), no_percentiles},
		{"oncpu_ns", sums->oncpu_ns, untimed},
		{"blocked_ns", sums->blocked_ns, untimed},
		{"uninterruptible_ns", sums->uninterruptible_ns, untimed},
		{"queued_ns", sums->queued_ns, untimed},
		{"lock_ns", sums->lock_ns, untimed || !lock_sites_recorded(profile)},
	};
	int err = json_add_numbers(one, numbers, ARRAY_LENGTH(numbers));

	return err ? err : json_add(one, "histogram", json_histogram(sums->histogram));
}

static struct json_object *row_json(const struct profile *profile, const struct call_sums *sums, enum calls_grouping by)
{
	const char *name = string_table_text(&profile->rows.strings, sums->name);
	_cleanup_json_ struct json_object *one = json_object_new_object();
	int err = one ? 0 : -ENOMEM;

	if (!err && by != CALLS_BY_CALL)
		err = json_add(one, "container", json_container(profile, sums->container));
	if (!err && by != CALLS_BY_CONTAINER)
		err = json_add_text(one, "call", name);
	if (!err && by != CALLS_BY_CONTAINER)
		err = json_add(one, "waits_by_design", json_object_new_boolean(call_sleeps_by_design(name)));
	if (!err)
		err = json_add_number(one, "containers", sums->containers);
	if (!err)
		err = add_numbers(one, profile, sums);
	return err ? NULL : take_ptr(one);
}

int render_calls_json(const struct profile_calls *calls, const struct profile *profile,
		      const struct calls_options *options, FILE *out)
{
	_cleanup_json_ struct json_object *top = json_object_new_object();
	_cleanup_json_ struct json_object *list = json_object_new_array();
	int err = top && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < calls->rows.count && !err; i++)
		err = json_append(list, row_json(profile, &calls->rows.items[i], options->by));
	if (!err)
		err = json_add(top, "calls", take_ptr(list));
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	if (!err)
		err = json_add_number(top, "count", calls->total.count);
	if (!err)
		err = json_add_number(top, "timed", calls->total.timed);
	if (!err)
		err = json_add_fact(top, "others", profile, "calls.others");
	if (!err)
		err = json_add_fact(top, "unseen", profile, "waits.unseen");
	if (!err)
		err = json_add_fact(top, "missed", profile, "waits.missed");
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
