/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/blocked.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/render/chosen.h"
#include "profiler/render/columns.h"
#include "profiler/render/duration.h"
#include "profiler/render/name_text.h"
#include "profiler/render/table.h"
#include "profiler/render/waits_account.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/real.h"
#include "symbolizer/base/sums.h"
#include "symbolizer/base/text.h"

#define PLACES_SHOWN 30
#define WAKERS_SHOWN 5
#define CONTAINERS_SHOWN 40
#define WAKER_COLUMNS 32

static const char *const state_names[WAIT_STATES] = {"S", "D", "io", "stopped"};

static const char *state_name(uint8_t state)
{
	return state < WAIT_STATES ? state_names[state] : "?";
}

enum { C_CONTAINER, C_ONCPU, C_SLEEPING, C_D, C_IO, C_STOPPED, C_QUEUED, C_THROTTLED, C_BLOCKS, C_COLUMNS };

static const struct column container_columns[C_COLUMNS] = {
	[C_CONTAINER] = {"CONTAINER", false, 32},
	[C_ONCPU] = {"ON-CPU", true, 12},
	[C_SLEEPING] = {"SLEEP", true, 12},
	[C_D] = {"D", true, 12},
	[C_IO] = {"DISK", true, 12},
	[C_STOPPED] = {"STOPPED", true, 12},
	[C_QUEUED] = {"QUEUED", true, 12},
	[C_THROTTLED] = {"THROTTLED", true, 12},
	[C_BLOCKS] = {"BLOCKS", true, 27},
};

static uint64_t all_blocks(const struct time_sums *sums)
{
	uint64_t blocks = 0;

	for (unsigned int i = 0; i < WAIT_STATES; i++)
		blocks += sums->blocks[i];
	return blocks;
}

/* What is not sleeping of its own will comes first. */
static uint64_t trouble(const struct time_sums *sums)
{
	uint64_t ns = sum_of(sums->blocked_ns[WAIT_UNINTERRUPTIBLE], sums->blocked_ns[WAIT_IO]);

	sum_add(&ns, time_sums_queued(sums));
	sum_add(&ns, sums->oncpu_ns);
	return sum_of(ns, sums->throttled_ns);
}

static int put_container(struct column_table *table, const struct profile *profile, const struct time_sums *sums)
{
	char cells[C_COLUMNS][COLUMN_CELL_BYTES] = {""};
	const uint64_t times[] = {
		[C_ONCPU] = sums->oncpu_ns,
		[C_SLEEPING] = sums->blocked_ns[WAIT_SLEEPING],
		[C_D] = sums->blocked_ns[WAIT_UNINTERRUPTIBLE],
		[C_IO] = sums->blocked_ns[WAIT_IO],
		[C_STOPPED] = sums->blocked_ns[WAIT_STOPPED],
		[C_QUEUED] = time_sums_queued(sums),
		[C_THROTTLED] = sums->throttled_ns,
	};

	name_text(profile_container_label(profile, sums->container), container_columns[C_CONTAINER].max,
		  cells[C_CONTAINER], COLUMN_CELL_BYTES);
	for (size_t i = C_ONCPU; i <= C_THROTTLED; i++) {
		if (times[i])
			duration_text(times[i], cells[i], COLUMN_CELL_BYTES);
		else
			snprintf(cells[i], COLUMN_CELL_BYTES, "-");
	}
	text_grouped(all_blocks(sums), cells[C_BLOCKS], COLUMN_CELL_BYTES);
	return column_table_add(table, cells, NULL);
}

static int put_containers(const struct profile_times *times, const struct profile *profile,
			  const struct blocked_options *options, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {container_columns, C_COLUMNS, {0}};
	_cleanup_free_ struct weighed_sums *order = NULL;
	size_t count = 0, chosen = 0, max = options->max ? options->max : CONTAINERS_SHOWN;
	int err = profile_times_order(times->containers.items, times->containers.count, trouble, &order, &count);

	for (size_t i = 0; i < count && !err; i++)
		if (is_chosen(options->wanted, order[i].sums->container) && chosen++ < max)
			err = put_container(&table, profile, order[i].sums);
	if (err)
		return err;
	if (chosen)
		column_table_print(&table, out);
	else
		render_none("No times", options->wanted, out);
	if (chosen > max)
		fprintf(out, "(%zu more containers: -n shows them)\n", chosen - max);
	return 0;
}

enum { CONTAINER, STATE, CALL, FUNCTION, TOTAL, BLOCKS, MEAN, MAX, WAKER, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", false, 32},
	[STATE] = {"STATE", false, 8},
	[CALL] = {"IN", false, 24},
	[FUNCTION] = {"AT", false, 36},
	[TOTAL] = {"TOTAL", true, 12},
	[BLOCKS] = {"BLOCKS", true, 27},
	[MEAN] = {"MEAN", true, 12},
	[MAX] = {"MAX", true, 12},
	[WAKER] = {"WOKEN BY", false, 60},
};

static void waker_text(const struct blocked_places *places, const struct profile *profile,
		       const struct place_waker *waker, uint64_t whole, char *text, size_t size)
{
	char name[64], label[4 * WAKER_COLUMNS + 1];
	unsigned long long percent = whole ? real_to_u64(100.0 * (double)waker->ns / (double)whole + 0.5) : 0;

	text_printable(string_table_text(&places->strings, waker->name), name, sizeof(name));
	if (waker->container == RECORDING_NONE) {
		snprintf(text, size, "%s %llu%%", name, percent);
		return;
	}
	name_text(profile_container_label(profile, waker->container), WAKER_COLUMNS, label, sizeof(label));
	snprintf(text, size, "%s/%s %llu%%", label, name, percent);
}

static bool concerns(const struct blocked_place *place, const bool *wanted)
{
	bool any = is_chosen(wanted, place->container);

	for (size_t i = 0; i < place->wakers.count && !any; i++)
		any = is_chosen(wanted, place->wakers.items[i].container);
	return any;
}

/* Where only a waker was asked for, it is told before those that ended more. */
static const struct place_waker *waker_of(const struct blocked_place *place, const bool *wanted, size_t number)
{
	bool all = is_chosen(wanted, place->container);

	for (int round = all; round < 2; round++)
		for (size_t i = 0; i < place->wakers.count; i++) {
			const struct place_waker *waker = &place->wakers.items[i];

			if ((all || is_chosen(wanted, waker->container) == !round) && !number--)
				return waker;
		}
	return NULL;
}

static int put_place(struct column_table *table, const struct blocked_places *places, const struct profile *profile,
		     const struct blocked_place *place, const struct blocked_options *options)
{
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};
	size_t wakers = options->wakers ? WAKERS_SHOWN : 1;
	int err;

	name_text(profile_container_label(profile, place->container), columns[CONTAINER].max, cells[CONTAINER],
		  COLUMN_CELL_BYTES);
	snprintf(cells[STATE], COLUMN_CELL_BYTES, "%s", state_name(place->state));
	text_printable(place->entry ? string_table_text(&places->strings, place->entry) : "-", cells[CALL],
		       COLUMN_CELL_BYTES);
	text_printable(place->function ? string_table_text(&places->strings, place->function) : "-", cells[FUNCTION],
		       COLUMN_CELL_BYTES);
	duration_text(place->ns, cells[TOTAL], COLUMN_CELL_BYTES);
	text_grouped(place->count, cells[BLOCKS], COLUMN_CELL_BYTES);
	duration_text(place->ns / (place->count ? place->count : 1), cells[MEAN], COLUMN_CELL_BYTES);
	duration_text(place->max_ns, cells[MAX], COLUMN_CELL_BYTES);
	if (place->wakers.count)
		waker_text(places, profile, waker_of(place, options->wanted, 0), place->ns, cells[WAKER],
			   COLUMN_CELL_BYTES);
	err = column_table_add(table, cells, place->by_design ? "waits by design" : NULL);
	for (size_t i = 1; i < place->wakers.count && i < wakers && !err; i++) {
		char more[COLUMNS][COLUMN_CELL_BYTES] = {""};

		waker_text(places, profile, waker_of(place, options->wanted, i), place->ns, more[WAKER],
			   COLUMN_CELL_BYTES);
		err = column_table_add(table, more, NULL);
	}
	return err;
}

static void put_no_places(const struct blocked_options *options, FILE *out)
{
	fprintf(out, "Nothing%s was blocked for so long", options->wanted ? " of the containers asked for" : "");
	if (options->state)
		fprintf(out, " in state %s", options->state);
	fputs(".\n", out);
}

int render_blocked_text(const struct blocked_places *places, const struct profile_times *times,
			const struct profile *profile, const struct blocked_options *options, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {columns, COLUMNS, {0}};
	size_t max = options->max ? options->max : PLACES_SHOWN, chosen = 0;
	int err = put_containers(times, profile, options, out);

	for (size_t i = 0; i < places->list.count && !err; i++)
		if (concerns(&places->list.items[i], options->wanted) && chosen++ < max)
			err = put_place(&table, places, profile, &places->list.items[i], options);
	if (err)
		return err;
	fputc('\n', out);
	if (chosen)
		column_table_print(&table, out);
	else
		put_no_places(options, out);
	if (chosen > max)
		fprintf(out, "(%zu more places: -n shows them)\n", chosen - max);
	fputc('\n', out);
	if (options->state)
		fprintf(out, "Only places in state %s; the first table and the lines below are of all states.\n",
			options->state);
	render_chosen(profile, options->wanted, out);
	render_blocked_account(times, profile, out);
	return render_accounting(profile, out);
}

static struct json_object *times_json(const struct profile *profile, const struct time_sums *sums)
{
	_cleanup_json_ struct json_object *one = json_container(profile, sums->container);
	const struct json_number numbers[] = {
		{"oncpu_ns", sums->oncpu_ns},
		{"sleeping_ns", sums->blocked_ns[WAIT_SLEEPING]},
		{"uninterruptible_ns", sums->blocked_ns[WAIT_UNINTERRUPTIBLE]},
		{"io_ns", sums->blocked_ns[WAIT_IO]},
		{"stopped_ns", sums->blocked_ns[WAIT_STOPPED]},
		{"short_ns", sums->short_ns},
		{"queued_ns", time_sums_queued(sums)},
		{"throttled_ns", sums->throttled_ns},
		{"blocks", all_blocks(sums)},
	};
	int err = one ? json_add_numbers(one, numbers, ARRAY_LENGTH(numbers)) : -ENOMEM;

	return err ? NULL : take_ptr(one);
}

static struct json_object *waker_json(const struct blocked_places *places, const struct profile *profile,
				      const struct place_waker *waker)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();
	int err = one ? json_add_text(one, "name", string_table_text(&places->strings, waker->name)) : -ENOMEM;

	if (!err && waker->container != RECORDING_NONE)
		err = json_add(one, "container", json_container(profile, waker->container));
	if (!err)
		err = json_add_number(one, "ns", waker->ns);
	if (!err)
		err = json_add_number(one, "count", waker->count);
	return err ? NULL : take_ptr(one);
}

static struct json_object *place_json(const struct blocked_places *places, const struct profile *profile,
				      const struct blocked_place *place)
{
	_cleanup_json_ struct json_object *one = json_object_new_object(), *wakers = json_object_new_array();
	int err = one && wakers ? json_add(one, "container", json_container(profile, place->container)) : -ENOMEM;

	if (!err)
		err = json_add_text(one, "state", state_name(place->state));
	if (!err)
		err = json_add_text_or_null(one, "in", string_table_text(&places->strings, place->entry));
	if (!err)
		err = json_add_text_or_null(one, "at", string_table_text(&places->strings, place->function));
	if (!err)
		err = json_add(one, "waits_by_design", json_object_new_boolean(place->by_design));
	if (!err)
		err = json_add_number(one, "count", place->count);
	if (!err)
		err = json_add_number(one, "ns", place->ns);
	if (!err)
		err = json_add_number(one, "max_ns", place->max_ns);
	if (!err)
		err = json_add_number(one, "unfinished_ns", place->unfinished_ns);
	for (size_t i = 0; i < place->wakers.count && !err; i++)
		err = json_append(wakers, waker_json(places, profile, &place->wakers.items[i]));
	if (!err)
		err = json_add(one, "wakers", take_ptr(wakers));
	return err ? NULL : take_ptr(one);
}

int render_blocked_json(const struct blocked_places *places, const struct profile_times *times,
			const struct profile *profile, const struct blocked_options *options, FILE *out)
{
	_cleanup_json_ struct json_object *top = json_object_new_object();
	_cleanup_json_ struct json_object *containers = json_object_new_array(), *list = json_object_new_array();
	int err = top && containers && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < times->containers.count && !err; i++)
		if (times->containers.items[i].seen && is_chosen(options->wanted, (uint32_t)i))
			err = json_append(containers, times_json(profile, &times->containers.items[i]));
	for (size_t i = 0; i < places->list.count && !err; i++)
		if (concerns(&places->list.items[i], options->wanted))
			err = json_append(list, place_json(places, profile, &places->list.items[i]));
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	if (!err && options->state)
		err = json_add_text(top, "only_state", options->state);
	if (!err)
		err = json_add(top, "containers", take_ptr(containers));
	if (!err)
		err = json_add(top, "places", take_ptr(list));
	if (!err)
		err = json_add_waits_account(top, times, profile);
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
