/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <math.h>

#include "profiler/analysis/standouts.h"
#include "profiler/profile/profile_containers.h"
#include "profiler/profile/profile_series.h"
#include "profiler/render/series.h"
#include "symbolizer/base/cleanup.h"
#include "tests/unit/recordings.h"

#define S 1000000000ull

static void add(struct maker *maker, uint32_t container, double from_s, double to_s, enum series_measure measure,
		uint64_t value)
{
	struct recording_series row = {.container = container, .time_ns = (uint64_t)(to_s * 1e9)};

	row.span_ns = row.time_ns - (uint64_t)(from_s * 1e9);
	series_put(&row.values, measure, value);
	assert_int_equal(recording_writer_series(maker->writer, &row), 0);
}

static bool ask(struct profile *profile, uint32_t container, enum series_measure measure, int part_of,
		struct series_answer *answer, double bins[SERIES_BINS])
{
	struct series_question question = {measure, part_of};
	struct profile_series series;
	bool known = false;

	assert_int_equal(profile_series_init(&series, profile), 0);
	for (size_t i = 0; i < series.list.count; i++) {
		if (series.list.items[i].container != container)
			continue;
		known = profile_series_ask(&series, &series.list.items[i], &question, answer);
		profile_series_line(&series, &series.list.items[i], &question, bins);
	}
	profile_series_deinit(&series);
	return known;
}

static void expect(double value, double wanted)
{
	if (fabs(value - wanted) > 1e-9 * fabs(wanted) + 1e-12)
		fail_msg("%g, not %g", value, wanted);
}

static void test_profile_series__rates_are_by_the_second_and_quiet_time_counts_as_nothing(void **state)
{
	struct series_answer answer;
	double bins[SERIES_BINS];
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	add(&maker, web, 0, 0, SERIES_MEMORY_USAGE, 1);
	add(&maker, web, 0, 2, SERIES_IO_READ, 100);
	add(&maker, web, 7, 8, SERIES_IO_READ, 300); /* quiet from 2 to 7 */
	profile = maker_load(&maker);
	assert_true(ask(profile, web, SERIES_IO_READ, SERIES_BY_TIME, &answer, bins));
	expect(answer.total, 400);
	expect(answer.mean, 50);
	expect(answer.min, 0);
	expect(answer.max, 300);
	expect(bins[0], 50);
	expect(bins[7], 50);
	expect(bins[8], 0);
	expect(bins[27], 0);
	expect(bins[28], 300);
	expect(bins[31], 300);
	assert_false(ask(profile, web, SERIES_IO_WRITTEN, SERIES_BY_TIME, &answer, bins));
	assert_true(isnan(bins[0]));
	profile_free(profile);
}

static void test_profile_series__what_is_now_stays_and_its_mean_is_over_time(void **state)
{
	struct series_answer answer;
	double bins[SERIES_BINS];
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	add(&maker, web, 4, 4, SERIES_MEMORY_USAGE, 10);
	add(&maker, web, 6, 8, SERIES_MEMORY_USAGE, 20); /* 10 until 6 */
	profile = maker_load(&maker);
	assert_true(ask(profile, web, SERIES_MEMORY_USAGE, SERIES_BY_TIME, &answer, bins));
	expect(answer.min, 10);
	expect(answer.max, 20);
	expect(answer.mean, 15);
	expect(answer.total, 0);
	assert_true(isnan(bins[15]));
	expect(bins[16], 10);
	expect(bins[31], 20);
	profile_free(profile);
}

static void test_profile_series__parts_are_of_what_they_are_parts_of(void **state)
{
	struct recording_series row = {.time_ns = S, .span_ns = S};
	struct series_answer answer;
	double bins[SERIES_BINS];
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	for (uint64_t i = 0; i < 3; i++, row.time_ns += S) {
		row.container = web;
		series_put(&row.values, SERIES_CPU_PERIODS, i * 10);
		series_put(&row.values, SERIES_CPU_THROTTLED_PERIODS, i * i);
		assert_int_equal(recording_writer_series(maker.writer, &row), 0);
	}
	profile = maker_load(&maker);
	assert_true(ask(profile, web, SERIES_CPU_THROTTLED_PERIODS, SERIES_CPU_PERIODS, &answer, bins));
	expect(answer.min, 0.1);
	expect(answer.max, 0.2);
	expect(answer.mean, 5. / 30);
	profile_free(profile);
}

static void test_profile_series__short_spans_make_no_extremes_and_lies_no_harm(void **state)
{
	struct recording_series lie = {.time_ns = 5, .span_ns = UINT64_MAX};
	struct series_answer answer;
	double bins[SERIES_BINS];
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	add(&maker, web, 0, 1, SERIES_IO_READ, 10);
	add(&maker, web, 1, 1.001, SERIES_IO_READ, 10);
	for (unsigned int i = 0; i < SERIES_MEASURES; i++)
		series_put(&lie.values, (enum series_measure)i, UINT64_MAX);
	lie.values.known = UINT64_MAX;
	lie.container = SERIES_HOST;
	assert_int_equal(recording_writer_series(maker.writer, &lie), 0);
	lie.time_ns = UINT64_MAX;
	assert_int_equal(recording_writer_series(maker.writer, &lie), 0);
	lie.span_ns = 0;
	assert_int_equal(recording_writer_series(maker.writer, &lie), 0);
	profile = maker_load(&maker);
	assert_true(ask(profile, web, SERIES_IO_READ, SERIES_BY_TIME, &answer, bins));
	expect(answer.min, 10);
	expect(answer.max, 10);
	expect(answer.total, 20);
	for (unsigned int i = 0; i < SERIES_MEASURES; i++)
		ask(profile, SERIES_HOST, (enum series_measure)i, SERIES_BY_TIME, &answer, bins);
	profile_free(profile);
}

static char *render(const struct profile *profile, int (*how)(const struct profile_series *, const struct profile *,
							      const struct series_options *, FILE *))
{
	struct series_options options = {0};
	struct profile_series series;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(profile_series_init(&series, profile), 0);
	assert_int_equal(how(&series, profile, &options, out), 0);
	profile_series_deinit(&series);
	fclose(out);
	return text;
}

static void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in: %s", part, text);
}

static void test_profile_series__reports_show_rates_lines_and_what_is_not_known(void **state)
{
	struct profile *profile;
	struct maker maker;
	uint32_t web;
	char *text;

	maker_start(&maker);
	maker_fact(&maker, "series.readings", "3");
	web = maker_container(&maker, CONTAINER_CONTAINER, "=web\"\n", "abc", "");
	add(&maker, web, 0, 1, SERIES_CPU_USAGE, S / 2);
	add(&maker, web, 1, 2, SERIES_CPU_USAGE, S);
	add(&maker, SERIES_HOST, 0, 2, SERIES_CPU_STEAL, S);
	profile = maker_load(&maker);
	text = render(profile, render_series_text);
	contains(text, "(the host)  cpu steal  0.50  0.50  0.50  1.00 s");
	contains(text, "=web\"?      cpu        0.50  0.75  1.00  1.50 s");
	contains(text, "▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅████████████████\n");
	contains(text, "Not known of containers: pressure");
	contains(text, "3 readings of 0 containers; 0 were put off to a later second, 0 containers left out.\n");
	free(text);
	text = render(profile, render_series_csv);
	contains(text, "container,id,time_ns,span_ns,cpu_usage_ns,");
	contains(text, "\"'=web\"\"?\",\"abc\",2000000000,1000000000,1000000000,,");
	contains(text, "\"(the host)\",,2000000000,2000000000,,");
	free(text);
	text = render(profile, render_series_json);
	contains(text, "\"min_per_second\": 500000000.0");
	contains(text, "\"total\": 1500000000,\n");
	free(text);
	profile_free(profile);
}

/* That of test_profile_series__reports_show_… is of an older stoker, which did not count them. */
static void test_profile_series__missed_readings_are_told_where_they_were_counted(void **state)
{
	struct profile *profile;
	struct maker maker;
	char *text;

	maker_start(&maker);
	maker_fact(&maker, "series.readings", "3");
	maker_fact(&maker, "series.missed", "2");
	profile = maker_load(&maker);
	text = render(profile, render_series_text);
	contains(text, " put off to a later second, 2 missed, 0 containers left out.\n");
	free(text);
	profile_free(profile);
}

static void test_profile_series__no_limit_is_not_a_limit_of_0(void **state)
{
	struct profile *profile;
	struct maker maker;
	uint32_t web, free_one;
	char *text;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	free_one = maker_container(&maker, CONTAINER_CONTAINER, "free", "def", "");
	add(&maker, web, 0, 1, SERIES_CPU_LIMIT, 0);
	add(&maker, web, 1, 2, SERIES_CPU_LIMIT, 500);
	add(&maker, free_one, 0, 1, SERIES_MEMORY_LIMIT, 0);
	profile = maker_load(&maker);
	text = render(profile, render_series_json);
	contains(text, "\"min\": 500.0");
	contains(text, "\"values\": [\n            null,\n            500\n          ]");
	assert_null(strstr(text, "memory_limit_bytes"));
	free(text);
	text = render(profile, render_series_csv);
	contains(text, "\"web\",\"abc\",1000000000,1000000000,,,,,,");
	contains(text, "\"web\",\"abc\",2000000000,1000000000,,,,500,,");
	assert_null(strstr(text, ",0,"));
	free(text);
	profile_free(profile);
}

static void test_standouts__what_held_a_container_back_is_told_throttling_before_pressure(void **state)
{
	struct recording_series row = {.time_ns = 10 * S, .span_ns = 10 * S};
	struct profile_series series;
	struct standouts standouts;
	struct profile *profile;
	static const bool calm_alone[] = {false, true};
	struct json_object *top;
	struct maker maker;
	const char *json;
	uint32_t calm;
	char *text = NULL;
	size_t size;
	FILE *out;

	maker_start(&maker);
	row.container = maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	series_put(&row.values, SERIES_CPU_LIMIT, 200);
	series_put(&row.values, SERIES_CPU_PERIODS, 100);
	series_put(&row.values, SERIES_CPU_THROTTLED_PERIODS, 62);
	series_put(&row.values, SERIES_CPU_THROTTLED, 3 * S);
	series_put(&row.values, SERIES_CPU_SOME, 9 * S);
	series_put(&row.values, SERIES_MEMORY_LIMIT, 64000000);
	series_put(&row.values, SERIES_MEMORY_LIMIT_HITS, 7);
	series_put(&row.values, SERIES_MEMORY_OOM_KILLS, 0);
	series_put(&row.values, SERIES_IO_SOME, 3 * S);
	assert_int_equal(recording_writer_series(maker.writer, &row), 0);
	calm = maker_container(&maker, CONTAINER_CONTAINER, "calm", "", "");
	row = (struct recording_series){.container = calm, .time_ns = 10 * S, .span_ns = 10 * S};
	series_put(&row.values, SERIES_CPU_PERIODS, 100);
	series_put(&row.values, SERIES_CPU_THROTTLED_PERIODS, 4);
	series_put(&row.values, SERIES_CPU_SOME, 1 * S);
	assert_int_equal(recording_writer_series(maker.writer, &row), 0);
	profile = maker_load(&maker);
	assert_int_equal(profile_series_init(&series, profile), 0);
	assert_int_equal(standouts_init(&standouts, &series), 0);
	assert_int_equal(standouts.list.count, 3);
	assert_int_equal(standouts.list.items[0].kind, STANDOUT_THROTTLED);
	assert_int_equal(standouts.list.items[1].kind, STANDOUT_MEMORY_LIMIT);
	assert_int_equal(standouts.list.items[2].kind, STANDOUT_IO_PRESSURE);
	standouts_deinit(&standouts);
	profile_series_deinit(&series);
	out = open_memstream(&text, &size);
	assert_int_equal(render_standouts_text(profile, 10, out), 0);
	fclose(out);
	contains(text, "web: throttled in 62% of its periods, 3.00 s in all; its limit is 0.20 CPUs.\n");
	contains(text, "web: reached its memory limit of 64.0 MB 7 times.\n");
	contains(text, "web: some of its tasks waited for block I/O 30% of the time.\n");
	free(text);
	top = json_object_new_object();
	assert_int_equal(json_add_standouts(top, profile, NULL), 0);
	json = json_object_to_json_string_ext(top, JSON_C_TO_STRING_PLAIN);
	contains(json, "\"part\":0.620000,\"total_ns\":3000000000,\"limit_millicpus\":200}");
	contains(json, "\"times\":7,\"limit_bytes\":64000000}");
	contains(json, "\"part\":0.300000,\"total_ns\":3000000000}");
	/* Of one in which nothing stands out. */
	assert_int_equal(json_add_standouts(top, profile, calm_alone), 0);
	contains(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PLAIN), "{\"standouts\":[]}");
	json_object_put(top);
	profile_free(profile);
}

static void test_standouts__a_limit_that_is_none_is_not_told(void **state)
{
	struct recording_series row = {.time_ns = 10 * S, .span_ns = 10 * S};
	_cleanup_free_ char *text = NULL;
	struct json_object *top;
	struct profile *profile;
	struct maker maker;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	maker_start(&maker);
	row.container = maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	series_put(&row.values, SERIES_CPU_LIMIT, 0);
	series_put(&row.values, SERIES_CPU_PERIODS, 100);
	series_put(&row.values, SERIES_CPU_THROTTLED_PERIODS, 62);
	series_put(&row.values, SERIES_MEMORY_LIMIT, 0);
	series_put(&row.values, SERIES_MEMORY_LIMIT_HITS, 7);
	assert_int_equal(recording_writer_series(maker.writer, &row), 0);
	profile = maker_load(&maker);
	assert_int_equal(render_standouts_text(profile, 10, out), 0);
	fclose(out);
	contains(text, "web: throttled in 62% of its periods.\n");
	contains(text, "web: reached a memory limit 7 times.\n");
	top = json_object_new_object();
	assert_int_equal(json_add_standouts(top, profile, NULL), 0);
	contains(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PLAIN), "\"times\":7,\"limit_bytes\":null}");
	json_object_put(top);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile_series__rates_are_by_the_second_and_quiet_time_counts_as_nothing),
		cmocka_unit_test(test_profile_series__what_is_now_stays_and_its_mean_is_over_time),
		cmocka_unit_test(test_profile_series__parts_are_of_what_they_are_parts_of),
		cmocka_unit_test(test_profile_series__short_spans_make_no_extremes_and_lies_no_harm),
		cmocka_unit_test(test_profile_series__reports_show_rates_lines_and_what_is_not_known),
		cmocka_unit_test(test_profile_series__missed_readings_are_told_where_they_were_counted),
		cmocka_unit_test(test_profile_series__no_limit_is_not_a_limit_of_0),
		cmocka_unit_test(test_standouts__what_held_a_container_back_is_told_throttling_before_pressure),
		cmocka_unit_test(test_standouts__a_limit_that_is_none_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
