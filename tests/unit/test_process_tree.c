/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/containers/process_tree.h"

static void add_process(const char *root, unsigned int pid, const char *comm, unsigned int parent)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/%u", root, pid);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc/%u/stat", root, pid);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%u (%s) S %u 1 1 0 -1\n", pid, comm, parent);
	fclose(file);
}

static int make_root(void **state)
{
	char *root = strdup("/tmp/stoker-test-XXXXXX"), path[256];

	*state = mkdtemp(root);
	if (!*state)
		return -1;
	snprintf(path, sizeof(path), "%s/proc", root);
	return mkdir(path, 0755);
}

static int remove_root(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	return system(command);
}

struct given {
	uint32_t pids[64];
	size_t count;
};

static int give(void *data, uint32_t pid)
{
	struct given *given = data;

	assert_true(given->count < 64);
	given->pids[given->count++] = pid;
	return 0;
}

static void test_process_tree__children_and_theirs_are_found_in_any_order_of_pids(void **state)
{
	static const uint32_t wanted[] = {50};
	struct given given = {0};

	add_process(*state, 1, "init", 0);
	add_process(*state, 50, "server", 1);
	add_process(*state, 60, "worker", 50);
	add_process(*state, 7, "wrapped around", 60);
	add_process(*state, 8, "his child", 7);
	add_process(*state, 70, "other", 1);
	add_process(*state, 71, "other's", 70);
	assert_int_equal(process_descendants(*state, wanted, 1, give, &given), 0);
	assert_int_equal(given.count, 3);
	assert_int_equal(given.pids[0], 7);
	assert_int_equal(given.pids[1], 8);
	assert_int_equal(given.pids[2], 60);
}

static void test_process_tree__a_name_cannot_choose_the_parent(void **state)
{
	static const uint32_t wanted[] = {50};
	struct given given = {0};

	add_process(*state, 50, "a", 1);
	add_process(*state, 60, "b) S 50 (", 1);
	add_process(*state, 61, "c) S 1 (d", 50);
	assert_int_equal(process_descendants(*state, wanted, 1, give, &given), 0);
	assert_int_equal(given.count, 1);
	assert_int_equal(given.pids[0], 61);
}

static void test_process_tree__a_circle_ends(void **state)
{
	static const uint32_t wanted[] = {50, 51};
	struct given given = {0};

	add_process(*state, 50, "a", 52);
	add_process(*state, 52, "b", 50);
	add_process(*state, 10, "c", 11);
	add_process(*state, 11, "d", 10);
	add_process(*state, 12, "e", 12);
	assert_int_equal(process_descendants(*state, wanted, 2, give, &given), 0);
	assert_int_equal(given.count, 2);
	assert_int_equal(given.pids[0], 50);
	assert_int_equal(given.pids[1], 52);
}

static int refuse(void *data, uint32_t pid)
{
	return -E2BIG;
}

static void test_process_tree__the_callers_error_ends_it_and_no_proc_is_one(void **state)
{
	static const uint32_t wanted[] = {1};
	struct given given = {0};

	add_process(*state, 50, "a", 1);
	assert_int_equal(process_descendants(*state, wanted, 1, refuse, NULL), -E2BIG);
	assert_int_equal(process_descendants("/nonexistent", wanted, 1, give, &given), -ENOENT);
}

static void test_process_tree__a_thread_is_one_of_its_process(void **state)
{
	const char *root = *state;
	char path[256];
	FILE *file;

	add_process(root, 7, "web", 1);
	snprintf(path, sizeof(path), "%s/proc/7/status", root);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("Name:\tTgid:\t9\\nTgid:\t9\nUmask:\t0022\nTgid:\t5\nPid:\t7\n", file);
	fclose(file);
	assert_int_equal(process_of_thread(root, 7), 5);
	add_process(root, 8, "gone", 1);
	assert_int_equal(process_of_thread(root, 8), 0);
	assert_int_equal(process_of_thread(root, 9), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		TEST(test_process_tree__children_and_theirs_are_found_in_any_order_of_pids),
		TEST(test_process_tree__a_name_cannot_choose_the_parent),
		TEST(test_process_tree__a_circle_ends),
		TEST(test_process_tree__the_callers_error_ends_it_and_no_proc_is_one),
		TEST(test_process_tree__a_thread_is_one_of_its_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
