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
#include "symbolizer/silent_devices.h"

#define SWEEPS_APART 64 /* uses that are nearer to each other count as one */

static struct walk_maps maps;
static struct silent_devices silent;
static struct unwind_parser *parser;
static struct unwind_tables *tables;
static bool mapped[WALK_FILES_MAX];

static int set_up_with(struct time_share_limit limit)
{
	assert_int_equal(unwind_parser_new(&silent, &parser), 0);
	assert_int_equal(walk_maps_init(&maps, NULL), 0);
	assert_int_equal(unwind_tables_new(&maps, parser, UNWIND_MEMORY_MIN, limit, &tables), 0);
	assert_true(unwind_tables_load_one(tables)); /* the vdso */
	for (size_t i = 0; i < WALK_FILES_MAX; i++)
		mapped[i] = true;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(UNWIND_PARSING_LIMIT);
}

/* One file is all that a tenant may have parsed. */
static int set_up_short_of_time(void **state)
{
	return set_up_with((struct time_share_limit){.debt_ns = 1, .part = 1000000});
}

static int tear_down(void **state)
{
	unwind_tables_free(tables);
	unwind_parser_free(parser);
	walk_maps_deinit(&maps);
	silent_devices_deinit(&silent);
	return 0;
}

/* As if each was another file: the C library, which is everywhere and has some 25,000 rows. */
static uint32_t add_file_of(uint64_t tenant, uint64_t inode)
{
	struct unwind_identity identity = {.inode = inode};
	int fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_PATH | O_CLOEXEC);
	uint32_t file;

	assert_true(fd >= 0);
	file = unwind_tables_file(tables, &identity, fd, (struct unwind_mapper){getpid(), tenant});
	assert_int_not_equal(file, UNWIND_NO_FILE);
	return file;
}

static uint32_t add_file(uint64_t inode)
{
	return add_file_of(1, inode);
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

static void test_unwind_tables__who_has_used_up_his_time_makes_nobody_wait(void **state)
{
	uint32_t first = add_file_of(1, 1), second = add_file_of(1, 2), third = add_file_of(1, 3), other, shared;

	use(first);
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(first));
	use(second);
	use(third);
	assert_false(unwind_tables_load_one(tables));
	assert_int_equal(unwind_tables_counts(tables).held, 2);
	assert_int_equal(unwind_tables_counts(tables).tenants_over, 1);

	other = add_file_of(2, 4);
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(other));
	/* A file of both: the one who has time pays for it. */
	shared = add_file_of(3, 2);
	assert_int_equal(shared, second);
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(second));
	assert_false(unwind_tables_load_one(tables));
	assert_false(is_loaded(third));
}

static void test_unwind_tables__who_mapped_a_file_before_the_time_was_used_up_does_not_wait_either(void **state)
{
	uint32_t first = add_file_of(1, 1), second = add_file_of(1, 2), third = add_file_of(1, 3);

	assert_int_equal(add_file_of(2, 2), second);
	/* Another one who has no time does not take his place. */
	use(add_file_of(3, 4));
	assert_true(unwind_tables_load_one(tables));
	assert_int_equal(add_file_of(3, 2), second);
	use(first);
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(first));
	assert_true(unwind_tables_load_one(tables));
	assert_true(is_loaded(second));
	assert_false(unwind_tables_load_one(tables));
	assert_false(is_loaded(third));
}

/* As if four children waited for file systems of tenant 1. */
static void fall_silent(void)
{
	for (int i = 0; i < SILENT_TENANT_MAX; i++)
		silent.list[silent.count++] =
			(struct silent_device){.pidfd = -1, .worker = unwind_parser_worker(parser), .tenant = 1};
}

static void load_until_late(uint32_t file)
{
	for (int i = 0; i < 3; i++) {
		use(file);
		unwind_tables_sweep(tables, mapped);
		unwind_tables_load_one(tables);
	}
}

static void test_unwind_tables__who_is_asked_nothing_more_makes_nobody_wait(void **state)
{
	uint32_t file, of_both;

	fall_silent();
	file = add_file_of(1, 77);
	of_both = add_file_of(1, 78);
	assert_int_equal(add_file_of(2, 78), of_both);
	assert_int_equal(add_file_of(1, 78), of_both);
	while (unwind_tables_load_one(tables))
		;
	assert_false(is_loaded(file));
	load_until_late(of_both);
	assert_true(is_loaded(of_both));
	assert_false(is_loaded(file));
	assert_int_equal(add_file_of(2, 77), file);
	load_until_late(file);
	assert_true(is_loaded(file));
}

static void test_unwind_tables__one_tenant_leaves_numbers_of_files_to_others(void **state)
{
	struct unwind_identity identity = {.inode = 1};
	uint32_t of_one = 0, of_another = 0;

	for (; unwind_tables_file(tables, &identity, -1, (struct unwind_mapper){.tenant = 1}) != UNWIND_NO_FILE;
	     identity.inode++)
		of_one++;
	for (; unwind_tables_file(tables, &identity, -1, (struct unwind_mapper){.tenant = 2}) != UNWIND_NO_FILE;
	     identity.inode++)
		of_another++;
	assert_in_range(of_one, WALK_FILES_MAX / 4, WALK_FILES_MAX / 2);
	assert_in_range(of_another, WALK_FILES_MAX / 8, WALK_FILES_MAX / 4);
	assert_int_equal(unwind_tables_counts(tables).refused, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_unwind_tables__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_used_as_much_is_not_taken_out_for_another),
		TEST(what_was_used_least_lately_goes_first_and_comes_back_when_it_is_used),
		cmocka_unit_test_setup_teardown(test_unwind_tables__who_has_used_up_his_time_makes_nobody_wait,
						set_up_short_of_time, tear_down),
		cmocka_unit_test_setup_teardown(
			test_unwind_tables__who_mapped_a_file_before_the_time_was_used_up_does_not_wait_either,
			set_up_short_of_time, tear_down),
		TEST(who_is_asked_nothing_more_makes_nobody_wait),
		TEST(one_tenant_leaves_numbers_of_files_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
