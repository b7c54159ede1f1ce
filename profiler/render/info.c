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
#include "profiler/render/name_text.h"
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

/* What was recorded, where and how: before all that was counted meanwhile. */
static size_t place_of(const char *key)
{
	static const char *const first[] = {
		"stoker.version", "host.name",	 "kernel.release",  "machine",		 "cpus.online",
		"event.name",	  "event.hz",	 "event.period_ns", "start.realtime_ns", "duration_ns",
		"cgroup.mode",	  "user_stacks", "filter",	    "self.cpu_ns",	 "self.memory_bytes",
	};
	size_t place = 0;

	while (place < ARRAY_LENGTH(first) && strcmp(key, first[place]) != 0)
		place++;
	return place;
}

static int by_key(const void *left, const void *right, void *context)
{
	const struct profile *profile = context;
	const struct recording_fact *const *a = left, *const *b = right;
	const char *key_a = string_table_text(&profile->rows.strings, (*a)->key);
	const char *key_b = string_table_text(&profile->rows.strings, (*b)->key);
	size_t place_a = place_of(key_a), place_b = place_of(key_b);

	return place_a != place_b ? (place_a > place_b) - (place_a < place_b) : strcmp(key_a, key_b);
}

/* [facts], to be freed; NULL where memory is out. */
static const struct recording_fact **sorted_facts(const struct profile *profile)
{
	size_t count = profile->rows.facts.count;
	const struct recording_fact **facts = calloc(count + 1, sizeof(*facts));

	for (size_t i = 0; i < count && facts; i++)
		facts[i] = &profile->rows.facts.items[i];
	if (facts)
		qsort_r(facts, count, sizeof(*facts), by_key, (void *)profile);
	return facts;
}

static int put_facts(const struct profile *profile, FILE *out)
{
	_cleanup_free_ const struct recording_fact **facts = sorted_facts(profile);
	char key[64], value[1024];

	for (size_t i = 0; i < profile->rows.facts.count && facts; i++) {
		const char *text = string_table_text(&profile->rows.strings, facts[i]->value);

		text_printable(string_table_text(&profile->rows.strings, facts[i]->key), key, sizeof(key));
		fprintf(out, "%-20s %s", key, text_printable(text, value, sizeof(value)));
		put_meaning(key, text, out);
		fputc('\n', out);
	}
	return facts ? 0 : -ENOMEM;
}

static int by_kept(const void *left, const void *right, void *context)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	uint64_t kept_a = profile_accounting(context, a)->kept, kept_b = profile_accounting(context, b)->kept;

	if (kept_a != kept_b)
		return kept_a < kept_b ? 1 : -1;
	return (a > b) - (a < b);
}

/* [containers], to be freed; NULL where memory is out. */
static uint32_t *sorted_containers(const struct profile *profile)
{
	size_t count = profile->rows.containers.count;
	uint32_t *rows = calloc(count + 1, sizeof(*rows));

	for (uint32_t i = 0; i < count && rows; i++)
		rows[i] = i;
	if (rows)
		qsort_r(rows, count, sizeof(*rows), by_kept, (void *)profile);
	return rows;
}

static void put_account(const struct recording_accounting *account, char cells[][COLUMN_CELL_BYTES])
{
	text_grouped(account->kept, cells[KEPT], COLUMN_CELL_BYTES);
	text_grouped(account->lost_ring + account->lost_read, cells[LOST], COLUMN_CELL_BYTES);
	text_grouped(account->user_complete, cells[WHOLE], COLUMN_CELL_BYTES);
	text_grouped(account->user_truncated, cells[CUT], COLUMN_CELL_BYTES);
	text_grouped(account->user_frames + account->kernel_frames, cells[FRAMES], COLUMN_CELL_BYTES);
	text_grouped(account->user_named + account->kernel_named, cells[NAMED], COLUMN_CELL_BYTES);
}

static int put_container(struct column_table *table, const struct profile *profile, uint32_t row)
{
	const struct recording_container *container = &profile->rows.containers.items[row];
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""}, id[COLUMN_CELL_BYTES];

	name_text(profile_container_label(profile, row), columns[CONTAINER].max, cells[CONTAINER], COLUMN_CELL_BYTES);
	snprintf(cells[KIND], COLUMN_CELL_BYTES, "%s", container_kind_name(container->kind));
	text_printable(string_table_text(&profile->rows.strings, container->runtime), cells[RUNTIME],
		       COLUMN_CELL_BYTES);
	snprintf(id, sizeof(id), "%.*s", (int)profile->id_lengths.items[row],
		 string_table_text(&profile->rows.strings, container->id));
	text_printable(id, cells[ID], COLUMN_CELL_BYTES);
	put_account(profile_accounting(profile, row), cells);
	return column_table_add(table, cells, NULL);
}

static int put_rest(struct column_table *table, const struct profile *profile, const uint32_t *rows, size_t count)
{
	uint64_t all = profile_accounting(profile, RECORDING_TOTAL)->kept;
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};
	struct recording_accounting rest = {0};

	for (size_t i = 0; i < count; i++) {
		const struct recording_accounting *one = profile_accounting(profile, rows[i]);

		rest.kept += one->kept;
		rest.lost_ring += one->lost_ring;
		rest.lost_read += one->lost_read;
		rest.user_complete += one->user_complete;
		rest.user_truncated += one->user_truncated;
		rest.user_frames += one->user_frames;
		rest.user_named += one->user_named;
		rest.kernel_frames += one->kernel_frames;
		rest.kernel_named += one->kernel_named;
	}
	snprintf(cells[CONTAINER], COLUMN_CELL_BYTES, "(%zu more, %.1f%% of samples)", count,
		 all ? 100.0 * (double)rest.kept / (double)all : 0);
	put_account(&rest, cells);
	return column_table_add(table, cells, "-n shows them");
}

static int put_containers(const struct profile *profile, size_t max, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {.columns = columns, .column_count = COLUMNS};
	_cleanup_free_ uint32_t *rows = sorted_containers(profile);
	size_t count = profile->rows.containers.count, shown = count < max ? count : max;
	int err = rows ? 0 : -ENOMEM;

	for (size_t i = 0; i < shown && !err; i++)
		err = put_container(&table, profile, rows[i]);
	if (!err && count > shown)
		err = put_rest(&table, profile, rows + shown, count - shown);
	if (err || !table.rows.count)
		return err;
	column_table_print(&table, out);
	fputc('\n', out);
	return 0;
}

int render_info_text(const struct profile *profile, const struct info_options *options, FILE *out)
{
	size_t max = options->max ? options->max : INFO_ROWS;
	int err = put_facts(profile, out);

	fprintf(out, "\n%zu containers and units, %zu processes, %zu threads, %zu functions, %zu stack frames\n\n",
		profile->rows.containers.count, profile->rows.processes.count, profile->rows.threads.count,
		profile->rows.frames.count, profile->rows.stacks.count);
	if (!err)
		err = put_containers(profile, max, out);
	if (!err)
		err = render_standouts_text(profile, max, out);
	if (!err)
		err = render_python_account(profile, max, out);
	if (!err)
		err = render_missing_text(profile, max, out);
	return err ? err : render_accounting(profile, out);
}

static struct json_object *facts_json(const struct profile *profile)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	_cleanup_free_ const struct recording_fact **facts = sorted_facts(profile);
	int err = object && facts ? 0 : -ENOMEM;

	for (size_t i = 0; i < profile->rows.facts.count && !err; i++) {
		char key[64];

		text_printable(string_table_text(&profile->rows.strings, facts[i]->key), key, sizeof(key));
		err = json_add_text(object, key, string_table_text(&profile->rows.strings, facts[i]->value));
	}
	return err ? NULL : take_ptr(object);
}

static struct json_object *containers_json(const struct profile *profile)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	_cleanup_free_ uint32_t *rows = sorted_containers(profile);
	int err = array && rows ? 0 : -ENOMEM;

	for (size_t i = 0; i < profile->rows.containers.count && !err; i++) {
		_cleanup_json_ struct json_object *one = json_container(profile, rows[i]);

		err = one ? json_add(one, "accounting", json_account(profile_accounting(profile, rows[i]))) : -ENOMEM;
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
		err = json_add_standouts(top, profile, NULL);
	if (!err)
		err = render_missing_json(profile, top);
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
