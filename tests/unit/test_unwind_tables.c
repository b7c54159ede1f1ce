/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files beyond the budget for rows: what was used last stays. The tables are plain memory, and the test says what walks used.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/collect/unwind_tables.h"

#define SWEEPS_APART 64 /* uses that are nearer to each other count as one */

static struct walk_maps maps;
static struct unwind_parser *parser;
static struct unwind_tables *tables;
static bool mapped[WALK_FILES_MAX];

static int set_up(void **state)
{
	assert_int_equal(unwind_parser_new(&parser), 0);
	assert_int_equal(walk_maps_init(&maps, NULL), 0);
	assert_int_equal(unwind_tables_new(&maps, parser, UNWIND_MEMORY_MIN, &tables), 0);
	assert_true(unwind_tables_load_one(tables)); /* the vdso */
	for (size_t i = 0; i < WALK_FILES_MAX; i++)
		mapped[i] = true;
	return 0;
}

static int tear_down(void **state)
{
	unwind_tables_free(tables);
	unwind_parser_free(parser);
	walk_maps_deinit(&maps);
	return 0;
}

/* As if each was another file: the C library, which is everywhere and has some 25,000 rows. */
static uint32_t add_file(uint64_t inode)
{
	struct unwind_identity identity = {.inode = inode};
	int fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_PATH | O_CLOEXEC);
	uint32_t file;

	assert_true(fd >= 0);
	file = unwind_tables_file(tables, &identity, fd, getpid());
	assert_int_not_equal(file, UNWIND_NO_FILE);
	return file;
}

static void use(uint32_t file)
{
	maps.files->at[file].used = maps.files->epoch;
}

static bool is_loaded(uint32_t file)
{
	return maps.files->at[file].state == WALK_FILE_READY;
}

static void let_time_pass(void)
{
	for (int i = 0; i < SWEEPS_APART; i++)
		unwind_tables_sweep(tables, mapped);
}

/* Loads files that are used until one finds no room; returns how many were loaded. */
static uint32_t fill(uint32_t files[64])
{
	for (uint32_t count = 0; count < 64; count++) {
		files[count] = add_file(count + 1);
		use(files[count]);
		assert_true(unwind_tables_load_one(tables));
		if (!is_loaded(files[count]))
			return count;
	}
	fail_msg("a mebibyte holds everything");
	return 0;
}

static void test_unwind_tables__what_is_used_as_much_is_not_taken_out_for_another(void **state)
{
	uint32_t files[64], count = fill(files);
	struct unwind_tables_counts counts = unwind_tables_counts(tables);

	assert_in_range(count, 2, 40);
	assert_int_equal(counts.evictions, 0);
	assert_int_equal(counts.no_room, 1);
	assert_in_range(counts.row_bytes, 1, UNWIND_MEMORY_MIN);
	for (uint32_t i = 0; i < count; i++)
		assert_true(is_loaded(files[i]));
}

/* All but files 1 and 2 now, 2 before, 1 before that. Room for another may take two: the pieces that are free must fit. */
static void test_unwind_tables__what_was_used_least_lately_goes_first_and_comes_back_when_it_is_used(void **state)
{
	uint32_t files[64], count = fill(files);

	let_time_pass();
	use(files[2]);
	let_time_pass();
	use(0); /* the vdso */
	for (uint32_t i = 0; i < count; i++)
		if (i != 1 && i != 2)
			use(files[i]);
	let_time_pass();
	use(files[count]);
	unwind_tables_sweep(tables, mapped);
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(files[count]));
	assert_false(is_loaded(files[1]));
	for (uint32_t i = 0; i < count; i++)
		assert_true(is_loaded(files[i]) || i == 1 || i == 2);
	assert_in_range(unwind_tables_counts(tables).evictions, 1, 2);

	let_time_pass();
	use(files[1]);
	unwind_tables_sweep(tables, mapped);
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(files[1]));
	assert_true(is_loaded(files[count]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_unwind_tables__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_used_as_much_is_not_taken_out_for_another),
		TEST(what_was_used_least_lately_goes_first_and_comes_back_when_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
