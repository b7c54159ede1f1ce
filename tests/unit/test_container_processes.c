/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes of a made-up /proc: who is the oldest of a container, and what is not known of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/containers/container_processes.h"
#include "tests/unit/fake_root.h"

static void write_of(const char *root, unsigned int pid, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	write_file(root, path, text);
}

/* @ns_pids: as NSpid has them, "\t4000\t1" */
static void add_process(const char *root, unsigned int pid, const char *ns_pids, unsigned int start)
{
	char text[256];

	snprintf(text, sizeof(text), "Name:\tapp\nNSpid:%s\nVmSize:\t1 kB\n", ns_pids);
	write_of(root, pid, "status", text);
	snprintf(text, sizeof(text), "%u (a) 9 9 b) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 %u 99 98\n", pid,
		 start);
	write_of(root, pid, "stat", text);
	write_of(root, pid, "comm", "app\n");
	write_of(root, pid, "cgroup", "0::/web\n");
}

static void add_link(const char *root, unsigned int pid, const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/%u/ns", pid);
	make_folder(root, path);
	snprintf(path, sizeof(path), "%s/proc/%u/ns/%s", root, pid, name);
	assert_int_equal(symlink(target, path), 0);
}

static int by_age(const void *left, const void *right)
{
	return host_process_order(left, right);
}

static struct host_process_array read_all(const char *root)
{
	struct host_process_array all = {0};

	assert_int_equal(container_processes_read(root, &all), 0);
	if (all.list.count)
		qsort(all.list.items, all.list.count, sizeof(all.list.items[0]), by_age);
	return all;
}

static void test_container_processes__the_oldest_is_first_also_where_pids_began_again(void **state)
{
	struct host_process_array all;

	add_process(*state, 300, "\t300\t9", 7000);
	add_process(*state, 4000, "\t4000\t1", 5000);
	/* In the same tick, with a pid namespace of its own inside. */
	add_process(*state, 301, "\t301\t2\t1", 5000);
	/* Of the host's pid namespace: docker exec --pid=host, nsenter. */
	add_process(*state, 9, "\t9", 9000);
	all = read_all(*state);
	assert_int_equal(all.list.count, 4);
	assert_int_equal(all.list.items[0].pid, 4000);
	assert_int_equal(all.list.items[0].ns_pid, 1);
	assert_int_equal(all.list.items[0].start_ticks, 5000);
	assert_int_equal(all.list.items[1].pid, 301);
	assert_int_equal(all.list.items[1].outer_pid, 2);
	assert_int_equal(all.list.items[1].ns_pid, 1);
	assert_int_equal(all.list.items[2].pid, 300);
	assert_int_equal(all.list.items[3].pid, 9);
	assert_int_equal(all.list.items[3].ns_pid, 9);
	assert_int_equal(all.list.items[3].outer_pid, 9);
	container_processes_deinit(&all);
}

static void test_container_processes__what_cannot_be_read_is_not_known_to_be_shared(void **state)
{
	struct host_process_array all;

	add_process(*state, 1, "\t1", 1);
	add_process(*state, 20, "\t20\t1", 2);
	add_process(*state, 30, "\t30\t1", 3);
	add_link(*state, 1, "net", "net:[1]");
	add_link(*state, 1, "uts", "uts:[1]");
	add_link(*state, 20, "net", "net:[2]");
	add_link(*state, 20, "uts", "uts:[1]");
	/* No link: readlink(2) fails, as without root. */
	write_of(*state, 30, "ns/net", "");
	all = read_all(*state);
	assert_int_equal(all.list.count, 3);
	assert_true(all.list.items[1].shared_known);
	/* Of the others this kernel has none. */
	assert_int_equal(all.list.items[1].shared, 1u << 6);
	assert_string_equal(container_namespace_names[6], "uts");
	assert_false(all.list.items[2].shared_known);
	container_processes_deinit(&all);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_container_processes__##name, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_oldest_is_first_also_where_pids_began_again),
		TEST(what_cannot_be_read_is_not_known_to_be_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
