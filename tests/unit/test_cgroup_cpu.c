/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/containers/cgroup_cpu.h"
#include "tests/unit/fake_root.h"

static struct cgroup_cpu read_one(const char *root, const char *path)
{
	struct cgroup_cpu_reader *reader;
	struct cgroup_cpu cpu;

	memset(&cpu, 0xff, sizeof(cpu));
	assert_int_equal(cgroup_cpu_reader_new(root, &reader), 0);
	cgroup_cpu_read(reader, path, &cpu);
	cgroup_cpu_reader_free(reader);
	return cpu;
}

static void test_cgroup_cpu__unified_hierarchy_tells_use_quota_and_throttling(void **state)
{
	struct cgroup_cpu cpu;

	write_file(*state, "/proc/self/mountinfo", V2_MOUNT);
	write_file(*state, "/sys/fs/cgroup/a/cpu.stat",
		   "usage_usec 1500\nuser_usec 1\nnr_periods 20\nnr_throttled 5\nthrottled_usec 70\n");
	write_file(*state, "/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
	cpu = read_one(*state, "/a");
	assert_true(cpu.usage_known);
	assert_int_equal(cpu.usage_ns, 1500000);
	assert_int_equal(cpu.quota_us, 50000);
	assert_int_equal(cpu.period_us, 100000);
	assert_int_equal(cpu.periods, 20);
	assert_int_equal(cpu.throttled_periods, 5);
	assert_int_equal(cpu.throttled_ns, 70000);
	assert_true(cpu.read_ns > 0);
}

static void test_cgroup_cpu__max_is_no_limit(void **state)
{
	struct cgroup_cpu cpu;

	write_file(*state, "/proc/self/mountinfo", V2_MOUNT);
	write_file(*state, "/sys/fs/cgroup/a/cpu.stat", "usage_usec 7\nnr_periods 20\nnr_throttled 5\n");
	write_file(*state, "/sys/fs/cgroup/a/cpu.max", "max 100000\n");
	cpu = read_one(*state, "/a");
	assert_true(cpu.usage_known);
	assert_int_equal(cpu.quota_us, 0);
	assert_int_equal(cpu.periods, 0);
	assert_int_equal(cpu.throttled_periods, 0);
}

static void test_cgroup_cpu__v1_controllers_tell_the_same_in_their_own_units(void **state)
{
	struct cgroup_cpu cpu;

	write_file(*state, "/proc/self/mountinfo", V1_MOUNTS);
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/docker/a/cpuacct.usage", "123456789\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us", "25000\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.stat",
		   "nr_periods 9\nnr_throttled 4\nthrottled_time 5000000\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
	cpu = read_one(*state, "/docker/a");
	assert_int_equal(cpu.usage_ns, 123456789);
	assert_int_equal(cpu.quota_us, 25000);
	assert_int_equal(cpu.period_us, 100000);
	assert_int_equal(cpu.periods, 9);
	assert_int_equal(cpu.throttled_periods, 4);
	assert_int_equal(cpu.throttled_ns, 5000000);
}

static void test_cgroup_cpu__hybrid_takes_use_from_v2_and_the_quota_from_v1(void **state)
{
	struct cgroup_cpu cpu;

	write_file(*state, "/proc/self/mountinfo", V1_MOUNTS HYBRID_MOUNT);
	write_file(*state, "/sys/fs/cgroup/unified/a/cpu.stat", "usage_usec 3\nuser_usec 2\nsystem_usec 1\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/a/cpuacct.usage", "2999\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "25000\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
	write_file(*state, "/sys/fs/cgroup/cpu,cpuacct/b/cpuacct.usage", "77\n");
	cpu = read_one(*state, "/a");
	assert_int_equal(cpu.usage_ns, 3000);
	assert_int_equal(cpu.quota_us, 25000);
	cpu = read_one(*state, "/b");
	assert_true(cpu.usage_known);
	assert_int_equal(cpu.usage_ns, 77);
	assert_int_equal(cpu.quota_us, 0);
}

static void test_cgroup_cpu__the_tightest_limit_on_the_way_up_counts(void **state)
{
	struct cgroup_cpu cpu;

	write_file(*state, "/proc/self/mountinfo", V2_MOUNT);
	write_file(*state, "/sys/fs/cgroup/pod/a/cpu.stat", "usage_usec 1\nnr_periods 1\nnr_throttled 0\n");
	write_file(*state, "/sys/fs/cgroup/pod/a/cpu.max", "200000 100000\n");
	write_file(*state, "/sys/fs/cgroup/pod/cpu.stat", "usage_usec 9\nnr_periods 8\nnr_throttled 7\n");
	write_file(*state, "/sys/fs/cgroup/pod/cpu.max", "10000 20000\n");
	cpu = read_one(*state, "/pod/a");
	assert_int_equal(cpu.usage_ns, 1000);
	assert_int_equal(cpu.quota_us, 10000);
	assert_int_equal(cpu.period_us, 20000);
	assert_int_equal(cpu.periods, 8);
	assert_int_equal(cpu.throttled_periods, 7);
}

static void test_cgroup_cpu__what_is_not_there_or_garbage_is_not_known(void **state)
{
	struct cgroup_cpu cpu;
	char deep[5000] = "";

	cpu = read_one(*state, "/a");
	assert_false(cpu.usage_known);
	write_file(*state, "/proc/self/mountinfo", V2_MOUNT "garbage\n31 - - -\n");
	write_file(*state, "/sys/fs/cgroup/a/cpu.stat", "usage_usec\nxusage_usec 3\nusage_usecx 4\n");
	write_file(*state, "/sys/fs/cgroup/a/cpu.max", "50000\n");
	write_file(*state, "/sys/fs/cgroup/b/cpu.max", "50000 0\n");
	write_file(*state, "/sys/fs/secret/cpu.stat", "usage_usec 5\n");
	for (size_t i = 0; i + 3 < sizeof(deep); i += 2)
		memcpy(deep + i, "/a", 3);
	assert_false(read_one(*state, "/a").usage_known);
	assert_int_equal(read_one(*state, "/a").quota_us, 0);
	assert_int_equal(read_one(*state, "/b").quota_us, 0);
	assert_false(read_one(*state, "/none").usage_known);
	assert_false(read_one(*state, "/../secret").usage_known);
	assert_false(read_one(*state, deep).usage_known);
	assert_false(read_one(*state, "/").usage_known);
	assert_false(read_one(*state, "").usage_known);
}

static void test_cgroup_cpu__two_readings_make_cpus_and_a_part_of_the_periods(void **state)
{
	struct cgroup_cpu before = {1000, 500, true, 50, 100, 10, 2, 0};
	struct cgroup_cpu after = {2000, 1250, true, 50, 100, 20, 5, 0};
	struct cgroup_cpu_change change = cgroup_cpu_between(&before, &after);

	assert_true(change.usage_known);
	assert_true(change.cpus > 0.749 && change.cpus < 0.751);
	assert_true(change.throttled_known);
	assert_true(change.throttled > 0.299 && change.throttled < 0.301);
	after.periods = before.periods;
	after.throttled_periods = before.throttled_periods;
	change = cgroup_cpu_between(&before, &after);
	assert_true(change.throttled_known);
	assert_true(change.throttled == 0);
}

static void test_cgroup_cpu__a_cgroup_that_was_made_again_in_between_has_no_change(void **state)
{
	struct cgroup_cpu before = {1000, 500, true, 50, 100, 10, 2, 0};
	struct cgroup_cpu after = {2000, 20, true, 50, 100, 1, 0, 0};
	struct cgroup_cpu_change change = cgroup_cpu_between(&before, &after);

	assert_false(change.usage_known);
	assert_false(change.throttled_known);
	after = (struct cgroup_cpu){2000, 600, true, 80, 100, 20, 5, 0};
	change = cgroup_cpu_between(&before, &after);
	assert_true(change.usage_known);
	assert_false(change.throttled_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cgroup_cpu__unified_hierarchy_tells_use_quota_and_throttling,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_cgroup_cpu__max_is_no_limit, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_cgroup_cpu__v1_controllers_tell_the_same_in_their_own_units,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_cgroup_cpu__hybrid_takes_use_from_v2_and_the_quota_from_v1,
						make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_cgroup_cpu__the_tightest_limit_on_the_way_up_counts, make_root,
						remove_root),
		cmocka_unit_test_setup_teardown(test_cgroup_cpu__what_is_not_there_or_garbage_is_not_known, make_root,
						remove_root),
		cmocka_unit_test(test_cgroup_cpu__two_readings_make_cpus_and_a_part_of_the_periods),
		cmocka_unit_test(test_cgroup_cpu__a_cgroup_that_was_made_again_in_between_has_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
