/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "profiler/analysis/hot_calls.h"
#include "profiler/render/folded.h"
#include "profiler/render/hot_calls.h"
#include "symbolizer/base/cleanup.h"
#include "tests/unit/recordings.h"

static void sample_in(struct maker *maker, uint32_t container, const char *call, const char *stack, uint64_t count)
{
	maker_sample(maker, container, stack, count);
	if (call)
		assert_int_equal(recording_writer_sample_call(maker->writer, maker_text(maker, call)), 0);
}

static struct profile *two_containers(bool known)
{
	struct maker maker;
	uint32_t web, db;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	maker_sample(&maker, web, "main", 100);
	sample_in(&maker, web, known ? "newfstatat" : NULL, "main;k:do_syscall_64;k:vfs_statx;k:__d_lookup_rcu", 3);
	/* In another flush: rows are numbered through. */
	assert_int_equal(recording_writer_flush(maker.writer), 0);
	sample_in(&maker, web, known ? "newfstatat" : NULL, "other;k:do_syscall_64;k:vfs_statx;k:path_init", 4);
	sample_in(&maker, web, known ? "newfstatat" : NULL, "main;k:do_syscall_64;k:vfs_statx;k:__d_lookup_rcu", 2);
	maker_sample(&maker, web, "main;k:asm_exc_page_fault;k:handle_mm_fault", 7);
	sample_in(&maker, db, known ? "fsync" : NULL, "main;k:do_syscall_64;k:ext4_sync_file", 20);
	sample_in(&maker, db, known ? "newfstatat" : NULL, "", 1);
	return maker_load(&maker);
}

static void expect_row(const struct hot_calls *hot, const struct profile *profile, size_t row, const char *call,
		       const char *function, uint64_t samples, uint64_t of_call)
{
	const struct hot_call *found = &hot->rows.items[row];

	assert_true(row < hot->rows.count);
	assert_string_equal(string_table_text(&profile->rows.strings, found->call), call);
	assert_string_equal(string_table_text(&hot->strings, found->function), function);
	assert_int_equal(found->samples, samples);
	assert_int_equal(found->of_call, of_call);
}

static void test_hot_calls__rows_are_of_the_chosen_and_the_sums_are_of_all(void **state)
{
	static const bool wanted[] = {false, true};
	struct profile *profile = two_containers(true);
	struct hot_calls hot;

	assert_int_equal(hot_calls_init(&hot, profile, CALLS_BY_BOTH, wanted), 0);
	assert_int_equal(hot.rows.count, 2);
	expect_row(&hot, profile, 0, "fsync", "ext4_sync_file", 20, 20);
	assert_int_equal(hot.in_calls, 30);
	hot_calls_deinit(&hot);
	profile_free(profile);
}

static void test_hot_calls__the_largest_call_comes_first_with_its_functions(void **state)
{
	struct profile *profile = two_containers(true);
	struct hot_calls hot;

	assert_true(hot_calls_known(profile));
	assert_int_equal(hot_calls_init(&hot, profile, CALLS_BY_BOTH, NULL), 0);
	assert_int_equal(hot.rows.count, 4);
	expect_row(&hot, profile, 0, "fsync", "ext4_sync_file", 20, 20);
	expect_row(&hot, profile, 1, "newfstatat", "__d_lookup_rcu", 5, 9);
	expect_row(&hot, profile, 2, "newfstatat", "path_init", 4, 9);
	expect_row(&hot, profile, 3, "newfstatat", "[kernel stack not recorded]", 1, 1);
	assert_int_equal(hot.in_calls, 30);
	assert_int_equal(hot.in_none, 7);
	hot_calls_deinit(&hot);
	assert_int_equal(hot_calls_init(&hot, profile, CALLS_BY_CALL, NULL), 0);
	expect_row(&hot, profile, 1, "newfstatat", "__d_lookup_rcu", 5, 10);
	hot_calls_deinit(&hot);
	profile_free(profile);
}

static void test_hot_calls__samples_that_know_no_call_are_not_guessed_at(void **state)
{
	struct profile *profile = two_containers(false);
	struct hot_calls hot;

	assert_false(hot_calls_known(profile));
	assert_int_equal(hot_calls_init(&hot, profile, CALLS_BY_BOTH, NULL), 0);
	assert_int_equal(hot.rows.count, 0);
	hot_calls_deinit(&hot);
	profile_free(profile);
}

static char *printed(const struct profile *profile, bool json)
{
	struct calls_options options = {.by = CALLS_BY_BOTH};
	struct hot_calls hot;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(hot_calls_init(&hot, profile, options.by, NULL), 0);
	assert_int_equal((json ? render_hot_calls_json : render_hot_calls_text)(&hot, profile, &options, out), 0);
	fclose(out);
	hot_calls_deinit(&hot);
	return text;
}

static void test_hot_calls__report_says_what_part_of_its_call_a_function_is(void **state)
{
	struct profile *profile = two_containers(true);
	_cleanup_free_ char *text = printed(profile, false), *json = printed(profile, true);

	assert_non_null(strstr(text, "web        newfstatat        5      56%  __d_lookup_rcu"));
	assert_non_null(strstr(text, "37 samples in the kernel = 30 in system calls + 7 in none"));
	assert_non_null(strstr(json, "\"samples_in_none\": 7"));
	assert_non_null(strstr(json, "\"function\": \"path_init\""));
	profile_free(profile);
}

static void test_hot_calls__a_call_is_a_box_below_its_process(void **state)
{
	struct profile *profile = two_containers(true);
	struct profile_query query = {.by = PROFILE_BY_CALL};
	struct call_tree tree;
	char error[128];
	bool in_call = false, in_none = false;

	assert_int_equal(call_tree_init(&tree), 0);
	assert_int_equal(profile_call_tree(profile, &query, &tree, error, sizeof(error)), 0);
	for (size_t i = 0; i < tree.frames.count; i++) {
		const char *name = string_table_text(&tree.strings, tree.frames.items[i].name);

		in_call = in_call || !strcmp(name, "fsync");
		in_none = in_none || !strcmp(name, "[no call]");
	}
	assert_true(in_call && in_none);
	call_tree_deinit(&tree);
	profile_free(profile);
}

static bool has_path(const struct profile *profile, const char *path)
{
	struct profile_query query = {.by = PROFILE_BY_CALL};
	_cleanup_free_ char *text = NULL;
	struct call_tree tree;
	char error[128];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool found;

	assert_non_null(out);
	assert_int_equal(call_tree_init(&tree), 0);
	assert_int_equal(profile_call_tree(profile, &query, &tree, error, sizeof(error)), 0);
	assert_int_equal(render_folded(&tree, NULL, out), 0);
	fclose(out);
	found = strstr(text, path);
	call_tree_deinit(&tree);
	return found;
}

static void test_hot_calls__calls_behind_the_cut_of_a_recording_are_not_known(void **state)
{
	_cleanup_free_ char *text = NULL, *json = NULL;
	struct profile *profile = NULL;
	char error[256] = "";
	struct maker maker;
	struct stat status;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	sample_in(&maker, web, "fsync", "main;k:do_syscall_64;k:ext4_sync_file", 20);
	sample_in(&maker, web, NULL, "main;k:asm_exc_page_fault;k:handle_mm_fault", 3);
	assert_int_equal(recording_writer_flush(maker.writer), 0);
	sample_in(&maker, web, "read", "main;k:do_syscall_64;k:vfs_read", 5);
	maker_sample(&maker, web, "user", 100);
	assert_int_equal(recording_writer_flush(maker.writer), 0);
	/* The last chunk is that of the calls. */
	assert_int_equal(stat(maker.path, &status), 0);
	assert_int_equal(truncate(maker.path, status.st_size - 1), 0);
	recording_writer_free(maker.writer);
	assert_int_equal(profile_load(maker.path, RECORDING_ALL, &profile, error, sizeof(error)), 0);
	unlink(maker.path);
	assert_false(profile->whole);
	assert_int_equal(profile->rows.samples.count, 4);
	assert_true(has_path(profile, ";[call_not_known];main;do_syscall_64_[k];vfs_read_[k] 5"));
	assert_true(has_path(profile, ";[no_call];main;asm_exc_page_fault_[k];handle_mm_fault_[k] 3"));
	text = printed(profile, false);
	json = printed(profile, true);
	assert_non_null(strstr(text,
			       "28 samples in the kernel = 20 in system calls + 3 in none (interrupts, page faults, "
			       "kernel threads) + 5 whose calls were not written.\n"));
	assert_non_null(strstr(json, "\"samples_untold\": 5"));
	profile_free(profile);
}

/* As a recorder that was killed leaves it: calls of later samples may have been to come. */
static void test_hot_calls__without_an_end_calls_are_known_up_to_the_last_one(void **state)
{
	struct profile *profile = NULL;
	char error[256] = "";
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	sample_in(&maker, web, NULL, "main;k:asm_exc_page_fault;k:handle_mm_fault", 3);
	sample_in(&maker, web, "fsync", "main;k:do_syscall_64;k:ext4_sync_file", 20);
	sample_in(&maker, web, NULL, "main;k:do_syscall_64;k:vfs_read", 5);
	assert_int_equal(recording_writer_flush(maker.writer), 0);
	recording_writer_free(maker.writer);
	assert_int_equal(profile_load(maker.path, RECORDING_ALL, &profile, error, sizeof(error)), 0);
	unlink(maker.path);
	assert_true(has_path(profile, ";[no_call];main;asm_exc_page_fault_[k];handle_mm_fault_[k] 3"));
	assert_true(has_path(profile, ";[call_not_known];main;do_syscall_64_[k];vfs_read_[k] 5"));
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hot_calls__rows_are_of_the_chosen_and_the_sums_are_of_all),
		cmocka_unit_test(test_hot_calls__the_largest_call_comes_first_with_its_functions),
		cmocka_unit_test(test_hot_calls__samples_that_know_no_call_are_not_guessed_at),
		cmocka_unit_test(test_hot_calls__report_says_what_part_of_its_call_a_function_is),
		cmocka_unit_test(test_hot_calls__a_call_is_a_box_below_its_process),
		cmocka_unit_test(test_hot_calls__calls_behind_the_cut_of_a_recording_are_not_known),
		cmocka_unit_test(test_hot_calls__without_an_end_calls_are_known_up_to_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
