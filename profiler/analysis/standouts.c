/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/standouts.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define NS_PER_S 1e9

static const struct rule {
	struct series_question question;
	double least;	   /* mean that is told … */
	bool in_ns;	   /* … of ns in a second */
	bool any;	   /* or: told wherever there is one at all */
	bool no_throttled; /* not of those that were throttled */
} rules[] = {
	[STANDOUT_THROTTLED] = {{SERIES_CPU_THROTTLED_PERIODS, SERIES_CPU_PERIODS}, STANDOUT_THROTTLED_MIN},
	[STANDOUT_MEMORY_LIMIT] = {{SERIES_MEMORY_LIMIT_HITS, SERIES_BY_TIME}, .any = true},
	[STANDOUT_OOM_KILLS] = {{SERIES_MEMORY_OOM_KILLS, SERIES_BY_TIME}, .any = true},
	[STANDOUT_CPU_PRESSURE] = {{SERIES_CPU_SOME, SERIES_BY_TIME},
				   STANDOUT_PRESSURE_MIN,
				   true,
				   .no_throttled = true},
	[STANDOUT_MEMORY_PRESSURE] = {{SERIES_MEMORY_SOME, SERIES_BY_TIME}, STANDOUT_MEMORY_PRESSURE_MIN, true},
	[STANDOUT_IO_PRESSURE] = {{SERIES_IO_SOME, SERIES_BY_TIME}, STANDOUT_PRESSURE_MIN, true},
	[STANDOUT_STEAL] = {{SERIES_CPU_STEAL, SERIES_BY_TIME}, STANDOUT_STEAL_MIN, true},
};

static uint64_t last_of(const struct profile_series *series, const struct series_of *of, enum series_measure measure)
{
	return series->rows.items[of->first + of->count - 1]->values.values[measure];
}

static void explain(struct standout *one, const struct profile_series *series, const struct series_of *of)
{
	struct series_question time = {SERIES_CPU_THROTTLED, SERIES_BY_TIME};
	struct series_answer answer;

	if (one->kind == STANDOUT_THROTTLED) {
		one->total = profile_series_ask(series, of, &time, &answer) ? answer.total : NAN;
		one->limit = (double)last_of(series, of, SERIES_CPU_LIMIT);
	} else if (one->kind == STANDOUT_MEMORY_LIMIT) {
		one->limit = (double)last_of(series, of, SERIES_MEMORY_LIMIT);
	}
}

static int look_at(struct standouts *standouts, const struct profile_series *series, const struct series_of *of)
{
	bool throttled = false;

	for (unsigned int i = 0; i < ARRAY_LENGTH(rules); i++) {
		const struct rule *rule = &rules[i];
		struct series_answer answer;
		struct standout *one;

		if (!profile_series_ask(series, of, &rule->question, &answer))
			continue;
		if (rule->in_ns)
			answer.mean /= NS_PER_S;
		if (rule->any ? answer.total <= 0 : answer.mean < rule->least)
			continue;
		if (rule->no_throttled && throttled)
			continue;
		one = array_add(&standouts->list);
		if (!one)
			return -ENOMEM;
		*one = (struct standout){of->container, (enum standout_kind)i, answer.mean, answer.total, 0};
		explain(one, series, of);
		throttled |= i == STANDOUT_THROTTLED;
	}
	return 0;
}

int standouts_init(struct standouts *standouts, const struct profile_series *series)
{
	int err = 0;

	memset(standouts, 0, sizeof(*standouts));
	for (size_t i = 0; i < series->list.count && !err; i++)
		err = look_at(standouts, series, &series->list.items[i]);
	return err;
}

void standouts_deinit(struct standouts *standouts)
{
	array_deinit(&standouts->list);
}
