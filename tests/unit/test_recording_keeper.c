/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reader holds of a recording that goes on and on, and where it ends one that it cannot hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/recording_reader.h"
#include "tests/unit/recordings.h"

#define SAMPLES 1000 /* in a flush */

struct made {
	struct maker maker;
	struct recording_tables tables;
	struct recording_end end;
};

static int set_up(void **state)
{
	static struct made made;

	*state = &made;
	maker_start(&made.maker);
	return recording_tables_init(&made.tables);
}

static int tear_down(void **state)
{
	struct made *made = *state;

	recording_tables_deinit(&made->tables);
	return unlink(made->maker.path);
}

static void finish(struct made *made)
{
	assert_int_equal(recording_writer_finish(made->maker.writer), 0);
	recording_writer_free(made->maker.writer);
}

static int read_within(struct made *made, unsigned int wants, uint64_t bytes)
{
	FILE *file = fopen(made->maker.path, "re");
	int err;

	assert_non_null(file);
	err = recording_read(file, wants, bytes, &made->tables, &made->end);
	fclose(file);
	return err;
}

/* So many samples of one place, in one flush, with the account that a recorder writes. */
static void add_flush(struct made *made, size_t samples)
{
	struct maker *maker = &made->maker;
	struct recording_sample sample = {.stack = RECORDING_STACK_ROOT, .count = 2, .time_ns = maker->total.kept};

	for (size_t i = 0; i < samples; i++)
		assert_int_equal(recording_writer_sample(maker->writer, &sample), 0);
	maker->total.taken = maker->total.kept += 2 * samples;
	assert_int_equal(recording_writer_accounting(maker->writer, &maker->total), 0);
	assert_int_equal(recording_writer_flush(maker->writer), 0);
}

static uint64_t samples_sum(const struct made *made)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < made->tables.samples.count; i++)
		sum += made->tables.samples.items[i].count;
	return sum;
}

static uint64_t last_kept(const struct made *made)
{
	return made->tables.accounting.items[made->tables.accounting.count - 1].kept;
}

static void test_recording_keeper__any_length_of_few_places_takes_little_memory(void **state)
{
	struct made *made = *state;

	maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	for (int i = 0; i < 100; i++)
		add_flush(made, SAMPLES);
	finish(made);
	assert_int_equal(read_within(made, 0, 256 << 10), 0);
	assert_true(made->end.whole && !made->end.beyond_memory);
	assert_int_equal(made->tables.samples.count, 1);
	assert_int_equal(samples_sum(made), 2 * 100 * SAMPLES);
	assert_int_equal(made->tables.samples.items[0].time_ns, 2 * 99 * SAMPLES);
}

/* 20,000 rows of each: megabytes, all of them of the same few things. */
static void test_recording_keeper__what_was_said_anew_takes_no_memory(void **state)
{
	struct made *made = *state;
	struct recording_writer *writer = made->maker.writer;
	struct recording_accounting account = {0};
	struct recording_container again = {.kind = CONTAINER_CONTAINER};
	struct recording_frame frame = {.name = maker_text(&made->maker, "main")};
	uint32_t row;

	for (uint32_t i = 0; i < 50; i++)
		maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	assert_int_equal(recording_writer_frame_alone(writer, &frame, &row), 0);
	again.name = maker_text(&made->maker, "renamed");
	for (uint64_t i = 1; i <= 400; i++) {
		for (account.container = 0; account.container < 50; account.container++) {
			account.kept = i + account.container;
			assert_int_equal(recording_writer_accounting(writer, &account), 0);
			assert_int_equal(recording_writer_redefine_container(writer, account.container, &again), 0);
			assert_int_equal(recording_writer_redefine_frame(writer, row, &frame), 0);
		}
		add_flush(made, 0);
	}
	finish(made);
	assert_int_equal(read_within(made, RECORDING_ALL, 768 << 10), 0);
	assert_true(made->end.whole);
	for (size_t i = 0; i < made->tables.accounting.count; i++)
		if (made->tables.accounting.items[i].container == 7)
			row = (uint32_t)i;
	assert_int_equal(made->tables.accounting.items[row].kept, 407);
	assert_int_equal(made->tables.containers.items[49].name, made->tables.containers.items[0].name);
}

/* A file of 45 KB took 20 s: 1,000 marks of 1,100 accounts, and each was a pass over a million containers. */
static void test_recording_keeper__many_containers_are_not_gone_through_for_a_few_accounts(void **state)
{
	struct made *made = *state;
	struct recording_accounting account = {0};

	for (uint32_t i = 0; i < 10000; i++)
		maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	for (int i = 0; i < 9; i++) {
		for (int j = 0; j < 1100; j++)
			assert_int_equal(recording_writer_accounting(made->maker.writer, &account), 0);
		add_flush(made, 0);
	}
	finish(made);
	assert_int_equal(read_within(made, 0, 8 << 20), 0);
	/* Still fewer than containers: there was no pass. */
	assert_int_equal(made->tables.accounting.count, 9 * 1101);
}

static void test_recording_keeper__what_does_not_fit_is_left_out_from_a_flush_on(void **state)
{
	struct recording_wait wait = {
		.stack = RECORDING_STACK_ROOT, .waker_stack = RECORDING_STACK_ROOT, .total_ns = 7};
	struct made *made = *state;

	maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	for (int i = 0; i < 100; i++) {
		assert_int_equal(recording_writer_wait(made->maker.writer, &wait), 0);
		add_flush(made, SAMPLES);
	}
	finish(made);
	assert_int_equal(read_within(made, RECORDING_ALL & ~RECORDING_WAITS, 1 << 20), 0);
	assert_true(made->end.beyond_memory && !made->end.whole && made->end.ignored);
	assert_in_range(made->tables.samples.count, 25 * SAMPLES, 35 * SAMPLES);
	assert_int_equal(made->tables.samples.count % SAMPLES, 0);
	assert_int_equal(made->tables.waits_left_out.stacked_ns, 7 * made->tables.samples.count / SAMPLES);
	assert_int_equal(samples_sum(made), last_kept(made));
}

/* A flush of so much is a row of chunks: the last of them has the account. */
static void test_recording_keeper__half_a_flush_is_left_out(void **state)
{
	struct made *made = *state;
	uint64_t before, after;

	maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	add_flush(made, SAMPLES);
	before = recording_writer_bytes(made->maker.writer);
	add_flush(made, 300 * SAMPLES);
	assert_int_equal(recording_writer_finish(made->maker.writer), 0);
	after = recording_writer_bytes(made->maker.writer);
	recording_writer_free(made->maker.writer);
	assert_int_equal(read_within(made, RECORDING_ALL, 6 << 20), 0);
	assert_true(made->end.beyond_memory);
	assert_int_equal(made->tables.samples.count, SAMPLES);
	assert_int_equal(samples_sum(made), last_kept(made));
	assert_int_equal(made->end.ignored, after - before);
}

static void test_recording_keeper__one_of_which_nothing_fits_is_refused(void **state)
{
	struct made *made = *state;

	maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	add_flush(made, 10 * SAMPLES);
	finish(made);
	assert_int_equal(read_within(made, RECORDING_ALL, 128 << 10), -EFBIG);
}

/* The rows of one flush of each later table, many of them. */
static void add_others(struct made *made)
{
	struct recording_writer *writer = made->maker.writer;
	struct recording_wait wait = {.stack = RECORDING_STACK_ROOT, .waker_stack = RECORDING_STACK_ROOT};
	struct recording_series series = {.time_ns = 1};
	struct recording_call call = {.name = maker_text(&made->maker, "read")};
	struct recording_lock lock = {RECORDING_LOCK_ALONE};
	struct recording_times times = {.time_ns = 1};
	uint32_t row;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct recording_bucket bucket = {.kind = i % 2 ? HISTOGRAM_CALL : HISTOGRAM_LOCK};

		assert_int_equal(recording_writer_wait(writer, &wait), 0);
		assert_int_equal(recording_writer_series(writer, &series), 0);
		assert_int_equal(recording_writer_call(writer, &call, &row), 0);
		assert_int_equal(recording_writer_lock(writer, &lock, &row), 0);
		assert_int_equal(recording_writer_times(writer, &times, &row), 0);
		assert_int_equal(recording_writer_bucket(writer, &bucket), 0);
	}
}

static void test_recording_keeper__what_nobody_wants_takes_no_memory(void **state)
{
	struct made *made = *state;
	const struct recording_tables *tables = &made->tables;
	uint64_t row_bytes;

	maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	for (int i = 0; i < 20; i++) {
		add_others(made);
		add_flush(made, SAMPLES);
	}
	row_bytes = recording_writer_rows_bytes(made->maker.writer, RECORDING_CALLS);
	finish(made);
	assert_int_equal(read_within(made, RECORDING_CALLS, 20 * SAMPLES * (sizeof(struct recording_call) + 48)), 0);
	assert_true(made->end.whole && made->end.left_out);
	assert_int_equal(tables->calls.count, 20 * SAMPLES);
	assert_int_equal(tables->buckets.count, 10 * SAMPLES);
	for (size_t i = 0; i < tables->buckets.count; i++)
		assert_int_equal(tables->buckets.items[i].kind, HISTOGRAM_CALL);
	/* The writer knew; a container is the one other row. */
	assert_int_equal(row_bytes, 10 * SAMPLES * (2 * sizeof(*tables->calls.items) + sizeof(*tables->buckets.items)) +
					    sizeof(*tables->containers.items));
	assert_int_equal(tables->waits.count + tables->series.count + tables->locks.count + tables->times.count, 0);
}

/* Rows of waits and locks name threads, a call the very sample. */
static void test_recording_keeper__what_is_wanted_brings_what_it_refers_to(void **state)
{
	static const unsigned int of_threads[] = {RECORDING_THREADS, RECORDING_WAITS, RECORDING_LOCKS};
	struct made *made = *state;
	struct recording_sample sample = {.stack = RECORDING_STACK_ROOT, .count = 1};

	maker_container(&made->maker, CONTAINER_CONTAINER, "web", "", "");
	maker_container(&made->maker, CONTAINER_CONTAINER, "db", "", "");
	for (uint32_t i = 0; i < 100; i++) {
		sample.thread = i % 2;
		assert_int_equal(recording_writer_sample(made->maker.writer, &sample), 0);
		assert_int_equal(
			recording_writer_sample_call(made->maker.writer, maker_text(&made->maker, i < 50 ? "a" : "b")),
			0);
	}
	finish(made);
	for (size_t i = 0; i < ARRAY_LENGTH(of_threads); i++) {
		assert_int_equal(read_within(made, of_threads[i], 1 << 20), 0);
		assert_int_equal(made->tables.threads.count, 2);
		assert_int_equal(made->tables.samples.count, 2);
		assert_int_equal(made->tables.samples.items[1].thread, 1);
		recording_tables_deinit(&made->tables);
		assert_int_equal(recording_tables_init(&made->tables), 0);
	}
	assert_int_equal(read_within(made, RECORDING_SAMPLE_CALLS, 1 << 20), 0);
	assert_int_equal(made->tables.samples.count, 100);
	assert_int_equal(made->tables.sample_calls.items[99].sample, 99);
	assert_int_equal(made->tables.threads.count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_recording_keeper__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_length_of_few_places_takes_little_memory),
		TEST(what_was_said_anew_takes_no_memory),
		TEST(many_containers_are_not_gone_through_for_a_few_accounts),
		TEST(what_does_not_fit_is_left_out_from_a_flush_on),
		TEST(half_a_flush_is_left_out),
		TEST(one_of_which_nothing_fits_is_refused),
		TEST(what_nobody_wants_takes_no_memory),
		TEST(what_is_wanted_brings_what_it_refers_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
