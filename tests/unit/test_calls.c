/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/analysis/calls.h"
#include "profiler/analysis/percentile.h"
#include "profiler/render/calls.h"
#include "profiler/render/duration.h"
#include "symbolizer/base/cleanup.h"
#include "tests/unit/recordings.h"

static uint32_t add_call(struct maker *maker, uint32_t container, const char *name, uint64_t count, uint64_t oncpu,
			 uint64_t blocked)
{
	struct recording_call row = {
		.container = container,
		.name = maker_text(maker, name),
		.time_ns = 1000000000,
		.count = count,
		.errors = 1,
		.timed = count,
		.wall_ns = oncpu + blocked,
		.wall_max_ns = oncpu + blocked,
		.oncpu_ns = oncpu,
		.blocked_ns = blocked,
	};
	uint32_t number;

	assert_int_equal(recording_writer_call(maker->writer, &row, &number), 0);
	return number;
}

static void add_bucket(struct maker *maker, uint32_t row, uint8_t bucket, uint64_t count)
{
	struct recording_bucket added = {.kind = HISTOGRAM_CALL, .row = row, .bucket = bucket, .count = count};

	assert_int_equal(recording_writer_bucket(maker->writer, &added), 0);
}

static struct profile *two_containers(void)
{
	struct maker maker;
	uint32_t web, db, row;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	row = add_call(&maker, web, "read", 10, 1000, 9000000);
	add_bucket(&maker, row, 20, 10);
	add_call(&maker, web, "fadvise64", 5, 2000, 3000);
	add_call(&maker, db, "read", 30, 500, 0);
	row = add_call(&maker, web, "read", 2, 100, 1000);
	add_bucket(&maker, row, 21, 2);
	/* Of no row that there is. */
	add_bucket(&maker, 77, 3, 1000);
	return maker_load(&maker);
}

static void test_calls__rows_of_one_container_and_call_are_summed_up(void **state)
{
	struct profile *profile = two_containers();
	struct profile_calls calls;

	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_BOTH, NULL), 0);
	assert_int_equal(calls.rows.count, 3);
	assert_int_equal(calls.rows.items[0].count, 12);
	assert_int_equal(calls.rows.items[0].errors, 2);
	assert_int_equal(calls.rows.items[0].wall_ns, 9002100);
	assert_int_equal(calls.rows.items[0].wall_max_ns, 9001000);
	assert_int_equal(calls.rows.items[0].histogram[20], 10);
	assert_int_equal(calls.rows.items[0].histogram[21], 2);
	assert_int_equal(calls.total.count, 47);
	profile_calls_deinit(&calls);
	profile_free(profile);
}

static void test_calls__sums_that_have_no_room_stay_large(void **state)
{
	struct profile_calls calls;
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	add_call(&maker, web, "futex", 1, UINT64_MAX / 4 * 3, 0);
	add_call(&maker, web, "futex", 1, 0, UINT64_MAX / 4 * 3);
	add_call(&maker, web, "futex", 1, UINT64_MAX / 2, UINT64_MAX / 2);
	profile = maker_load(&maker);
	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_BOTH, NULL), 0);
	assert_true(calls.rows.items[0].wall_ns == UINT64_MAX && calls.total.wall_ns == UINT64_MAX);
	assert_true(calls.total.oncpu_ns == UINT64_MAX && calls.total.blocked_ns == UINT64_MAX);
	profile_calls_deinit(&calls);
	profile_free(profile);
}

static void test_calls__by_call_says_in_how_many_containers(void **state)
{
	struct profile *profile = two_containers();
	struct profile_calls calls;

	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_CALL, NULL), 0);
	assert_int_equal(calls.rows.count, 2);
	assert_int_equal(calls.rows.items[0].containers, 2);
	assert_int_equal(calls.rows.items[0].count, 42);
	assert_int_equal(calls.rows.items[1].containers, 1);
	profile_calls_deinit(&calls);
	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_CONTAINER, NULL), 0);
	assert_int_equal(calls.rows.count, 2);
	assert_int_equal(calls.rows.items[0].count, 17);
	profile_calls_deinit(&calls);
	profile_free(profile);
}

static void test_calls__rows_are_of_the_chosen_and_the_total_is_of_all(void **state)
{
	static const bool wanted[] = {false, true};
	struct profile *profile = two_containers();
	struct profile_calls calls;

	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_CALL, wanted), 0);
	assert_int_equal(calls.rows.count, 1);
	assert_int_equal(calls.rows.items[0].count, 30);
	assert_int_equal(calls.rows.items[0].containers, 1);
	assert_int_equal(calls.total.count, 47);
	assert_int_equal(calls.total.histogram[20], 10);
	profile_calls_deinit(&calls);
	profile_free(profile);
}

static void test_calls__sleep_by_design_is_no_cost(void **state)
{
	struct profile *profile = two_containers();
	struct profile_calls calls;

	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_BOTH, NULL), 0);
	assert_int_equal(calls_sort(&calls, profile, CALLS_BY_COST), 0);
	assert_string_equal(string_table_text(&profile->rows.strings, calls.rows.items[0].name), "fadvise64");
	assert_int_equal(calls_sort(&calls, profile, CALLS_BY_TIME), 0);
	assert_string_equal(string_table_text(&profile->rows.strings, calls.rows.items[0].name), "read");
	assert_true(call_sleeps_by_design("epoll_wait"));
	assert_false(call_sleeps_by_design("fsync"));
	assert_false(call_sleeps_by_design("flock"));
	profile_calls_deinit(&calls);
	profile_free(profile);
}

static void test_calls__sleep_by_design_is_no_cost_of_its_container(void **state)
{
	struct profile_calls calls;
	struct profile *profile;
	struct maker maker;
	uint32_t idle, busy;

	maker_start(&maker);
	idle = maker_container(&maker, CONTAINER_CONTAINER, "idle", "abc", "");
	busy = maker_container(&maker, CONTAINER_CONTAINER, "busy", "def", "");
	add_call(&maker, idle, "epoll_wait", 10, 1000, 100000000000);
	add_call(&maker, busy, "write", 10, 5000000000, 0);
	profile = maker_load(&maker);
	assert_int_equal(profile_calls_init(&calls, profile, CALLS_BY_CONTAINER, NULL), 0);
	assert_int_equal(calls_sort(&calls, profile, CALLS_BY_COST), 0);
	assert_int_equal(calls.rows.items[0].container, busy);
	assert_int_equal(calls_sort(&calls, profile, CALLS_BY_TIME), 0);
	assert_int_equal(calls.rows.items[0].container, idle);
	profile_calls_deinit(&calls);
	profile_free(profile);
}

static void test_calls__percentiles_lie_in_their_buckets(void **state)
{
	uint64_t buckets[RECORDING_BUCKETS] = {0};

	assert_int_equal(percentile_ns(buckets, 0.5, 0), 0);
	buckets[10] = 99;
	buckets[40] = 1;
	assert_in_range(percentile_ns(buckets, 0.5, 0), recording_bucket_ns(10), recording_bucket_ns(11));
	assert_in_range(percentile_ns(buckets, 0.999, 0), recording_bucket_ns(40), recording_bucket_ns(41));
	assert_int_equal(percentile_ns(buckets, 1, recording_bucket_ns(40) + 1), recording_bucket_ns(40) + 1);
	for (unsigned int i = 1; i <= RECORDING_BUCKETS; i++)
		assert_true(recording_bucket_ns(i) > recording_bucket_ns(i - 1));
}

static void test_calls__durations_have_three_digits_and_a_unit(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0 ns"},	     {999, "999 ns"},	     {1000, "1.00 µs"},
		{9996, "10.0 µs"},   {99960, "100 µs"},	     {999499, "999 µs"},
		{999500, "1.00 ms"}, {1050000000, "1.05 s"}, {3600000000000, "3600 s"},
	};
	char text[16];

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_string_equal(duration_text(cases[i].ns, text, sizeof(text)), cases[i].text);
}

static char *printed(const struct profile *profile, enum calls_grouping by, bool json)
{
	struct calls_options options = {.by = by};
	struct profile_calls calls;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(profile_calls_init(&calls, profile, by, NULL), 0);
	assert_int_equal(calls_sort(&calls, profile, CALLS_BY_COST), 0);
	assert_int_equal((json ? render_calls_json : render_calls_text)(&calls, profile, &options, out), 0);
	fclose(out);
	profile_calls_deinit(&calls);
	return text;
}

static void test_calls__report_shows_the_split_and_its_account(void **state)
{
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed(profile, CALLS_BY_BOTH, false);

	assert_non_null(strstr(text, "CONTAINER  CALL       CALLS  ERRORS    TOTAL     MEAN"));
	assert_non_null(strstr(text, "web        fadvise64      5       1  5.00 µs  1.00 µs"));
	assert_non_null(strstr(text, "40%      60%      0%"));
	assert_non_null(strstr(text, "waits by design"));
	assert_non_null(strstr(text, "47 system calls = 47 timed + 0 not timed"));
	profile_free(profile);
}

static void test_calls__json_has_every_number(void **state)
{
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed(profile, CALLS_BY_CALL, true);

	assert_non_null(strstr(text, "\"call\": \"fadvise64\""));
	assert_non_null(strstr(text, "\"containers\": 2"));
	assert_non_null(strstr(text, "\"oncpu_ns\": 1600"));
	assert_non_null(strstr(text, "\"from_ns\": 1024"));
	/* Of a recording without --locks, and of a call whose histogram was not recorded. */
	assert_non_null(strstr(text, "\"lock_ns\": null"));
	assert_non_null(strstr(text, "\"p99_ns\": null"));
	profile_free(profile);
}

static void test_calls__times_of_what_was_only_counted_are_not_known(void **state)
{
	struct recording_call row = {.count = 7};
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct maker maker;
	uint32_t number;

	maker_start(&maker);
	row.container = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	row.name = maker_text(&maker, "read");
	assert_int_equal(recording_writer_call(maker.writer, &row, &number), 0);
	profile = maker_load(&maker);
	text = printed(profile, CALLS_BY_BOTH, true);
	assert_non_null(strstr(text, "\"count\": 7"));
	assert_non_null(strstr(text, "\"timed\": 0,\n      \"wall_ns\": null,\n      \"max_ns\": null,"));
	assert_non_null(strstr(text, "\"oncpu_ns\": null"));
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls__rows_of_one_container_and_call_are_summed_up),
		cmocka_unit_test(test_calls__sums_that_have_no_room_stay_large),
		cmocka_unit_test(test_calls__by_call_says_in_how_many_containers),
		cmocka_unit_test(test_calls__rows_are_of_the_chosen_and_the_total_is_of_all),
		cmocka_unit_test(test_calls__sleep_by_design_is_no_cost),
		cmocka_unit_test(test_calls__sleep_by_design_is_no_cost_of_its_container),
		cmocka_unit_test(test_calls__percentiles_lie_in_their_buckets),
		cmocka_unit_test(test_calls__durations_have_three_digits_and_a_unit),
		cmocka_unit_test(test_calls__report_shows_the_split_and_its_account),
		cmocka_unit_test(test_calls__json_has_every_number),
		cmocka_unit_test(test_calls__times_of_what_was_only_counted_are_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
