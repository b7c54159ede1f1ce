/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/small_recording.h"

static void test_recording__what_was_written_is_read(void **state)
{
	const struct place *place = *state;
	struct recording_tables tables;
	uint64_t ignored;
	long ends[5];
	size_t size;
	bool whole;
	char *bytes;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	assert_int_equal(size, ends[4]);
	assert_int_equal(read_bytes(bytes, size, &tables, &whole, &ignored), 0);
	assert_true(whole);
	assert_int_equal(ignored, 0);
	assert_int_equal(tables.containers.count, 2);
	assert_string_equal(container_name(&tables, 0), "shop");
	assert_string_equal(container_name(&tables, 1), "batch");
	assert_int_equal(tables.containers.items[1].cgroup_id, 8);
	assert_int_equal(tables.processes.items[1].start_ns, UINT64_MAX);
	assert_int_equal(tables.threads.items[1].process, 1);
	assert_int_equal(tables.frames.count, 3);
	assert_string_equal(string_table_text(&tables.strings, tables.frames.items[2].name), "LazyCompile:~f");
	assert_true(tables.frames.items[2].named);
	assert_int_equal(tables.stacks.count, 3);
	assert_int_equal(tables.stacks.items[2].parent, 1);
	assert_int_equal(tables.samples.count, 3);
	assert_int_equal(tables.samples.items[1].stack, RECORDING_STACK_ROOT);
	assert_int_equal(tables.samples.items[2].count, 5);
	assert_int_equal(tables.samples.items[2].time_ns, 5000);
	assert_int_equal(tables.accounting.items[1].kept, 9);
	recording_tables_deinit(&tables);
	free(bytes);
}

static void test_recording__cut_at_any_byte_it_is_read_up_to_its_last_whole_chunk(void **state)
{
	static const size_t samples_after[] = {0, 2, 3, 3, 3};
	const struct place *place = *state;
	long ends[5];
	size_t size;
	char *bytes;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	for (size_t cut = 0; cut <= size; cut++) {
		struct recording_tables tables;
		uint64_t ignored;
		bool whole;
		int err = read_bytes(bytes, cut, &tables, &whole, &ignored), chunks = 0;

		if (cut < RECORDING_MAGIC_BYTES) {
			assert_int_equal(err, cut ? -EBADMSG : -ENODATA);
		} else if (cut < sizeof(struct recording_file_header)) {
			assert_int_equal(err, 0);
			assert_int_equal(ignored, cut);
		} else {
			while (chunks < 4 && ends[chunks + 1] <= (long)cut)
				chunks++;
			assert_int_equal(err, 0);
			assert_int_equal(whole, cut == size);
			assert_int_equal(tables.samples.count, samples_after[chunks]);
			assert_int_equal(ignored, (long)cut - ends[chunks]);
		}
		recording_tables_deinit(&tables);
	}
	free(bytes);
}

static void test_recording__a_changed_byte_is_noticed_wherever_it_is(void **state)
{
	const struct place *place = *state;
	long ends[5];
	size_t size;
	char *bytes;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	for (size_t at = 0; at < size; at++) {
		struct recording_tables tables;
		uint64_t ignored;
		bool whole;
		int err;

		bytes[at] ^= 0x20;
		err = read_bytes(bytes, size, &tables, &whole, &ignored);
		if (at < RECORDING_MAGIC_BYTES)
			assert_int_equal(err, -EBADMSG);
		else if (at < sizeof(struct recording_file_header))
			assert_int_equal(err, -EPROTO);
		else
			assert_true(!err && !whole && ignored > 0);
		bytes[at] ^= 0x20;
		recording_tables_deinit(&tables);
	}
	free(bytes);
}

static void test_recording__bytes_after_the_end_are_reported_and_do_no_harm(void **state)
{
	const struct place *place = *state;
	struct recording_tables tables;
	uint64_t ignored;
	long ends[5];
	size_t size;
	char *bytes;
	bool whole;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	memcpy(bytes + size, bytes, size);
	assert_int_equal(read_bytes(bytes, 2 * size, &tables, &whole, &ignored), 0);
	assert_true(whole);
	assert_int_equal(ignored, size);
	assert_int_equal(tables.samples.count, 3);
	recording_tables_deinit(&tables);
	free(bytes);
}

static void test_recording__what_is_none_is_refused(void **state)
{
	static const char garbage[] = "#!/bin/sh\necho this is no recording at all\n";
	struct recording_file_header newer = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION + 1};
	struct recording_tables tables;
	uint64_t ignored;
	bool whole;

	assert_int_equal(read_bytes(garbage, sizeof(garbage), &tables, &whole, &ignored), -EBADMSG);
	recording_tables_deinit(&tables);
	assert_int_equal(read_bytes(&newer, sizeof(newer), &tables, &whole, &ignored), -EPROTO);
	recording_tables_deinit(&tables);
}

/* A writer lets any number pass: the references are the reader's to check. */
static void expect_refused(const struct place *place, void (*add_bad)(struct recording_writer *writer))
{
	struct recording_writer *writer = start(place->path);
	struct recording_tables tables;
	uint64_t ignored;
	size_t size;
	bool whole;
	char *bytes;

	add_container(writer, "web", 1);
	add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, "main"));
	add_sample(writer, 0, 0, 1);
	assert_int_equal(recording_writer_flush(writer), 0);
	add_sample(writer, 0, 0, 2);
	add_bad(writer);
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	bytes = slurp(place->path, &size);
	assert_int_equal(read_bytes(bytes, size, &tables, &whole, &ignored), 0);
	assert_false(whole);
	assert_true(ignored > 0);
	assert_int_equal(tables.samples.count, 1);
	assert_string_equal(container_name(&tables, 0), "web");
	recording_tables_deinit(&tables);
	free(bytes);
}

static void bad_container(struct recording_writer *writer)
{
	add_sample(writer, 1, 0, 1);
}

static void bad_stack(struct recording_writer *writer)
{
	add_sample(writer, 0, 1, 1);
}

static void own_parent(struct recording_writer *writer)
{
	add_stack(writer, 1, 0);
}

static void bad_frame(struct recording_writer *writer)
{
	add_stack(writer, 0, 1);
}

static void bad_string(struct recording_writer *writer)
{
	struct recording_frame row = {.name = 4000};
	uint32_t number;

	assert_int_equal(recording_writer_frame(writer, &row, &number), 0);
}

static void bad_process(struct recording_writer *writer)
{
	struct recording_thread row = {.process = 9};
	uint32_t number;

	assert_int_equal(recording_writer_thread(writer, &row, &number), 0);
}

static void bad_account(struct recording_writer *writer)
{
	add_account(writer, 3, 1);
}

static void bad_redefinitions(struct recording_writer *writer)
{
	struct recording_container container = {.name = text(writer, "never seen")};
	struct recording_frame frame = {.kind = FRAME_USER};

	/* The good one goes with the bad one: a chunk counts as a whole or not at all. */
	assert_int_equal(recording_writer_redefine_container(writer, 0, &container), 0);
	assert_int_equal(recording_writer_redefine_frame(writer, 77, &frame), 0);
}

static void test_recording__a_row_that_refers_to_nothing_voids_its_chunk(void **state)
{
	expect_refused(*state, bad_container);
	expect_refused(*state, bad_stack);
	expect_refused(*state, own_parent);
	expect_refused(*state, bad_frame);
	expect_refused(*state, bad_string);
	expect_refused(*state, bad_process);
	expect_refused(*state, bad_account);
	expect_refused(*state, bad_redefinitions);
}

static void test_recording__a_large_flush_becomes_several_chunks(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	struct recording_tables tables;
	char name[2048];
	uint32_t stack;
	uint64_t state_of = 88172645463325252ull, sum = 0;
	struct recording_end end;
	size_t wanted = 700000;
	FILE *file;

	add_container(writer, "web", 1);
	memset(name, 'n', sizeof(name));
	for (int i = 0; i < 6000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		name[strlen(name)] = 'n';
		name[sizeof(name) - 1] = '\0';
		stack = add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, name));
	}
	for (size_t i = 0; i < wanted; i++) {
		state_of ^= state_of << 13;
		state_of ^= state_of >> 7;
		state_of ^= state_of << 17;
		add_sample(writer, 0, stack - (uint32_t)(state_of % 6000), state_of >> 40);
		sum += state_of >> 40;
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&tables), 0);
	assert_int_equal(recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, &tables, &end), 0);
	fclose(file);
	assert_true(end.whole);
	assert_int_equal(tables.frames.count, 6000);
	assert_int_equal(tables.samples.count, wanted);
	for (size_t i = 0; i < wanted; i++)
		sum -= tables.samples.items[i].count;
	assert_int_equal(sum, 0);
	recording_tables_deinit(&tables);
}

/* Four busy containers on two CPUs for a minute: 99 ticks a second each, and new stacks in every one of 20 flushes. */
static void test_recording__a_minute_of_two_busy_cpus_takes_less_than_300_kB(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	uint32_t frames[600], stack;
	uint64_t seed = 42;
	char name[96];

	for (int i = 0; i < 4; i++)
		add_container(writer, "container", (uint64_t)i << 20);
	for (int flush = 0; flush < 20; flush++) {
		for (int i = flush * 30; i < flush * 30 + 30; i++) {
			snprintf(name, sizeof(name),
				 "engine::part_%llx::operation_%d(unsigned long, std::string const&)",
				 (unsigned long long)random_of(&seed) & 0xffff, i);
			frames[i] = add_frame(writer, i % 3 ? FRAME_USER : FRAME_KERNEL, name);
		}
		for (int i = 0; i < 594; i++) {
			uint64_t depth = 10 + random_of(&seed) % 20, width = (uint64_t)flush * 30 + 30;

			stack = RECORDING_STACK_ROOT;
			for (uint64_t d = 0; d < depth; d++)
				stack = add_stack(writer, stack,
						  frames[(d < 8 ? d : d * 7 + random_of(&seed) % 4) % width]);
			add_sample(writer, (uint32_t)(random_of(&seed) % 4), stack, 1);
		}
		for (uint32_t i = 0; i < 4; i++)
			add_account(writer, i, (uint64_t)flush * 99);
		assert_int_equal(recording_writer_flush(writer), 0);
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	print_message("a minute: %llu bytes\n", (unsigned long long)recording_writer_bytes(writer));
	assert_true(recording_writer_bytes(writer) < 300000);
	recording_writer_free(writer);
}

static void test_recording__varints_hold_every_number(void **state)
{
	static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)INT64_MAX, UINT64_MAX};
	static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1};
	const uint8_t *at = endless;
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		uint8_t bytes[10];
		size_t length = varint_write(bytes, numbers[i]);

		at = bytes;
		assert_true(varint_read(&at, bytes + length, &number));
		assert_ptr_equal(at, bytes + length);
		assert_true(number == numbers[i]);
		at = bytes;
		assert_false(varint_read(&at, bytes + length - 1, &number));
		assert_true(unzigzag(zigzag((int64_t)numbers[i])) == (int64_t)numbers[i]);
	}
	at = endless;
	assert_false(varint_read(&at, endless + sizeof(endless), &number));
}

/* Two containers, three places, twenty flushes; and waits, whose rows are nobody's here. */
static void test_recording__samples_alone_are_read_as_one_row_a_place(void **state)
{
	struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	struct recording_tables tables;
	struct recording_end end;
	uint64_t sums[3] = {0};
	uint32_t stack;
	FILE *file;

	add_container(writer, "web", 7);
	add_container(writer, "db", 8);
	stack = add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, "main"));
	for (uint64_t i = 1; i <= 20; i++) {
		struct recording_wait wait = {.stack = stack, .waker_thread = RECORDING_NONE, .waker_stack = stack};

		add_sample(writer, 0, stack, i);
		add_sample(writer, 1, stack, 10 * i);
		add_sample(writer, 0, RECORDING_STACK_ROOT, 100 * i);
		assert_int_equal(recording_writer_sample_call(writer, text(writer, "read")), 0);
		wait.waker_container = RECORDING_NONE;
		assert_int_equal(recording_writer_wait(writer, &wait), 0);
		assert_int_equal(recording_writer_flush(writer), 0);
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&tables), 0);
	assert_int_equal(recording_read(file, 0, RECORDING_MEMORY_BYTES_MAX, &tables, &end), 0);
	fclose(file);
	assert_true(end.whole);
	assert_true(end.left_out);
	assert_int_equal(tables.samples.count, 3);
	assert_int_equal(tables.waits.count + tables.threads.count + tables.sample_calls.count, 0);
	for (size_t i = 0; i < 3; i++)
		sums[i] = tables.samples.items[i].count;
	assert_int_equal(sums[0], 210);
	assert_int_equal(sums[1], 2100);
	assert_int_equal(sums[2], 21000);
	assert_int_equal(tables.samples.items[2].time_ns, 2000 * 1000);
	assert_int_equal(tables.samples.items[1].container, 1);
	recording_tables_deinit(&tables);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_recording__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(cut_at_any_byte_it_is_read_up_to_its_last_whole_chunk),
		TEST(a_changed_byte_is_noticed_wherever_it_is),
		TEST(bytes_after_the_end_are_reported_and_do_no_harm),
		TEST(what_is_none_is_refused),
		TEST(a_row_that_refers_to_nothing_voids_its_chunk),
		TEST(a_large_flush_becomes_several_chunks),
		TEST(a_minute_of_two_busy_cpus_takes_less_than_300_kB),
		TEST(samples_alone_are_read_as_one_row_a_place),
		TEST(varints_hold_every_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
