/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/run_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/percentile.h"
#include "profiler/render/chosen.h"
#include "profiler/render/columns.h"
#include "profiler/render/duration.h"
#include "profiler/render/name_text.h"
#include "profiler/render/table.h"
#include "profiler/render/waits_account.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"
#include "symbolizer/base/text.h"

#define CONTAINERS_SHOWN 30
#define CULPRITS_SHOWN 6
#define CULPRIT_PART_MIN 0.01
#define BAR_COLUMNS 40
#define NAME_COLUMNS 40
#define NAME_IN_NAMESPACE_COLUMNS 24 /* less "4026532401 " and " +12" */
#define NAME_BYTES (4 * NAME_COLUMNS + 1)
#define HOST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

enum { CONTAINER, RAN, WAITS, WOKEN, WOKEN_P50, WOKEN_P99, TURNS, PREEMPTED, TURNS_P50, TURNS_P99, THROTTLED, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", false, NAME_COLUMNS},
	[RAN] = {"ON-CPU", true, 12},
	[WAITS] = {"WAKINGS", true, 27},
	[WOKEN] = {"WOKEN-WAIT", true, 12},
	[WOKEN_P50] = {"WOKEN-P50", true, 12},
	[WOKEN_P99] = {"WOKEN-P99", true, 12},
	[TURNS] = {"PREEMPTIONS", true, 27},
	[PREEMPTED] = {"PREEMPT-WAIT", true, 12},
	[TURNS_P50] = {"PREEMPT-P50", true, 12},
	[TURNS_P99] = {"PREEMPT-P99", true, 12},
	[THROTTLED] = {"THROTTLED", true, 12},
};

static void put_kind(char cells[][COLUMN_CELL_BYTES], size_t first, const uint64_t *buckets, uint64_t ns)
{
	uint64_t count = percentile_count(buckets);

	text_grouped(count, cells[first], COLUMN_CELL_BYTES);
	/* One that was not over yet is no count. */
	if (count || ns)
		duration_text(ns, cells[first + 1], COLUMN_CELL_BYTES);
	if (!count)
		return;
	duration_text(percentile_ns(buckets, 0.5, 0), cells[first + 2], COLUMN_CELL_BYTES);
	duration_text(percentile_ns(buckets, 0.99, 0), cells[first + 3], COLUMN_CELL_BYTES);
}

/* A pid namespace by its number, and the container in it that waits most: "4026532401 web", "4026532401 web +2". */
static void put_label(const struct profile *profile, const struct time_sums *sums, char *cell)
{
	char name[NAME_BYTES];
	size_t max = sums->containers ? NAME_IN_NAMESPACE_COLUMNS : NAME_COLUMNS;

	name_text(profile_container_label(profile, sums->container), max, name, sizeof(name));
	if (!sums->containers)
		snprintf(cell, COLUMN_CELL_BYTES, "%s", name);
	else if ((uint32_t)sums->pid_namespace == HOST_PID_NAMESPACE)
		snprintf(cell, COLUMN_CELL_BYTES, "the host's");
	else if (!sums->pid_namespace)
		snprintf(cell, COLUMN_CELL_BYTES, "(kernel, or not known)");
	else if (sums->containers == 1)
		snprintf(cell, COLUMN_CELL_BYTES, "%" PRIu32 " %s", (uint32_t)sums->pid_namespace, name);
	else
		snprintf(cell, COLUMN_CELL_BYTES, "%" PRIu32 " %s +%u", (uint32_t)sums->pid_namespace, name,
			 sums->containers - 1);
}

static int put_container(struct column_table *table, const struct profile *profile, const struct time_sums *sums)
{
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};

	for (size_t i = RAN; i < COLUMNS; i++)
		snprintf(cells[i], COLUMN_CELL_BYTES, "-");
	put_label(profile, sums, cells[CONTAINER]);
	duration_text(sums->oncpu_ns, cells[RAN], COLUMN_CELL_BYTES);
	put_kind(cells, WAITS, sums->woken, sums->woken_ns);
	put_kind(cells, TURNS, sums->preempted, sums->preempted_ns);
	if (sums->throttled_ns)
		duration_text(sums->throttled_ns, cells[THROTTLED], COLUMN_CELL_BYTES);
	return column_table_add(table, cells, NULL);
}

static uint64_t queued_or_throttled(const struct time_sums *sums)
{
	return sum_of(time_sums_queued(sums), sums->throttled_ns);
}

static void culprit_name(const struct profile *profile, const struct queue_sum *queue, char *text, size_t size)
{
	static const char *const reasons[] = {
		[QUEUE_IDLE] = "nobody (an idle CPU woke up)",
		[QUEUE_MOVED] = "(moved between CPUs)",
		[QUEUE_EARLIER] = "(too long ago to tell)",
		[QUEUE_UNWANTED] = "(filtered out)",
	};

	if (queue->reason == QUEUE_CONTAINER && queue->culprit == queue->container)
		snprintf(text, size, "itself");
	else if (queue->reason == QUEUE_CONTAINER && queue->culprit != RECORDING_NONE)
		name_text(profile_container_label(profile, queue->culprit), NAME_COLUMNS, text, size);
	else
		snprintf(text, size, "%s",
			 queue->reason && queue->reason < ARRAY_LENGTH(reasons) ? reasons[queue->reason] : "(unknown)");
}

/* The pid namespaces that a chosen container has times in. */
struct namespaces {
	ARRAY(uint64_t) list; /* in order */
};

static int by_number(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static int find_namespaces(const struct profile *profile, const bool *wanted, struct namespaces *ret_found)
{
	for (size_t i = 0; i < profile->rows.times.count; i++) {
		const struct recording_times *row = &profile->rows.times.items[i];
		uint64_t *added;

		if (!is_chosen(wanted, row->container))
			continue;
		added = array_add(&ret_found->list);
		if (!added)
			return -ENOMEM;
		*added = row->pid_namespace;
	}
	if (ret_found->list.count)
		qsort(ret_found->list.items, ret_found->list.count, sizeof(uint64_t), by_number);
	return 0;
}

static void namespaces_deinit(struct namespaces *namespaces)
{
	array_deinit(&namespaces->list);
}

/* A line of the table; of a namespace, where a chosen container is in it. */
static bool is_row(const struct time_sums *sums, const struct run_queue_options *options,
		   const struct namespaces *namespaces)
{
	if (!options->wanted || !sums->containers)
		return is_chosen(options->wanted, sums->container);
	return namespaces->list.count && bsearch(&sums->pid_namespace, namespaces->list.items, namespaces->list.count,
						 sizeof(uint64_t), by_number);
}

/* Was it a chosen container's, or did one of them run meanwhile? */
static bool waited_for_chosen(const struct profile_times *times, uint32_t container, const bool *wanted)
{
	bool any = is_chosen(wanted, container);

	for (size_t i = 0; i < times->queues.count && !any; i++)
		any = times->queues.items[i].container == container &&
		      is_chosen(wanted, times->queues.items[i].culprit);
	return any;
}

/*
 * "web-1: while it waited itself ran 62%, web-2 ran 30%, nobody (an idle CPU woke up) ran 8%"; of one that was not chosen, what
 * ran of those that were. The first line has a title: @titled. Returns whether there is a line.
 */
static bool put_culprits(const struct profile_times *times, const struct profile *profile, const struct time_sums *sums,
			 const bool *wanted, bool *titled, FILE *out)
{
	bool all = is_chosen(wanted, sums->container);
	uint64_t whole = 0;
	size_t shown = 0;
	char name[NAME_BYTES];

	for (size_t i = 0; i < times->queues.count; i++)
		if (times->queues.items[i].container == sums->container)
			sum_add(&whole, times->queues.items[i].ns);
	for (size_t i = 0; i < times->queues.count && shown < CULPRITS_SHOWN; i++) {
		const struct queue_sum *queue = &times->queues.items[i];
		double part = whole ? (double)queue->ns / (double)whole : 0;

		if (queue->container != sums->container || ((shown || !all) && part < CULPRIT_PART_MIN) ||
		    !(all || is_chosen(wanted, queue->culprit)))
			continue;
		if (!*titled)
			fputs("\nWho ran on the CPU that a ready task waited for, weighted by the tasks that waited:\n",
			      out);
		*titled = true;
		name_text(profile_container_label(profile, sums->container), NAME_COLUMNS, name, sizeof(name));
		if (shown)
			fputc(',', out);
		else
			fprintf(out, "%s: while it waited", name);
		culprit_name(profile, queue, name, sizeof(name));
		fprintf(out, " %s ran %.0f%%", name, 100 * part);
		shown++;
	}
	if (shown)
		fputc('\n', out);
	return shown;
}

static void put_histogram(const char *title, const uint64_t *buckets, FILE *out)
{
	static const char bar[] = "########################################";
	uint64_t most = 0;
	char from[16];

	for (unsigned int i = 0; i < RECORDING_BUCKETS; i++)
		most = buckets[i] > most ? buckets[i] : most;
	if (!most)
		return;
	fprintf(out, "   %s\n", title);
	for (unsigned int i = 0; i < RECORDING_BUCKETS; i++)
		if (buckets[i])
			fprintf(out, "   from %*s %12llu %.*s\n", 9,
				duration_text(recording_bucket_ns(i), from, sizeof(from)),
				(unsigned long long)buckets[i],
				(int)((double)buckets[i] / (double)most * BAR_COLUMNS + 0.5), bar);
}

static void put_more(const struct profile_times *times, const struct profile *profile, const struct time_sums *sums,
		     const struct run_queue_options *options, bool *titled, FILE *out)
{
	char label[COLUMN_CELL_BYTES];
	bool told = !options->by_namespace && put_culprits(times, profile, sums, options->wanted, titled, out);

	if (!options->histograms || !(percentile_count(sums->woken) || percentile_count(sums->preempted)))
		return;
	if (!told) {
		put_label(profile, sums, label);
		fprintf(out, "\n%s\n", label);
	}
	put_histogram("after a waking", sums->woken, out);
	put_histogram("after leaving a CPU", sums->preempted, out);
}

int render_run_queue_text(const struct profile_times *times, const struct profile *profile,
			  const struct run_queue_options *options, FILE *out)
{
	struct column named[COLUMNS];
	_cleanup_(column_table_deinit) struct column_table table = {named, COLUMNS, {0}};
	_cleanup_free_ struct weighed_sums *order = NULL;
	_cleanup_(namespaces_deinit) struct namespaces namespaces = {0};
	size_t max = options->max ? options->max : CONTAINERS_SHOWN, count = 0, rows = 0;
	bool titled = false;
	int err = options->by_namespace ? profile_times_order(times->namespaces.items, times->namespaces.count,
							      queued_or_throttled, &order, &count)
					: profile_times_order(times->containers.items, times->containers.count,
							      queued_or_throttled, &order, &count);

	memcpy(named, columns, sizeof(named));
	if (options->by_namespace)
		named[CONTAINER].title = "PID NAMESPACE";

	if (!err)
		err = find_namespaces(profile, options->wanted, &namespaces);
	for (size_t i = 0; i < count && !err; i++)
		if (is_row(order[i].sums, options, &namespaces) && rows++ < max)
			err = put_container(&table, profile, order[i].sums);
	if (err)
		return err;
	if (rows)
		column_table_print(&table, out);
	else
		render_none("No times", options->wanted, out);
	if (rows > max)
		fprintf(out, "(%zu more: -n shows them)\n", rows - max);
	rows = 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_row(order[i].sums, options, &namespaces)) {
			if (!options->by_namespace)
				put_culprits(times, profile, order[i].sums, options->wanted, &titled, out);
		} else if (rows++ < max) {
			put_more(times, profile, order[i].sums, options, &titled, out);
		}
	}
	fputc('\n', out);
	render_chosen(profile, options->wanted, out);
	render_queue_account(times, profile, out);
	return render_accounting(profile, out);
}

static struct json_object *culprits_json(const struct profile_times *times, const struct profile *profile,
					 uint32_t container)
{
	static const char *const reasons[] = {"ran", "idle", "moved", "earlier", "filtered"};
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < times->queues.count && !err; i++) {
		const struct queue_sum *queue = &times->queues.items[i];
		_cleanup_json_ struct json_object *one = NULL;

		if (queue->container != container)
			continue;
		one = json_object_new_object();
		err = one ? json_add_text(one, "reason",
					  queue->reason < ARRAY_LENGTH(reasons) ? reasons[queue->reason] : "unknown")
			  : -ENOMEM;
		if (!err && queue->culprit != RECORDING_NONE)
			err = json_add(one, "container", json_container(profile, queue->culprit));
		if (!err)
			err = json_add_number(one, "ns", queue->ns);
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

static struct json_object *sums_json(const struct profile_times *times, const struct profile *profile,
				     const struct time_sums *sums)
{
	_cleanup_json_ struct json_object *one =
		sums->containers ? json_object_new_object() : json_container(profile, sums->container);
	uint64_t wakings = percentile_count(sums->woken), preemptions = percentile_count(sums->preempted);
	const struct json_number numbers[] = {
		{"oncpu_ns", sums->oncpu_ns},
		{"wakings", wakings},
		{"woken_ns", sums->woken_ns},
		{"woken_p50_ns", percentile_ns(sums->woken, 0.5, 0), !wakings},
		{"woken_p99_ns", percentile_ns(sums->woken, 0.99, 0), !wakings},
		{"preemptions", preemptions},
		{"preempted_ns", sums->preempted_ns},
		{"preempted_p50_ns", percentile_ns(sums->preempted, 0.5, 0), !preemptions},
		{"preempted_p99_ns", percentile_ns(sums->preempted, 0.99, 0), !preemptions},
		{"throttled_ns", sums->throttled_ns},
		{"throttles", sums->throttles},
	};
	int err = one ? json_add_numbers(one, numbers, ARRAY_LENGTH(numbers)) : -ENOMEM;

	if (!err)
		err = json_add(one, "woken_histogram", json_histogram(sums->woken));
	if (!err)
		err = json_add(one, "preempted_histogram", json_histogram(sums->preempted));
	if (!err && !sums->containers)
		err = json_add(one, "while_waiting", culprits_json(times, profile, sums->container));
	if (!err && sums->containers)
		err = sums->pid_namespace ? json_add_number(one, "pid_namespace", (uint32_t)sums->pid_namespace)
					  : json_add_null(one, "pid_namespace");
	if (!err && sums->containers)
		err = json_add_number(one, "containers", sums->containers);
	if (!err && sums->containers)
		err = json_add(one, "waits_most", json_container(profile, sums->container));
	return err ? NULL : take_ptr(one);
}

int render_run_queue_json(const struct profile_times *times, const struct profile *profile,
			  const struct run_queue_options *options, FILE *out)
{
	_cleanup_json_ struct json_object *top = json_object_new_object(), *list = json_object_new_array(),
					  *namespaces = json_object_new_array();
	_cleanup_(namespaces_deinit) struct namespaces chosen = {0};
	int err = top && list && namespaces ? find_namespaces(profile, options->wanted, &chosen) : -ENOMEM;

	for (size_t i = 0; i < times->containers.count && !err; i++)
		if (times->containers.items[i].seen && waited_for_chosen(times, (uint32_t)i, options->wanted))
			err = json_append(list, sums_json(times, profile, &times->containers.items[i]));
	for (size_t i = 0; i < times->namespaces.count && !err; i++)
		if (is_row(&times->namespaces.items[i], options, &chosen))
			err = json_append(namespaces, sums_json(times, profile, &times->namespaces.items[i]));
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	if (!err)
		err = json_add(top, "containers", take_ptr(list));
	if (!err)
		err = json_add(top, "pid_namespaces", take_ptr(namespaces));
	if (!err)
		err = json_add_waits_account(top, times, profile);
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
