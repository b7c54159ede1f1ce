/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/series.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/render/chosen.h"
#include "profiler/render/columns.h"
#include "profiler/render/duration.h"
#include "profiler/render/name_text.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/real.h"
#include "symbolizer/base/text.h"

#define NAME_COLUMNS 32

enum unit {
	UNIT_CPUS, /* of ns in a second */
	UNIT_THOUSANDTHS,
	UNIT_PART, /* of another measure */
	UNIT_TIME, /* a part of the time, of ns in a second */
	UNIT_BYTES,
	UNIT_BYTES_RATE,
	UNIT_RATE,
	UNIT_NUMBER,
};

static const struct shown {
	const char *title;
	struct series_question question;
	enum unit unit;
} shown[] = {
	{"cpu", {SERIES_CPU_USAGE, SERIES_BY_TIME}, UNIT_CPUS},
	{"cpu user", {SERIES_CPU_USER, SERIES_BY_TIME}, UNIT_CPUS},
	{"cpu system", {SERIES_CPU_SYSTEM, SERIES_BY_TIME}, UNIT_CPUS},
	{"cpu limit", {SERIES_CPU_LIMIT, SERIES_BY_TIME}, UNIT_THOUSANDTHS},
	{"throttled periods", {SERIES_CPU_THROTTLED_PERIODS, SERIES_CPU_PERIODS}, UNIT_PART},
	{"throttled time", {SERIES_CPU_THROTTLED, SERIES_BY_TIME}, UNIT_CPUS},
	{"cpu steal", {SERIES_CPU_STEAL, SERIES_BY_TIME}, UNIT_CPUS},
	{"cpu iowait", {SERIES_CPU_IOWAIT, SERIES_BY_TIME}, UNIT_CPUS},
	{"tasks runnable", {SERIES_TASKS_RUNNABLE, SERIES_BY_TIME}, UNIT_NUMBER},
	{"tasks blocked", {SERIES_TASKS_BLOCKED, SERIES_BY_TIME}, UNIT_NUMBER},
	{"load", {SERIES_LOAD, SERIES_BY_TIME}, UNIT_THOUSANDTHS},
	{"cpu pressure", {SERIES_CPU_SOME, SERIES_BY_TIME}, UNIT_TIME},
	{"cpu pressure, full", {SERIES_CPU_FULL, SERIES_BY_TIME}, UNIT_TIME},
	{"memory pressure", {SERIES_MEMORY_SOME, SERIES_BY_TIME}, UNIT_TIME},
	{"memory pressure, full", {SERIES_MEMORY_FULL, SERIES_BY_TIME}, UNIT_TIME},
	{"io pressure", {SERIES_IO_SOME, SERIES_BY_TIME}, UNIT_TIME},
	{"io pressure, full", {SERIES_IO_FULL, SERIES_BY_TIME}, UNIT_TIME},
	{"memory", {SERIES_MEMORY_USAGE, SERIES_BY_TIME}, UNIT_BYTES},
	{"memory limit", {SERIES_MEMORY_LIMIT, SERIES_BY_TIME}, UNIT_BYTES},
	{"memory, anonymous", {SERIES_MEMORY_ANONYMOUS, SERIES_BY_TIME}, UNIT_BYTES},
	{"memory, kernel", {SERIES_MEMORY_KERNEL, SERIES_BY_TIME}, UNIT_BYTES},
	{"memory, slab", {SERIES_MEMORY_SLAB, SERIES_BY_TIME}, UNIT_BYTES},
	{"memory limit hits", {SERIES_MEMORY_LIMIT_HITS, SERIES_BY_TIME}, UNIT_RATE},
	{"oom kills", {SERIES_MEMORY_OOM_KILLS, SERIES_BY_TIME}, UNIT_RATE},
	{"major faults", {SERIES_MEMORY_MAJOR_FAULTS, SERIES_BY_TIME}, UNIT_RATE},
	{"read", {SERIES_IO_READ, SERIES_BY_TIME}, UNIT_BYTES_RATE},
	{"written", {SERIES_IO_WRITTEN, SERIES_BY_TIME}, UNIT_BYTES_RATE},
	{"read operations", {SERIES_IO_READS, SERIES_BY_TIME}, UNIT_RATE},
	{"write operations", {SERIES_IO_WRITES, SERIES_BY_TIME}, UNIT_RATE},
	{"dentries", {SERIES_DENTRIES, SERIES_BY_TIME}, UNIT_NUMBER},
	{"dentries, unused", {SERIES_DENTRIES_UNUSED, SERIES_BY_TIME}, UNIT_NUMBER},
	{"dentries, negative", {SERIES_DENTRIES_NEGATIVE, SERIES_BY_TIME}, UNIT_NUMBER},
};

enum { CONTAINER, MEASURE, MIN, MEAN, MAX, TOTAL, LINE, COLUMNS };

static void put_bytes(double bytes, const char *by, char *cell)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t unit = 0;

	for (; bytes >= 999.5 && unit + 1 < ARRAY_LENGTH(units); unit++)
		bytes /= 1000;
	snprintf(cell, COLUMN_CELL_BYTES, "%.*f %s%s", unit && bytes < 99.95 ? 1 : 0, bytes, units[unit], by);
}

static void put_value(double value, enum unit unit, char *cell)
{
	switch (unit) {
	case UNIT_CPUS:
		snprintf(cell, COLUMN_CELL_BYTES, "%.2f", value / 1e9);
		break;
	case UNIT_THOUSANDTHS:
		snprintf(cell, COLUMN_CELL_BYTES, "%.2f", value / 1e3);
		break;
	case UNIT_PART:
		snprintf(cell, COLUMN_CELL_BYTES, "%.0f%%", value * 100);
		break;
	case UNIT_TIME:
		snprintf(cell, COLUMN_CELL_BYTES, "%.0f%%", value / 1e7);
		break;
	case UNIT_BYTES:
		put_bytes(value, "", cell);
		break;
	case UNIT_BYTES_RATE:
		put_bytes(value, "/s", cell);
		break;
	case UNIT_RATE:
		snprintf(cell, COLUMN_CELL_BYTES, "%.*f/s", value < 9.95 ? 1 : 0, value);
		break;
	case UNIT_NUMBER:
		text_grouped(real_to_u64(value + 0.5), cell, COLUMN_CELL_BYTES);
		break;
	}
}

static void put_total(double total, enum unit unit, char *cell)
{
	if (unit == UNIT_CPUS || unit == UNIT_TIME)
		duration_text(real_to_u64(total), cell, COLUMN_CELL_BYTES);
	else if (unit == UNIT_BYTES_RATE)
		put_bytes(total, "", cell);
	else if (unit == UNIT_RATE)
		text_grouped(real_to_u64(total), cell, COLUMN_CELL_BYTES);
}

/* From 0 to the largest; nothing where nothing is known. */
static void put_line(const double bins[SERIES_BINS], char *cell)
{
	static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	double most = 0;
	size_t used = 0;

	for (size_t i = 0; i < SERIES_BINS; i++)
		most = fmax(most, bins[i]);
	for (size_t i = 0; i < SERIES_BINS; i++) {
		size_t height = most > 0 && bins[i] > 0 ? (size_t)(bins[i] / most * 7 + 0.5) : 0;

		used += (size_t)snprintf(cell + used, COLUMN_CELL_BYTES - used, "%s",
					 isnan(bins[i]) ? " " : heights[height]);
	}
	while (used && cell[used - 1] == ' ')
		cell[--used] = '\0';
}

static int put_series(struct column_table *table, const struct profile_series *series, const struct series_of *of,
		      const char *label, bool all)
{
	double bins[SERIES_BINS];
	int err = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(shown) && !err; i++) {
		char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};
		struct series_answer answer;

		if (!profile_series_ask(series, of, &shown[i].question, &answer) ||
		    (!all && !answer.max && !answer.total))
			continue;
		name_text(label, NAME_COLUMNS, cells[CONTAINER], COLUMN_CELL_BYTES);
		label = "";
		snprintf(cells[MEASURE], COLUMN_CELL_BYTES, "%s", shown[i].title);
		put_value(answer.min, shown[i].unit, cells[MIN]);
		put_value(answer.mean, shown[i].unit, cells[MEAN]);
		put_value(answer.max, shown[i].unit, cells[MAX]);
		put_total(answer.total, shown[i].unit, cells[TOTAL]);
		profile_series_line(series, of, &shown[i].question, bins);
		put_line(bins, cells[LINE]);
		err = column_table_add(table, cells, NULL);
	}
	return err;
}

/* What files do not tell is told once, for all: it is the same kernel under all of them. */
static void put_unknown(const struct profile_series *series, const struct profile *profile, FILE *out)
{
	static const struct {
		enum series_measure measure;
		const char *text;
	} missing[] = {
		{SERIES_CPU_SOME, "pressure (it has no files in cgroup v1, nor where the kernel runs without psi=1)"},
		{SERIES_MEMORY_USAGE, "memory (no memory controller)"},
		{SERIES_MEMORY_SLAB, "slab (in cgroup v1 it is only in the kernel's memory as a whole)"},
		{SERIES_IO_READ, "block I/O (cgroup v1 counts it, since Linux 6.10, only on disks that have a limit)"},
	};
	const char *before = "Not known of containers: ";
	uint64_t known = 0;
	bool any = false;

	for (size_t i = 0; i < series->rows.count; i++) {
		if (series->rows.items[i]->container == SERIES_HOST)
			continue;
		known |= series->rows.items[i]->values.known;
		any = true;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(missing) && any; i++) {
		if (known & SERIES_BIT(missing[i].measure))
			continue;
		fprintf(out, "%s%s", before, missing[i].text);
		before = "; ";
	}
	if (before[0] == ';')
		fputs(".\n", out);
}

static void put_account(const struct profile *profile, FILE *out)
{
	char containers[32], readings[32], later[32], missed[32] = "", left[32];

	if (!profile_fact(profile, "series.readings"))
		return;
	/* Older recordings do not say. */
	if (profile_fact(profile, "series.missed"))
		text_grouped(profile_fact_number(profile, "series.missed"), missed, sizeof(missed));
	fprintf(out,
		"%s readings of %s containers; %s were put off to a later second, %s%s%s containers left "
		"out.\n",
		text_grouped(profile_fact_number(profile, "series.readings"), readings, sizeof(readings)),
		text_grouped(profile_fact_number(profile, "series.containers"), containers, sizeof(containers)),
		text_grouped(profile_fact_number(profile, "series.put_off"), later, sizeof(later)), missed,
		missed[0] ? " missed, " : "",
		text_grouped(profile_fact_number(profile, "series.left_out"), left, sizeof(left)));
}

int render_series_text(const struct profile_series *series, const struct profile *profile,
		       const struct series_options *options, FILE *out)
{
	char line[32], time[16];
	const struct column columns[COLUMNS] = {
		[CONTAINER] = {"CONTAINER", false, NAME_COLUMNS},
		[MEASURE] = {"MEASURE", false, 24},
		[MIN] = {"MIN", true, 12},
		[MEAN] = {"MEAN", true, 12},
		[MAX] = {"MAX", true, 12},
		[TOTAL] = {"TOTAL", true, 16},
		[LINE] = {line, false, SERIES_BINS},
	};
	_cleanup_(column_table_deinit) struct column_table table = {columns, COLUMNS, {0}};
	const struct series_of *host = profile_series_host(series);
	int err = 0;

	snprintf(line, sizeof(line), "OVER %s", duration_text(series->end_ns, time, sizeof(time)));
	if (host && !options->wanted)
		err = put_series(&table, series, host, "(the host)", options->all);
	for (size_t i = 0; i < series->list.count && !err; i++) {
		const struct series_of *of = &series->list.items[i];

		if (of->container != SERIES_HOST && is_of_series(of->container, options->wanted))
			err = put_series(&table, series, of, profile_container_label(profile, of->container),
					 options->all);
	}
	if (err)
		return err;
	if (table.rows.count)
		column_table_print(&table, out);
	else
		render_none(options->all ? "No readings" : "No readings above 0", options->wanted, out);
	fputc('\n', out);
	render_chosen(profile, options->wanted, out);
	put_unknown(series, profile, out);
	put_account(profile, out);
	return render_accounting(profile, out);
}
