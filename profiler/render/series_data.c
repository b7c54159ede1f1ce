/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>

#include "profiler/render/chosen.h"
#include "profiler/render/series.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/real.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

static struct json_object *values_json(const struct profile_series *series, const struct series_of *of,
				       enum series_measure measure)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < of->count && !err; i++) {
		uint64_t value;

		if (profile_series_value(series->rows.items[of->first + i], measure, &value))
			err = json_append(array, json_object_new_uint64(value));
		else if (json_object_array_add(array, NULL))
			err = -ENOMEM;
	}
	return err ? NULL : take_ptr(array);
}

static struct json_object *times_json(const struct profile_series *series, const struct series_of *of, bool spans)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < of->count && !err; i++) {
		const struct recording_series *row = series->rows.items[of->first + i];

		err = json_append(array, json_object_new_uint64(spans ? row->span_ns : row->time_ns));
	}
	return err ? NULL : take_ptr(array);
}

static struct json_object *measures_json(const struct profile_series *series, const struct series_of *of)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	int err = object ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < SERIES_MEASURES && !err; i++) {
		struct series_question question = {(enum series_measure)i, SERIES_BY_TIME};
		_cleanup_json_ struct json_object *one = NULL;
		bool now = SERIES_NOW & SERIES_BIT(i);
		struct series_answer answer;

		if (!profile_series_ask(series, of, &question, &answer))
			continue;
		one = json_object_new_object();
		err = one ? json_add_real(one, now ? "min" : "min_per_second", answer.min) : -ENOMEM;
		if (!err)
			err = json_add_real(one, now ? "mean" : "mean_per_second", answer.mean);
		if (!err)
			err = json_add_real(one, now ? "max" : "max_per_second", answer.max);
		if (!err && !now)
			err = json_add_number(one, "total", real_to_u64(answer.total));
		if (!err)
			err = json_add(one, "values", values_json(series, of, question.measure));
		if (!err)
			err = json_add(object, profile_series_names[i], take_ptr(one));
	}
	return err ? NULL : take_ptr(object);
}

static int add_series(struct json_object *one, const struct profile_series *series, const struct series_of *of)
{
	int err = json_add(one, "time_ns", times_json(series, of, false));

	if (!err)
		err = json_add(one, "span_ns", times_json(series, of, true));
	return err ? err : json_add(one, "measures", measures_json(series, of));
}

int render_series_json(const struct profile_series *series, const struct profile *profile,
		       const struct series_options *options, FILE *out)
{
	static const char *const facts[] = {"containers", "readings", "put_off", "missed", "left_out"};
	_cleanup_json_ struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	int err = top && list ? 0 : -ENOMEM;
	char key[32];

	for (size_t i = 0; i < series->list.count && !err; i++) {
		const struct series_of *of = &series->list.items[i];
		_cleanup_json_ struct json_object *one = NULL;

		if (!is_of_series(of->container, options->wanted))
			continue;
		one = of->container == SERIES_HOST ? json_object_new_object() : json_container(profile, of->container);
		err = one ? add_series(one, series, of) : -ENOMEM;
		if (!err)
			err = of->container == SERIES_HOST ? json_add(top, "host", take_ptr(one))
							   : json_append(list, take_ptr(one));
	}
	if (!err)
		err = json_add(top, "containers", take_ptr(list));
	if (!err)
		err = json_add_standouts(top, profile, options->wanted);
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	for (size_t i = 0; i < ARRAY_LENGTH(facts) && !err; i++) {
		snprintf(key, sizeof(key), "series.%s", facts[i]);
		err = json_add_fact(top, facts[i][0] == 'c' ? "containers_read" : facts[i], profile, key);
	}
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}

/* A name that a spreadsheet would take for a formula begins with a quote. */
static void put_quoted(const char *text, FILE *out)
{
	char safe[512];

	text_printable(text, safe, sizeof(safe));
	fputc('"', out);
	if (safe[0] == '=' || safe[0] == '+' || safe[0] == '-' || safe[0] == '@')
		fputc('\'', out);
	for (const char *at = safe; *at; at++)
		fprintf(out, *at == '"' ? "\"\"" : "%c", *at);
	fputc('"', out);
}

int render_series_csv(const struct profile_series *series, const struct profile *profile,
		      const struct series_options *options, FILE *out)
{
	fputs("container,id,time_ns,span_ns", out);
	for (unsigned int i = 0; i < SERIES_MEASURES; i++)
		fprintf(out, ",%s", profile_series_names[i]);
	fputs("\r\n", out);
	for (size_t i = 0; i < series->rows.count; i++) {
		const struct recording_series *row = series->rows.items[i];
		bool host = row->container == SERIES_HOST;

		if (!is_of_series(row->container, options->wanted))
			continue;
		put_quoted(host ? "(the host)" : profile_container_label(profile, row->container), out);
		fputc(',', out);
		if (!host)
			put_quoted(string_table_text(&profile->rows.strings,
						     profile->rows.containers.items[row->container].id),
				   out);
		fprintf(out, ",%" PRIu64 ",%" PRIu64, row->time_ns, row->span_ns);
		for (unsigned int m = 0; m < SERIES_MEASURES; m++) {
			uint64_t value;

			fputc(',', out);
			if (profile_series_value(row, (enum series_measure)m, &value))
				fprintf(out, "%" PRIu64, value);
		}
		fputs("\r\n", out);
	}
	return stream_end(out);
}
