/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <zstd.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/recording_reader.h"
#include "tests/unit/recordings.h"

/* A chunk of any type, with a good checksum, at the end of a file. */
static void add_chunk(FILE *file, uint32_t type, const void *raw, size_t bytes)
{
	char stored[4096];
	struct chunk_header header = {.type = type, .raw_bytes = (uint32_t)bytes};

	header.stored_bytes = (uint32_t)ZSTD_compress(stored, sizeof(stored), raw, bytes, 1);
	header.checksum = chunk_checksum(&header, stored);
	assert_int_equal(fwrite(&header, sizeof(header), 1, file), 1);
	assert_int_equal(fwrite(stored, header.stored_bytes, 1, file), 1);
}

static FILE *new_file(void)
{
	struct recording_file_header header = {.version = RECORDING_VERSION};
	FILE *file = tmpfile();

	assert_non_null(file);
	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	assert_int_equal(fwrite(&header, sizeof(header), 1, file), 1);
	return file;
}

/* Reads what was written, and says whether it ended well. */
static bool reads(FILE *file, struct recording_tables *tables)
{
	struct recording_end end;

	add_chunk(file, CHUNK_END, "", 0);
	rewind(file);
	assert_int_equal(recording_tables_init(tables), 0);
	assert_int_equal(recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, tables, &end), 0);
	fclose(file);
	return end.whole;
}

static void test_later_tables__unknown_kinds_of_chunks_are_skipped(void **state)
{
	struct recording_tables tables;
	FILE *file = new_file();

	add_chunk(file, 77, "what is this", 12);
	assert_true(reads(file, &tables));
	recording_tables_deinit(&tables);
}

static void test_later_tables__unknown_tables_and_columns_are_skipped(void **state)
{
	/* table 100, 3 rows, 2 columns, 5 bytes; then buckets: 1 row, 5 columns (one too many), 5 bytes. */
	static const uint8_t raw[] = {100, 3, 2, 5, 1, 2, 3, 4, 5, TABLE_BUCKETS, 1, 5, 5, 0, 2, 6, 9, 42};
	struct recording_tables tables;
	FILE *file = new_file();

	add_chunk(file, CHUNK_MORE, raw, sizeof(raw));
	assert_true(reads(file, &tables));
	assert_int_equal(tables.buckets.count, 1);
	assert_int_equal(tables.buckets.items[0].row, 1);
	assert_int_equal(tables.buckets.items[0].bucket, 3);
	assert_int_equal(tables.buckets.items[0].count, 9);
	recording_tables_deinit(&tables);
}

static void test_later_tables__columns_that_an_older_writer_did_not_know_are_0(void **state)
{
	static const uint8_t raw[] = {TABLE_BUCKETS, 1, 2, 2, 0, 2};
	struct recording_tables tables;
	FILE *file = new_file();

	add_chunk(file, CHUNK_MORE, raw, sizeof(raw));
	assert_true(reads(file, &tables));
	assert_int_equal(tables.buckets.count, 1);
	assert_int_equal(tables.buckets.items[0].row, 1);
	assert_int_equal(tables.buckets.items[0].count, 0);
	recording_tables_deinit(&tables);
}

static void test_later_tables__references_that_an_older_writer_did_not_know_are_to_none(void **state)
{
	static const uint8_t containers[] = {TABLE_CONTAINERS, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t locks[] = {TABLE_LOCKS, 1, 4, 4, LOCK_CLASS_RT_MUTEX, 0, 0, 0};
	struct recording_tables tables;
	FILE *file = new_file();

	add_chunk(file, CHUNK_ROWS, containers, sizeof(containers));
	add_chunk(file, CHUNK_MORE, locks, sizeof(locks));
	assert_true(reads(file, &tables));
	assert_int_equal(tables.locks.count, 1);
	assert_int_equal(tables.locks.items[0].lock_class, LOCK_CLASS_RT_MUTEX);
	assert_int_equal(tables.locks.items[0].thread, RECORDING_NONE);
	assert_int_equal(tables.locks.items[0].owner_stack, RECORDING_STACK_ROOT);
	assert_int_equal(tables.locks.items[0].seen, 0);
	recording_tables_deinit(&tables);
}

static void test_later_tables__what_refers_to_nothing_ends_the_recording(void **state)
{
	/* No containers: neither may a row name one, nor leave the column out. */
	static const uint8_t named[] = {TABLE_CALLS, 1, 1, 1, 0}, left_out[] = {TABLE_CALLS, 1, 0, 0};
	/* More bytes than there are; an early table in this kind of chunk. */
	static const uint8_t too_long[] = {TABLE_BUCKETS, 1, 1, 99, 0}, early[] = {TABLE_SAMPLES, 0, 0, 0};
	static const struct {
		const uint8_t *raw;
		size_t bytes;
	} cases[] = {
		{named, sizeof(named)},
		{left_out, sizeof(left_out)},
		{too_long, sizeof(too_long)},
		{early, sizeof(early)},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct recording_tables tables;
		FILE *file = new_file();

		add_chunk(file, CHUNK_MORE, cases[i].raw, cases[i].bytes);
		assert_false(reads(file, &tables));
		assert_int_equal(tables.calls.count, 0);
		recording_tables_deinit(&tables);
	}
}

static void test_later_tables__rows_come_back_as_they_were_written(void **state)
{
	struct maker maker;
	struct profile *profile;
	uint32_t container, number;

	maker_start(&maker);
	container = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	for (uint32_t i = 0; i < 1000; i++) {
		struct recording_call row = {
			.container = container,
			.number = (uint16_t)(i % 400),
			.name = maker_text(&maker, "read"),
			.time_ns = i * 1000000007ull,
			.count = UINT64_MAX - i,
			.lock_ns = i,
		};

		assert_int_equal(recording_writer_call(maker.writer, &row, &number), 0);
		assert_int_equal(number, i);
		if (i % 300 == 0)
			assert_int_equal(recording_writer_flush(maker.writer), 0);
	}
	profile = maker_load(&maker);
	assert_true(profile->whole);
	assert_int_equal(profile->rows.calls.count, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		const struct recording_call *row = &profile->rows.calls.items[i];

		assert_int_equal(row->container, container);
		assert_int_equal(row->number, i % 400);
		assert_int_equal(row->time_ns, i * 1000000007ull);
		assert_true(row->count == UINT64_MAX - i && row->lock_ns == i);
	}
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_later_tables__unknown_kinds_of_chunks_are_skipped),
		cmocka_unit_test(test_later_tables__unknown_tables_and_columns_are_skipped),
		cmocka_unit_test(test_later_tables__columns_that_an_older_writer_did_not_know_are_0),
		cmocka_unit_test(test_later_tables__references_that_an_older_writer_did_not_know_are_to_none),
		cmocka_unit_test(test_later_tables__what_refers_to_nothing_ends_the_recording),
		cmocka_unit_test(test_later_tables__rows_come_back_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
