/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/render/columns.h"
#include "profiler/render/json.h"
#include "profiler/render/missing.h"
#include "profiler/render/python_account.h"
#include "profiler/render/series.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define NS_PER_S 1000000000ull

enum { CONTAINER, KIND, RUNTIME, ID, KEPT, LOST, WHOLE, CUT, FRAMES, NAMED, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", false, 40},
	[KIND] = {"KIND", false, 12},
	[RUNTIME] = {"RUNTIME", false, 14},
	[ID] = {"ID", false, 64},
	[KEPT] = {"KEPT", true, 27},
	[LOST] = {"LOST", true, 27},
	[WHOLE] = {"WHOLE", true, 27},
	[CUT] = {"CUT", true, 27},
	[FRAMES] = {"FRAMES", true, 27},
	[NAMED] = {"NAMED", true, 27},
};

/* The same in words, where a fact is not for people as it is. */
static void put_meaning(const char *key, const char *value, FILE *out)
{
	uint64_t number;
	char text[64];
	struct tm parts;
	time_t seconds;

	if (!text_to_u64(value, 10, &number))
		return;
	seconds = (time_t)(number / NS_PER_S);
	if (!strcmp(key, "start.realtime_ns") && gmtime_r(&seconds, &parts) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts))
		fprintf(out, "  (%s)", text);
	else if (strlen(key) > 3 && !strcmp(key + strlen(key) - 3, "_ns"))
		fprintf(out, number < NS_PER_S ? "  (%.3f ms)" : "  (%.3f s)",
			(double)number / (number < NS_PER_S ? 1e6 : 1e9));
	else if (strlen(key) > 6 && !strcmp(key + strlen(key) - 6, "_bytes"))
		fprintf(out, "  (%.1f MB)", (double)number / 1e6);
}

static void put_facts(const struct profile *profile, FILE *out)
{
	char key[64], value[1024];

	for (size_t i = 0; i < profile->rows.facts.count; i++) {
		const struct recording_fact *fact = &profile->rows.facts.items[i];
		const char *text = string_table_text(&profile->rows.strings, fact->value);

		text_printable(string_table_text(&profile->rows.strings, fact->key), key, sizeof(key));
		fprintf(out, "%-20s %s", key, text_printable(text, value, sizeof(value)));
		put_meaning(key, text, out);
		fputc('\n', out);
	}
}

static int put_container(struct column_table *table, const struct profile *profile, uint32_t row)
{
	const struct recording_container *container = &profile->rows.containers.items[row];
	const struct recording_accounting *account = profile_accounting(profile, row);
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""}, id[COLUMN_CELL_BYTES];

	text_printable(profile_container_label(profile, row), cells[CONTAINER], COLUMN_CELL_BYTES);
	snprintf(cells[KIND], COLUMN_CELL_BYTES, "%s", container_kind_name(container->kind));
	text_printable(string_table_text(&profile->rows.strings, container->runtime), cells[RUNTIME],
		       COLUMN_CELL_BYTES);
	snprintf(id, sizeof(id), "%.*s", (int)profile->id_lengths.items[row],
		 string_table_text(&profile->rows.strings, container->id));
	text_printable(id, cells[ID], COLUMN_CELL_BYTES);
	for (int i = KEPT; i < COLUMNS; i++)
		snprintf(cells[i], COLUMN_CELL_BYTES, "-");
	if (account) {
		text_grouped(account->kept, cells[KEPT], COLUMN_CELL_BYTES);
		text_grouped(account->lost_ring + account->lost_read, cells[LOST], COLUMN_CELL_BYTES);
		text_grouped(account->user_complete, cells[WHOLE], COLUMN_CELL_BYTES);
		text_grouped(account->user_truncated, cells[CUT], COLUMN_CELL_BYTES);
		text_grouped(account->user_frames + account->kernel_frames, cells[FRAMES], COLUMN_CELL_BYTES);
		text_grouped(account->user_named + account->kernel_named, cells[NAMED], COLUMN_CELL_BYTES);
	}
	return column_table_add(table, cells, NULL);
}

int render_info_text(const struct profile *profile, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {.columns = columns, .column_count = COLUMNS};
	int err = 0;

	put_facts(profile, out);
	fprintf(out, "\n%zu containers and units, %zu processes, %zu threads, %zu functions, %zu stack frames\n\n",
		profile->rows.containers.count, profile->rows.processes.count, profile->rows.threads.count,
		profile->rows.frames.count, profile->rows.stacks.count);
	for (uint32_t i = 0; i < profile->rows.containers.count && !err; i++)
		err = put_container(&table, profile, i);
	if (err)
		return err;
	if (table.rows.count) {
		column_table_print(&table, out);
		fputc('\n', out);
	}
	err = render_standouts_text(profile, out);
	if (!err)
		err = render_python_account(profile, out);
	if (!err)
		err = render_missing_text(profile, out);
	if (err)
		return err;
	return render_accounting(profile, out);
}

static struct json_object *facts_json(const struct profile *profile)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	int err = object ? 0 : -ENOMEM;

	for (size_t i = 0; i < profile->rows.facts.count && !err; i++) {
		const struct recording_fact *fact = &profile->rows.facts.items[i];
		char key[64];

		text_printable(string_table_text(&profile->rows.strings, fact->key), key, sizeof(key));
		err = json_add_text(object, key, string_table_text(&profile->rows.strings, fact->value));
	}
	return err ? NULL : take_ptr(object);
}

static struct json_object *containers_json(const struct profile *profile)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < profile->rows.containers.count && !err; i++) {
		const struct recording_accounting *account = profile_accounting(profile, i);
		_cleanup_json_ struct json_object *one = json_container(profile, i);

		err = one ? 0 : -ENOMEM;
		if (!err && account)
			err = json_add(one, "accounting", json_account(account));
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

int render_info_json(const struct profile *profile, FILE *out)
{
	_cleanup_json_ struct json_object *top = json_object_new_object();
	int err = top ? json_add(top, "facts", facts_json(profile)) : -ENOMEM;

	if (!err)
		err = json_add(top, "containers", containers_json(profile));
	if (!err)
		err = json_add_standouts(top, profile);
	if (!err)
		err = render_missing_json(profile, top);
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
