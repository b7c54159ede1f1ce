/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile_series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9
#define SPAN_MIN_NS 100000000ull /* shorter ones make wild rates */

const char *const profile_series_names[SERIES_MEASURES] = {
	[SERIES_CPU_USAGE] = "cpu_usage_ns",
	[SERIES_CPU_USER] = "cpu_user_ns",
	[SERIES_CPU_SYSTEM] = "cpu_system_ns",
	[SERIES_CPU_LIMIT] = "cpu_limit_millicpus",
	[SERIES_CPU_PERIODS] = "cpu_periods",
	[SERIES_CPU_THROTTLED_PERIODS] = "cpu_throttled_periods",
	[SERIES_CPU_THROTTLED] = "cpu_throttled_ns",
	[SERIES_CPU_SOME] = "cpu_some_ns",
	[SERIES_CPU_FULL] = "cpu_full_ns",
	[SERIES_MEMORY_SOME] = "memory_some_ns",
	[SERIES_MEMORY_FULL] = "memory_full_ns",
	[SERIES_IO_SOME] = "io_some_ns",
	[SERIES_IO_FULL] = "io_full_ns",
	[SERIES_MEMORY_USAGE] = "memory_usage_bytes",
	[SERIES_MEMORY_LIMIT] = "memory_limit_bytes",
	[SERIES_MEMORY_ANONYMOUS] = "memory_anonymous_bytes",
	[SERIES_MEMORY_KERNEL] = "memory_kernel_bytes",
	[SERIES_MEMORY_SLAB] = "memory_slab_bytes",
	[SERIES_MEMORY_LIMIT_HITS] = "memory_limit_hits",
	[SERIES_MEMORY_OOM_KILLS] = "memory_oom_kills",
	[SERIES_MEMORY_MAJOR_FAULTS] = "memory_major_faults",
	[SERIES_IO_READ] = "io_read_bytes",
	[SERIES_IO_WRITTEN] = "io_written_bytes",
	[SERIES_IO_READS] = "io_reads",
	[SERIES_IO_WRITES] = "io_writes",
	[SERIES_CPU_STEAL] = "cpu_steal_ns",
	[SERIES_CPU_IOWAIT] = "cpu_iowait_ns",
	[SERIES_TASKS_RUNNABLE] = "tasks_runnable",
	[SERIES_TASKS_BLOCKED] = "tasks_blocked",
	[SERIES_LOAD] = "load_thousandths",
	[SERIES_DENTRIES] = "dentries",
	[SERIES_DENTRIES_UNUSED] = "dentries_unused",
	[SERIES_DENTRIES_NEGATIVE] = "dentries_negative",
};

/* A stretch of time with one answer: a row, or the quiet before it. */
struct stretch {
	uint64_t from_ns, to_ns;
	double part, whole; /* the answer is part / whole; whole 0: not known */
};

void profile_series_deinit(struct profile_series *series)
{
	array_deinit(&series->rows);
	array_deinit(&series->list);
}

static int by_container_and_time(const void *left, const void *right)
{
	const struct recording_series *a = *(const struct recording_series *const *)left,
				      *b = *(const struct recording_series *const *)right;

	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

int profile_series_init(struct profile_series *series, const struct profile *profile)
{
	const struct recording_tables *rows = &profile->rows;

	memset(series, 0, sizeof(*series));
	if (!rows->series.count)
		return 0;
	if (array_reserve(&series->rows, rows->series.count))
		return -ENOMEM;
	for (size_t i = 0; i < rows->series.count; i++) {
		*array_add(&series->rows) = &rows->series.items[i];
		if (rows->series.items[i].time_ns > series->end_ns)
			series->end_ns = rows->series.items[i].time_ns;
	}
	qsort(series->rows.items, series->rows.count, sizeof(*series->rows.items), by_container_and_time);
	for (size_t i = 0; i < series->rows.count; i++) {
		struct series_of *last = series->list.count ? &series->list.items[series->list.count - 1] : NULL;

		if (!last || last->container != series->rows.items[i]->container) {
			last = array_add(&series->list);
			if (!last)
				return -ENOMEM;
			*last = (struct series_of){series->rows.items[i]->container, i, 0};
		}
		last->count++;
	}
	return 0;
}

const struct series_of *profile_series_host(const struct profile_series *series)
{
	const struct series_of *last = series->list.count ? &series->list.items[series->list.count - 1] : NULL;

	return last && last->container == SERIES_HOST ? last : NULL;
}

static bool is_now(const struct series_question *question)
{
	return SERIES_NOW & SERIES_BIT(question->measure);
}

bool profile_series_value(const struct recording_series *row, enum series_measure measure, uint64_t *ret_value)
{
	uint64_t value = row->values.values[measure];
	bool is_limit = measure == SERIES_CPU_LIMIT || measure == SERIES_MEMORY_LIMIT;

	if (!(row->values.known & SERIES_BIT(measure)) || (is_limit && !value))
		return false;
	*ret_value = value;
	return true;
}

static void answer_of(const struct recording_series *row, const struct series_question *question,
		      struct stretch *stretch)
{
	uint64_t value;

	stretch->part = stretch->whole = 0;
	if (!profile_series_value(row, question->measure, &value))
		return;
	stretch->part = (double)value;
	if (is_now(question))
		stretch->whole = 1;
	else if (question->part_of == SERIES_BY_TIME)
		stretch->whole = (double)row->span_ns / NS_PER_S;
	else
		stretch->whole = (double)row->values.values[question->part_of];
}

/*
 * Row @i and what was before it: 0, 1 or 2 stretches. The file is not to be trusted: a span may be longer than what there
 * was before it.
 */
static size_t stretches_of(const struct profile_series *series, const struct series_of *of, size_t i,
			   const struct series_question *question, struct stretch *stretches)
{
	const struct recording_series *row = series->rows.items[of->first + i];
	const struct recording_series *before = i ? series->rows.items[of->first + i - 1] : NULL;
	uint64_t from = row->span_ns < row->time_ns ? row->time_ns - row->span_ns : 0;
	size_t count = 0;

	if (before && from > before->time_ns && row->values.known & SERIES_BIT(question->measure)) {
		struct stretch *quiet = &stretches[count++];

		answer_of(before, question, quiet);
		quiet->from_ns = before->time_ns;
		quiet->to_ns = from;
		if (!is_now(question)) {
			quiet->part = 0;
			quiet->whole =
				question->part_of == SERIES_BY_TIME ? (double)(from - before->time_ns) / NS_PER_S : 0;
		}
	}
	stretches[count].from_ns = from;
	stretches[count].to_ns = row->time_ns;
	answer_of(row, question, &stretches[count]);
	return count + 1;
}

bool profile_series_ask(const struct profile_series *series, const struct series_of *of,
			const struct series_question *question, struct series_answer *ret_answer)
{
	struct series_answer answer = {.min = INFINITY, .max = -INFINITY};
	double part = 0, whole = 0, value = 0;
	struct stretch stretches[2];
	bool known = false;

	for (size_t i = 0; i < of->count; i++) {
		size_t count = stretches_of(series, of, i, question, stretches);

		for (size_t s = 0; s < count; s++) {
			const struct stretch *one = &stretches[s];
			double weight = is_now(question) ? (double)(one->to_ns - one->from_ns) : 1;

			if (one->whole <= 0)
				continue;
			known = true;
			value = one->part / one->whole;
			part += one->part * weight;
			whole += one->whole * weight;
			if (!is_now(question) && one->to_ns - one->from_ns < SPAN_MIN_NS)
				continue;
			answer.min = value < answer.min ? value : answer.min;
			answer.max = value > answer.max ? value : answer.max;
		}
	}
	if (!known)
		return false;
	answer.mean = whole > 0 ? part / whole : value;
	answer.total = is_now(question) ? 0 : part;
	if (answer.min > answer.max)
		answer.min = answer.max = answer.mean;
	*ret_answer = answer;
	return true;
}

/* Adds a stretch to the bins that it meets, to each by the time that they share. */
static void spread(const struct stretch *one, double bin_ns, double *parts, double *wholes, bool now)
{
	double length = (double)(one->to_ns - one->from_ns);
	size_t first = (size_t)((double)one->from_ns / bin_ns);

	for (size_t bin = first; bin < SERIES_BINS && (double)bin * bin_ns < (double)one->to_ns; bin++) {
		double from = fmax((double)bin * bin_ns, (double)one->from_ns);
		double to = fmin((double)(bin + 1) * bin_ns, (double)one->to_ns);
		double share = now ? to - from : (to - from) / length;

		parts[bin] += one->part * share;
		wholes[bin] += one->whole * share;
	}
}

void profile_series_line(const struct profile_series *series, const struct series_of *of,
			 const struct series_question *question, double ret_bins[SERIES_BINS])
{
	double bin_ns = (double)series->end_ns / SERIES_BINS;
	double wholes[SERIES_BINS];
	struct stretch stretches[2];

	for (size_t bin = 0; bin < SERIES_BINS; bin++)
		ret_bins[bin] = wholes[bin] = 0;
	for (size_t i = 0; i < of->count; i++) {
		size_t found = stretches_of(series, of, i, question, stretches);

		for (size_t s = 0; s < found; s++)
			if (stretches[s].whole > 0 && stretches[s].to_ns > stretches[s].from_ns)
				spread(&stretches[s], bin_ns, ret_bins, wholes, is_now(question));
	}
	for (size_t bin = 0; bin < SERIES_BINS; bin++)
		ret_bins[bin] = wholes[bin] > 0 ? ret_bins[bin] / wholes[bin] : NAN;
}
