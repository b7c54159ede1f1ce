/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/hot_calls.h"

#include <errno.h>

#include "profiler/render/chosen.h"
#include "profiler/render/columns.h"
#include "profiler/render/name_text.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define ROWS_SHOWN 40
#define FUNCTIONS_SHOWN 5 /* of one call */

enum { CONTAINER, CALL, SAMPLES, SHARE, FUNCTION, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", false, 32},	     [CALL] = {"CALL", false, 24},
	[SAMPLES] = {"SAMPLES", true, 27},	     [SHARE] = {"OF CALL", true, 8},
	[FUNCTION] = {"KERNEL FUNCTION", false, 60},
};

static const char *call_name_of(const struct profile *profile, const struct hot_call *row)
{
	return row->call ? string_table_text(&profile->rows.strings, row->call) : "(all)";
}

static int put_row(struct column_table *table, const struct hot_calls *hot, const struct profile *profile,
		   const struct hot_call *row)
{
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {"(all)"};

	if (row->container != CALLS_ALL)
		name_text(profile_container_label(profile, row->container), columns[CONTAINER].max, cells[CONTAINER],
			  COLUMN_CELL_BYTES);
	text_printable(call_name_of(profile, row), cells[CALL], COLUMN_CELL_BYTES);
	text_grouped(row->samples, cells[SAMPLES], COLUMN_CELL_BYTES);
	snprintf(cells[SHARE], COLUMN_CELL_BYTES, "%.0f%%", 100.0 * (double)row->samples / (double)row->of_call);
	text_printable(string_table_text(&hot->strings, row->function), cells[FUNCTION], COLUMN_CELL_BYTES);
	return column_table_add(table, cells, NULL);
}

static bool same_call(const struct hot_call *a, const struct hot_call *b)
{
	return a->container == b->container && a->call == b->call;
}

static void put_account(const struct hot_calls *hot, FILE *out)
{
	char all[32], in[32], none[32], untold[32];

	fprintf(out,
		"%s samples in the kernel = %s in system calls + %s in none (interrupts, page faults, kernel "
		"threads)",
		text_grouped(hot->in_calls + hot->in_none + hot->untold, all, sizeof(all)),
		text_grouped(hot->in_calls, in, sizeof(in)), text_grouped(hot->in_none, none, sizeof(none)));
	if (hot->untold)
		fprintf(out, " + %s whose calls were not written", text_grouped(hot->untold, untold, sizeof(untold)));
	fputs(".\n", out);
}

int render_hot_calls_text(const struct hot_calls *hot, const struct profile *profile,
			  const struct calls_options *options, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {.columns = columns, .column_count = COLUMNS};
	size_t max = options->max ? options->max : ROWS_SHOWN, of_call = 0;
	const struct hot_call *rows = hot->rows.items;
	int err = 0;

	for (size_t i = 0; i < hot->rows.count && table.rows.count < max && !err; i++) {
		of_call = i && same_call(&rows[i], &rows[i - 1]) ? of_call + 1 : 0;
		if (of_call < FUNCTIONS_SHOWN)
			err = put_row(&table, hot, profile, &rows[i]);
	}
	if (err)
		return err;
	if (table.rows.count)
		column_table_print(&table, out);
	else
		render_none("No samples in system calls", options->wanted, out);
	if (hot->rows.count > table.rows.count)
		fprintf(out, "(%zu more rows: -o json has them; %d functions of a call are shown)\n",
			hot->rows.count - table.rows.count, FUNCTIONS_SHOWN);
	fputc('\n', out);
	render_chosen(profile, options->wanted, out);
	put_account(hot, out);
	return render_accounting(profile, out);
}

static struct json_object *function_json(const struct hot_calls *hot, const struct hot_call *row)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();
	int err = one ? json_add_text(one, "function", string_table_text(&hot->strings, row->function)) : -ENOMEM;

	if (!err)
		err = json_add_number(one, "samples", row->samples);
	return err ? NULL : take_ptr(one);
}

/* All rows of the call that starts at @first. */
static struct json_object *call_json(const struct hot_calls *hot, const struct profile *profile, size_t first,
				     size_t *ret_end)
{
	const struct hot_call *rows = hot->rows.items;
	_cleanup_json_ struct json_object *one = json_object_new_object();
	_cleanup_json_ struct json_object *functions = json_object_new_array();
	size_t at = first;
	int err = one && functions ? 0 : -ENOMEM;

	if (!err && rows[first].container != CALLS_ALL)
		err = json_add(one, "container", json_container(profile, rows[first].container));
	if (!err && rows[first].call)
		err = json_add_text(one, "call", call_name_of(profile, &rows[first]));
	if (!err)
		err = json_add_number(one, "samples", rows[first].of_call);
	for (; at < hot->rows.count && same_call(&rows[first], &rows[at]) && !err; at++)
		err = json_append(functions, function_json(hot, &rows[at]));
	if (!err)
		err = json_add(one, "functions", take_ptr(functions));
	*ret_end = at;
	return err ? NULL : take_ptr(one);
}

int render_hot_calls_json(const struct hot_calls *hot, const struct profile *profile,
			  const struct calls_options *options, FILE *out)
{
	_cleanup_json_ struct json_object *top = json_object_new_object();
	_cleanup_json_ struct json_object *list = json_object_new_array();
	int err = top && list ? 0 : -ENOMEM;

	for (size_t at = 0; at < hot->rows.count && !err;)
		err = json_append(list, call_json(hot, profile, at, &at));
	if (!err)
		err = json_add(top, "hot_calls", take_ptr(list));
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	if (!err)
		err = json_add_number(top, "samples_in_calls", hot->in_calls);
	if (!err)
		err = json_add_number(top, "samples_in_none", hot->in_none);
	if (!err)
		err = json_add_number(top, "samples_untold", hot->untold);
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
