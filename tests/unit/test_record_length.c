/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/commands/record_length.h"
#include "tests/unit/recordings.h"

#define ROWS 1000
#define BYTES_MAX 16000 /* fewer than such rows take */

static struct maker maker;

static int set_up(void **state)
{
	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	return 0;
}

static int tear_down(void **state)
{
	recording_writer_free(maker.writer);
	return unlink(maker.path);
}

static void test_record_length__reports_of_what_is_not_recorded_are_not_told_of(void **state)
{
	struct wait_settings recorded = {0};

	for (int i = 0; i < ROWS; i++)
		maker_sample(&maker, 0, "main", 1);
	assert_null(record_length_beyond(maker.writer, &recorded, BYTES_MAX));
	recorded.syscall_counts = true;
	assert_string_equal(record_length_beyond(maker.writer, &recorded, BYTES_MAX), "syscalls");
}

/* Neither alone is too much. */
static void test_record_length__info_needs_threads_and_series(void **state)
{
	const struct wait_settings recorded = {0};
	struct recording_thread thread = {0};
	struct recording_series series = {0};
	uint64_t max = ROWS * (sizeof(thread) + sizeof(series) / 2);
	uint32_t row;

	for (int i = 0; i < ROWS; i++)
		assert_int_equal(recording_writer_thread(maker.writer, &thread, &row), 0);
	assert_null(record_length_beyond(maker.writer, &recorded, max));
	for (int i = 0; i < ROWS; i++)
		assert_int_equal(recording_writer_series(maker.writer, &series), 0);
	assert_string_equal(record_length_beyond(maker.writer, &recorded, max), "info");
}

/* Calls have the most buckets, and whoever asks for the run queue reads none of them. */
static void test_record_length__buckets_count_for_the_reports_that_keep_them(void **state)
{
	const struct wait_settings recorded = {.runq = true};
	struct recording_bucket bucket = {.kind = HISTOGRAM_CALL};

	for (int i = 0; i < ROWS; i++)
		assert_int_equal(recording_writer_bucket(maker.writer, &bucket), 0);
	assert_null(record_length_beyond(maker.writer, &recorded, BYTES_MAX));
	bucket.kind = HISTOGRAM_PREEMPTED;
	for (int i = 0; i < ROWS; i++)
		assert_int_equal(recording_writer_bucket(maker.writer, &bucket), 0);
	assert_string_equal(record_length_beyond(maker.writer, &recorded, BYTES_MAX), "runqlat");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_record_length__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reports_of_what_is_not_recorded_are_not_told_of),
		TEST(info_needs_threads_and_series),
		TEST(buckets_count_for_the_reports_that_keep_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
