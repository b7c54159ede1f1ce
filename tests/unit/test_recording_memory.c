/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a writer holds of a recording that goes on and on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/recording_reader.h"
#include "profiler/recording/recording_writer.h"

#define STACKS 600000u /* more than are held */

static uint32_t add_stack(struct recording_writer *writer, uint32_t parent, uint32_t frame)
{
	struct recording_stack row = {parent, frame};
	uint32_t number;

	assert_int_equal(recording_writer_stack(writer, &row, &number), 0);
	return number;
}

static void read_all(const char *path, struct recording_tables *tables)
{
	FILE *file = fopen(path, "re");
	struct recording_end end;

	assert_non_null(file);
	assert_int_equal(recording_tables_init(tables), 0);
	assert_int_equal(recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, tables, &end), 0);
	assert_true(end.whole);
	fclose(file);
}

static void test_recording_memory__stacks_that_were_forgotten_come_again_as_rows_of_their_own(void **state)
{
	char folder[] = "/tmp/stoker-test-XXXXXX", path[64];
	struct recording_frame main_row = {.kind = FRAME_USER, .named = 1};
	struct recording_tables tables;
	struct recording_writer *writer;
	uint32_t frame, first, again, last = RECORDING_STACK_ROOT;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/test.rec", folder);
	assert_int_equal(recording_writer_new(path, &writer), 0);
	assert_int_equal(recording_writer_string(writer, "main", 4, &main_row.name), 0);
	assert_int_equal(recording_writer_frame(writer, &main_row, &frame), 0);
	first = add_stack(writer, RECORDING_STACK_ROOT, frame);
	assert_int_equal(recording_writer_flush(writer), 0);
	assert_int_equal(add_stack(writer, RECORDING_STACK_ROOT, frame), first);
	for (uint32_t i = 0; i < STACKS; i++)
		last = add_stack(writer, last, frame);
	assert_int_equal(recording_writer_flush(writer), 0);

	again = add_stack(writer, RECORDING_STACK_ROOT, frame);
	assert_int_equal(again, last + 1);
	assert_int_equal(recording_writer_stack_at(writer, again)->parent, RECORDING_STACK_ROOT);
	assert_int_equal(add_stack(writer, RECORDING_STACK_ROOT, frame), again);
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	read_all(path, &tables);
	assert_int_equal(tables.stacks.count, again + 1);
	assert_int_equal(tables.stacks.items[last].parent, last - 1);
	assert_int_equal(tables.stacks.items[again].parent, RECORDING_STACK_ROOT);
	assert_int_equal(tables.stacks.items[again].frame, frame);
	recording_tables_deinit(&tables);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

static uint32_t add_process(struct recording_writer *writer, const char *exe, string_id *ret_exe)
{
	struct recording_process row = {.tgid = 1};
	uint32_t number;

	assert_int_equal(recording_writer_passing(writer, exe, strlen(exe), &row.exe), 0);
	assert_int_equal(recording_writer_process(writer, &row, &number), 0);
	*ret_exe = row.exe;
	return number;
}

/* A heap that does not grow any more once the first generations are full; sanitizers have one of their own, and no such number. */
static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

static void test_recording_memory__names_that_pass_are_forgotten_and_written_again(void **state)
{
	char folder[] = "/tmp/stoker-test-XXXXXX", path[64], exe[64];
	struct recording_tables tables;
	struct recording_writer *writer;
	string_id name, first_name, again_name, main_name, again;
	size_t settled = 0;
	uint32_t first, last = 0;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/test.rec", folder);
	assert_int_equal(recording_writer_new(path, &writer), 0);
	assert_int_equal(recording_writer_string(writer, "main", 4, &main_name), 0);
	first = add_process(writer, "/usr/bin/first", &first_name);
	for (uint32_t i = 0; i < 200000; i++) {
		snprintf(exe, sizeof(exe), "/gone/%u", i);
		last = add_process(writer, exe, &name);
		if (i % 1000)
			continue;
		assert_int_equal(recording_writer_flush(writer), 0);
		settled = i == 50000 ? heap_bytes() : settled;
	}
	assert_in_range(heap_bytes(), 0, settled + settled / 20);
	assert_int_equal(recording_writer_string(writer, "main", 4, &again), 0);
	assert_int_equal(again, main_name);
	add_process(writer, "/usr/bin/first", &again_name);
	assert_int_not_equal(again_name, first_name);
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	/* To whoever reads it they are the same. */
	read_all(path, &tables);
	assert_int_equal(tables.processes.items[first].exe, tables.processes.items[last + 1].exe);
	assert_string_equal(string_table_text(&tables.strings, tables.processes.items[first].exe), "/usr/bin/first");
	assert_string_equal(string_table_text(&tables.strings, tables.processes.items[last].exe), exe);
	recording_tables_deinit(&tables);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

static uint32_t add_named_frame(struct recording_writer *writer, const char *name)
{
	struct recording_frame row = {.kind = FRAME_USER, .named = 1};
	uint32_t number;

	assert_int_equal(recording_writer_string(writer, name, strlen(name), &row.name), 0);
	assert_int_equal(recording_writer_frame(writer, &row, &number), 0);
	return number;
}

static void test_recording_memory__functions_are_forgotten_where_there_are_too_many(void **state)
{
	char folder[] = "/tmp/stoker-test-XXXXXX", path[64], name[64];
	struct recording_tables tables;
	struct recording_writer *writer;
	uint32_t first, again, stack, other, last = 0;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/test.rec", folder);
	assert_int_equal(recording_writer_new(path, &writer), 0);
	first = add_named_frame(writer, "main");
	stack = add_stack(writer, RECORDING_STACK_ROOT, first);
	assert_int_equal(recording_writer_flush(writer), 0);
	assert_int_equal(add_named_frame(writer, "main"), first);
	assert_int_equal(recording_writer_names_forgotten(writer), 0);
	for (uint32_t i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "lambda_%u", i);
		last = add_named_frame(writer, name);
	}
	assert_string_equal(recording_writer_frame_name(writer, first), "main");
	assert_int_equal(recording_writer_flush(writer), 0);

	assert_int_equal(recording_writer_names_forgotten(writer), 1);
	assert_string_equal(recording_writer_frame_name(writer, first), "");
	again = add_named_frame(writer, "main");
	assert_int_equal(again, last + 1);
	assert_string_equal(recording_writer_frame_name(writer, again), "main");
	assert_int_equal(add_named_frame(writer, "main"), again);
	other = add_stack(writer, RECORDING_STACK_ROOT, again);
	assert_int_equal(other, stack + 1);
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	read_all(path, &tables);
	assert_int_equal(tables.frames.items[first].name, tables.frames.items[again].name);
	assert_string_equal(string_table_text(&tables.strings, tables.frames.items[last].name), "lambda_69999");
	assert_int_equal(tables.stacks.items[other].frame, again);
	recording_tables_deinit(&tables);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recording_memory__stacks_that_were_forgotten_come_again_as_rows_of_their_own),
		cmocka_unit_test(test_recording_memory__functions_are_forgotten_where_there_are_too_many),
		cmocka_unit_test(test_recording_memory__names_that_pass_are_forgotten_and_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
