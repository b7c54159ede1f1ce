/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "profiler/containers/cgroup_stat.h"
#include "profiler/containers/host_stat.h"
#include "profiler/containers/stat_text.h"
#include "tests/unit/fake_root.h"

struct reading {
	struct cgroup_stat_reader *reader;
	struct cgroup_stat *stat;
	struct series_values values;
	uint64_t unrelated;
};

static bool read_again(struct reading *reading)
{
	int err;

	memset(&reading->values, 0, sizeof(reading->values));
	err = cgroup_stat_read(reading->stat, &reading->values, &reading->unrelated);
	assert_true(!err || err == -ENOENT);
	return !err;
}

static bool start(struct reading *reading, const char *root, const char *path, size_t files_max)
{
	assert_int_equal(cgroup_stat_reader_new(root, files_max, &reading->reader), 0);
	assert_int_equal(cgroup_stat_new(reading->reader, path, &reading->stat), 0);
	return read_again(reading);
}

static void end(struct reading *reading)
{
	cgroup_stat_free(reading->stat);
	cgroup_stat_reader_free(reading->reader);
}

static void expect(const struct series_values *values, enum series_measure measure, uint64_t value)
{
	if (!(values->known & SERIES_BIT(measure)) || values->values[measure] != value)
		fail_msg("measure %d: %s, %llu", measure, values->known & SERIES_BIT(measure) ? "known" : "not known",
			 (unsigned long long)values->values[measure]);
}

static bool knows(const struct series_values *values, enum series_measure measure)
{
	return values->known & SERIES_BIT(measure);
}

#define V2 "/sys/fs/cgroup/pod/a/"

static void write_v2(const char *root)
{
	write_file(root, "/proc/self/mountinfo", V2_MOUNT);
	write_file(root, V2 "cpu.stat",
		   "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 20\n"
		   "nr_throttled 5\nthrottled_usec 70\n");
	write_file(root, V2 "cpu.max", "50000 100000\n");
	write_file(root, V2 "cpu.pressure",
		   "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=12\n");
	write_file(root, V2 "memory.pressure",
		   "some avg10=9.00 avg60=0.00 avg300=0.00 total=13\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=14\n");
	write_file(root, V2 "io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=15\n");
	write_file(root, V2 "memory.current", "4096\n");
	write_file(root, V2 "memory.max", "max\n");
	write_file(root, "/sys/fs/cgroup/pod/memory.max", "65536\n");
	write_file(root, V2 "memory.events", "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n");
	write_file(root, V2 "memory.stat", "anon 1024\nfile 8\nkernel 512\nslab 256\npgfault 9\npgmajfault 6\n");
	write_file(root, V2 "io.stat",
		   "8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=7 dios=7\n"
		   "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=7 dios=7\n7:0 \n");
}

static void test_cgroup_stat__unified_hierarchy_tells_all(void **state)
{
	struct reading reading;

	write_v2(*state);
	assert_true(start(&reading, *state, "/pod/a", 100));
	expect(&reading.values, SERIES_CPU_USAGE, 1500000);
	expect(&reading.values, SERIES_CPU_USER, 1000000);
	expect(&reading.values, SERIES_CPU_SYSTEM, 500000);
	expect(&reading.values, SERIES_CPU_LIMIT, 500);
	expect(&reading.values, SERIES_CPU_PERIODS, 20);
	expect(&reading.values, SERIES_CPU_THROTTLED_PERIODS, 5);
	expect(&reading.values, SERIES_CPU_THROTTLED, 70000);
	expect(&reading.values, SERIES_CPU_SOME, 11000);
	expect(&reading.values, SERIES_CPU_FULL, 12000);
	expect(&reading.values, SERIES_MEMORY_SOME, 13000);
	expect(&reading.values, SERIES_MEMORY_FULL, 14000);
	expect(&reading.values, SERIES_IO_SOME, 15000);
	assert_false(knows(&reading.values, SERIES_IO_FULL));
	expect(&reading.values, SERIES_MEMORY_USAGE, 4096);
	expect(&reading.values, SERIES_MEMORY_LIMIT, 65536);
	expect(&reading.values, SERIES_MEMORY_ANONYMOUS, 1024);
	expect(&reading.values, SERIES_MEMORY_KERNEL, 512);
	expect(&reading.values, SERIES_MEMORY_SLAB, 256);
	expect(&reading.values, SERIES_MEMORY_LIMIT_HITS, 3);
	expect(&reading.values, SERIES_MEMORY_OOM_KILLS, 1);
	expect(&reading.values, SERIES_MEMORY_MAJOR_FAULTS, 6);
	expect(&reading.values, SERIES_IO_READ, 101);
	expect(&reading.values, SERIES_IO_WRITTEN, 202);
	expect(&reading.values, SERIES_IO_READS, 4);
	expect(&reading.values, SERIES_IO_WRITES, 6);
	end(&reading);
}

static void write_v1(const char *root)
{
	static const char cpu[] = "/sys/fs/cgroup/cpu,cpuacct/a/", memory[] = "/sys/fs/cgroup/memory/a/",
			  blkio[] = "/sys/fs/cgroup/blkio/a/blkio.throttle.";
	static const struct {
		const char *folder, *name, *text;
	} files[] = {
		{cpu, "cpuacct.usage", "123\n"},
		{cpu, "cpuacct.usage_user", "100\n"},
		{cpu, "cpuacct.usage_sys", "23\n"},
		{cpu, "cpu.cfs_quota_us", "25000\n"},
		{cpu, "cpu.cfs_period_us", "100000\n"},
		{cpu, "cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 5000000\n"},
		{memory, "memory.usage_in_bytes", "4096\n"},
		{memory, "memory.kmem.usage_in_bytes", "512\n"},
		{memory, "memory.failcnt", "3\n"},
		{memory, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"},
		{memory, "memory.stat",
		 "rss 1\npgmajfault 1\nhierarchical_memory_limit 65536\ntotal_rss 1024\n"
		 "total_pgmajfault 6\n"},
		{blkio, "io_service_bytes_recursive",
		 "8:0 Read 100\n8:0 Write 200\n8:0 Sync 300\n8:0 Total 300\n"
		 "8:16 Read 1\n8:16 Write 2\nTotal 303\n"},
		{blkio, "io_serviced_recursive", "8:0 Read 4\n8:0 Write 6\nTotal 10\n"},
	};
	char path[256];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", files[i].folder, files[i].name);
		write_file(root, path, files[i].text);
	}
}

static void expect_v1(const struct series_values *values)
{
	expect(values, SERIES_CPU_LIMIT, 250);
	expect(values, SERIES_CPU_THROTTLED_PERIODS, 4);
	expect(values, SERIES_CPU_THROTTLED, 5000000);
	expect(values, SERIES_MEMORY_USAGE, 4096);
	expect(values, SERIES_MEMORY_LIMIT, 65536);
	expect(values, SERIES_MEMORY_ANONYMOUS, 1024);
	expect(values, SERIES_MEMORY_KERNEL, 512);
	assert_false(knows(values, SERIES_MEMORY_SLAB));
	expect(values, SERIES_MEMORY_LIMIT_HITS, 3);
	expect(values, SERIES_MEMORY_OOM_KILLS, 1);
	expect(values, SERIES_MEMORY_MAJOR_FAULTS, 6);
	expect(values, SERIES_IO_READ, 101);
	expect(values, SERIES_IO_WRITTEN, 202);
	expect(values, SERIES_IO_READS, 4);
	expect(values, SERIES_IO_WRITES, 6);
}

static void test_cgroup_stat__v1_controllers_tell_the_same_but_pressure_and_slab(void **state)
{
	struct reading reading;

	write_file(*state, "/proc/self/mountinfo", V1_MOUNTS);
	write_v1(*state);
	assert_true(start(&reading, *state, "/a", 100));
	expect(&reading.values, SERIES_CPU_USAGE, 123);
	expect(&reading.values, SERIES_CPU_USER, 100);
	expect(&reading.values, SERIES_CPU_SYSTEM, 23);
	assert_false(knows(&reading.values, SERIES_CPU_SOME));
	assert_false(knows(&reading.values, SERIES_MEMORY_SOME));
	assert_false(knows(&reading.values, SERIES_IO_FULL));
	expect_v1(&reading.values);
	/* All that a page counter can count is no limit. */
	write_file(*state, "/sys/fs/cgroup/memory/a/memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
	assert_true(read_again(&reading));
	expect(&reading.values, SERIES_MEMORY_LIMIT, 0);
	end(&reading);
}

static void test_cgroup_stat__v1_block_io_is_known_where_the_kernel_counts_it(void **state)
{
	static const char own[] = "/sys/fs/cgroup/blkio/a/blkio.throttle.io_service_bytes_recursive";
	static const char top[] = "/sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes_recursive";
	struct reading reading;

	write_file(*state, "/proc/self/mountinfo", V1_MOUNTS);
	write_v1(*state);
	write_file(*state, own, "Total 0\n");
	write_file(*state, top, "Total 0\n");
	assert_true(start(&reading, *state, "/a", 100));
	assert_false(knows(&reading.values, SERIES_IO_READ));
	end(&reading);
	write_file(*state, top, "8:0 Read 5\nTotal 5\n");
	assert_true(start(&reading, *state, "/a", 100));
	expect(&reading.values, SERIES_IO_READ, 0);
	end(&reading);
}

static void test_cgroup_stat__hybrid_takes_use_and_pressure_from_v2_and_the_rest_from_v1(void **state)
{
	struct reading reading;

	write_file(*state, "/proc/self/mountinfo", V1_MOUNTS HYBRID_MOUNT);
	write_v1(*state);
	write_file(*state, "/sys/fs/cgroup/unified/a/cpu.stat", "usage_usec 3\nuser_usec 2\nsystem_usec 1\n");
	write_file(*state, "/sys/fs/cgroup/unified/a/memory.pressure", "some avg10=0 total=7\nfull avg10=0 total=8\n");
	assert_true(start(&reading, *state, "/a", 100));
	expect(&reading.values, SERIES_CPU_USAGE, 3000);
	expect(&reading.values, SERIES_CPU_USER, 2000);
	expect(&reading.values, SERIES_MEMORY_FULL, 8000);
	expect_v1(&reading.values);
	end(&reading);
}

static void test_cgroup_stat__new_numbers_are_read_with_and_without_files_that_stay_open(void **state)
{
	static const size_t files_max[] = {0, 1, 100};

	write_v2(*state);
	for (size_t i = 0; i < 3; i++) {
		struct reading reading;

		write_file(*state, V2 "memory.current", "4096\n");
		assert_true(start(&reading, *state, "/pod/a", files_max[i]));
		for (int turn = 0; turn < 40; turn++) {
			write_file(*state, V2 "memory.current", turn % 2 ? "1\n" : "22\n");
			assert_true(read_again(&reading));
			expect(&reading.values, SERIES_MEMORY_USAGE, turn % 2 ? 1 : 22);
		}
		end(&reading);
	}
}

static void test_cgroup_stat__a_limit_that_changes_is_seen_after_some_readings(void **state)
{
	struct reading reading;
	int turns = 0;

	write_v2(*state);
	assert_true(start(&reading, *state, "/pod/a", 100));
	write_file(*state, V2 "cpu.max", "20000 100000\n");
	write_file(*state, "/sys/fs/cgroup/pod/memory.max", "4096\n");
	while (turns++ < 20 && reading.values.values[SERIES_CPU_LIMIT] != 200)
		assert_true(read_again(&reading));
	expect(&reading.values, SERIES_CPU_LIMIT, 200);
	expect(&reading.values, SERIES_MEMORY_LIMIT, 4096);
	end(&reading);
}

static void test_cgroup_stat__limits_of_cgroups_below_are_not_its_own(void **state)
{
	struct reading reading;

	write_v2(*state);
	write_file(*state, V2 "memory.events.local", "low 0\nhigh 0\nmax 2\noom 0\noom_kill 0\noom_group_kill 0\n");
	assert_true(start(&reading, *state, "/pod/a", 100));
	expect(&reading.values, SERIES_MEMORY_LIMIT_HITS, 2);
	/* Who is killed below it is its own. */
	expect(&reading.values, SERIES_MEMORY_OOM_KILLS, 1);
	end(&reading);
}

#define THROTTLING \
	(SERIES_BIT(SERIES_CPU_PERIODS) | SERIES_BIT(SERIES_CPU_THROTTLED_PERIODS) | SERIES_BIT(SERIES_CPU_THROTTLED))

static void test_cgroup_stat__throttling_by_another_cgroups_limit_does_not_go_on_from_the_last_reading(void **state)
{
	struct reading reading;

	write_v2(*state);
	write_file(*state, "/sys/fs/cgroup/pod/cpu.max", "60000 100000\n");
	write_file(*state, "/sys/fs/cgroup/pod/cpu.stat", "nr_periods 9000\nnr_throttled 800\nthrottled_usec 7\n");
	assert_true(start(&reading, *state, "/pod/a", 100));
	expect(&reading.values, SERIES_CPU_PERIODS, 20);
	assert_int_equal(reading.unrelated, 0);
	write_file(*state, V2 "cpu.max", "70000 100000\n");
	for (int turn = 0; turn < 20 && reading.values.values[SERIES_CPU_LIMIT] != 600; turn++)
		assert_true(read_again(&reading));
	expect(&reading.values, SERIES_CPU_PERIODS, 9000);
	assert_int_equal(reading.unrelated, THROTTLING);
	assert_true(read_again(&reading));
	expect(&reading.values, SERIES_CPU_PERIODS, 9000);
	assert_int_equal(reading.unrelated, 0);
	end(&reading);
	/* A pod is older than what is made in it. */
	assert_true(start(&reading, *state, "/pod/a", 100));
	assert_int_equal(reading.unrelated, THROTTLING);
	end(&reading);
}

static void test_cgroup_stat__what_is_not_there_yet_comes_and_what_is_gone_is_gone(void **state)
{
	struct reading reading;
	char command[256];

	write_file(*state, "/proc/self/mountinfo", V1_MOUNTS HYBRID_MOUNT);
	assert_false(start(&reading, *state, "/a", 0));
	write_file(*state, "/sys/fs/cgroup/unified/a/cpu.stat", "usage_usec 3\n");
	assert_true(read_again(&reading));
	assert_false(knows(&reading.values, SERIES_MEMORY_USAGE));
	write_v1(*state);
	assert_true(read_again(&reading));
	expect_v1(&reading.values);
	snprintf(command, sizeof(command), "rm -r '%s/sys'", (char *)*state);
	assert_int_equal(system(command), 0);
	assert_false(read_again(&reading));
	end(&reading);
}

static void test_cgroup_stat__without_descriptors_it_is_not_gone_and_limits_are_not_lifted(void **state)
{
	struct rlimit files, none;
	struct reading reading;
	int err;

	write_v2(*state);
	/* None is kept open. */
	assert_true(start(&reading, *state, "/pod/a", 0));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	none = (struct rlimit){0, files.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = cgroup_stat_read(reading.stat, &reading.values, &reading.unrelated);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_int_equal(err, -EMFILE);
	assert_true(read_again(&reading));
	expect(&reading.values, SERIES_CPU_USAGE, 1500000);
	end(&reading);
	/* All are, but those of limits, which are looked for with each of the first readings. */
	assert_true(start(&reading, *state, "/pod/a", 100));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = cgroup_stat_read(reading.stat, &reading.values, &reading.unrelated);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_int_equal(err, 0);
	expect(&reading.values, SERIES_CPU_LIMIT, 500);
	expect(&reading.values, SERIES_CPU_PERIODS, 20);
	expect(&reading.values, SERIES_MEMORY_LIMIT, 65536);
	end(&reading);
}

static void test_cgroup_stat__paths_out_of_the_hierarchy_links_and_garbage_tell_nothing(void **state)
{
	struct cgroup_stat *none;
	struct reading reading;
	char target[256], link[256], deep[5000];

	write_v2(*state);
	write_file(*state, "/secret/cpu.stat", "usage_usec 1\n");
	write_file(*state, "/sys/fs/cgroup/b/cpu.stat", "usage_usec\nusage 3\nusage_usecs 4");
	write_file(*state, "/sys/fs/cgroup/b/cpu.pressure", "some\nfull total\nsomething total=4\n");
	write_file(*state, "/sys/fs/cgroup/b/memory.current", "max\n");
	snprintf(target, sizeof(target), "%s/secret/cpu.stat", (char *)*state);
	snprintf(link, sizeof(link), "%s/sys/fs/cgroup/c/cpu.stat", (char *)*state);
	write_file(*state, "/sys/fs/cgroup/c/x", "");
	assert_int_equal(symlink(target, link), 0);
	assert_false(start(&reading, *state, "/b", 100));
	end(&reading);
	assert_false(start(&reading, *state, "/c", 100));
	memset(deep, '/', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(cgroup_stat_new(reading.reader, "/../secret", &none), -EINVAL);
	assert_int_equal(cgroup_stat_new(reading.reader, "b", &none), -EINVAL);
	assert_int_equal(cgroup_stat_new(reading.reader, deep, &none), -EINVAL);
	end(&reading);
}

static void test_stat_text__what_does_not_fit_ends_with_a_whole_line(void **state)
{
	char path[256], text[12];
	uint64_t value = 0;
	FILE *file;

	write_file(*state, "/x", "a 1\nbb 22\nccc 333\n");
	snprintf(path, sizeof(path), "%s/x", (char *)*state);
	file = fopen(path, "r");
	assert_int_equal(stat_text_read(fileno(file), text, sizeof(text)), 0);
	fclose(file);
	assert_string_equal(text, "a 1\nbb 22\n");
	assert_true(stat_text_value(text, "bb", &value));
	assert_int_equal(value, 22);
	assert_false(stat_text_value(text, "b", &value));
	assert_false(stat_text_field("8:0 xrbytes=1 rbytesx=2\nrbytes=3", "rbytes", &value));
	assert_true(stat_text_field("8:0 wbytes=1 rbytes=2", "rbytes", &value));
	assert_int_equal(value, 2);
}

static void test_host_stat__proc_tells_of_the_host(void **state)
{
	struct series_values values;
	uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

	host_stat_read(*state, &values);
	assert_int_equal(values.known, 0);
	write_file(*state, "/proc/stat",
		   "cpu  10 1 5 100 7 2 1 4 3 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5 1 2\n"
		   "procs_running 6\nprocs_blocked 2\n");
	write_file(*state, "/proc/loadavg", "2.58 4.11 3.18 4/106 19162\n");
	write_file(*state, "/proc/meminfo",
		   "MemTotal:       100 kB\nMemFree: 1 kB\nMemAvailable:    40 kB\n"
		   "AnonPages: 3 kB\nSlab:   9 kB\n");
	write_file(*state, "/proc/vmstat", "pgpgin 3\npgpgout 4\npgmajfault 5\noom_kill 6\n");
	write_file(*state, "/proc/sys/fs/dentry-state", "78024\t76454\t45\t0\t35508\t0\n");
	write_file(*state, "/proc/pressure/memory", "some avg10=0 total=1\nfull avg10=0 total=2\n");
	host_stat_read(*state, &values);
	expect(&values, SERIES_CPU_USER, 11 * tick_ns);
	expect(&values, SERIES_CPU_SYSTEM, 8 * tick_ns);
	expect(&values, SERIES_CPU_USAGE, 19 * tick_ns);
	expect(&values, SERIES_CPU_STEAL, 4 * tick_ns);
	expect(&values, SERIES_CPU_IOWAIT, 7 * tick_ns);
	expect(&values, SERIES_TASKS_RUNNABLE, 6);
	expect(&values, SERIES_TASKS_BLOCKED, 2);
	expect(&values, SERIES_LOAD, 2580);
	expect(&values, SERIES_MEMORY_USAGE, 60 * 1024);
	expect(&values, SERIES_MEMORY_LIMIT, 100 * 1024);
	expect(&values, SERIES_MEMORY_SLAB, 9 * 1024);
	expect(&values, SERIES_IO_READ, 3 * 1024);
	expect(&values, SERIES_IO_WRITTEN, 4 * 1024);
	expect(&values, SERIES_MEMORY_MAJOR_FAULTS, 5);
	expect(&values, SERIES_MEMORY_OOM_KILLS, 6);
	expect(&values, SERIES_DENTRIES, 78024);
	expect(&values, SERIES_DENTRIES_UNUSED, 76454);
	expect(&values, SERIES_DENTRIES_NEGATIVE, 35508);
	expect(&values, SERIES_MEMORY_FULL, 2000);
	assert_false(knows(&values, SERIES_CPU_SOME));
	assert_false(knows(&values, SERIES_IO_READS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cgroup_stat__unified_hierarchy_tells_all),
		TEST(test_cgroup_stat__v1_controllers_tell_the_same_but_pressure_and_slab),
		TEST(test_cgroup_stat__v1_block_io_is_known_where_the_kernel_counts_it),
		TEST(test_cgroup_stat__hybrid_takes_use_and_pressure_from_v2_and_the_rest_from_v1),
		TEST(test_cgroup_stat__new_numbers_are_read_with_and_without_files_that_stay_open),
		TEST(test_cgroup_stat__a_limit_that_changes_is_seen_after_some_readings),
		TEST(test_cgroup_stat__limits_of_cgroups_below_are_not_its_own),
		TEST(test_cgroup_stat__throttling_by_another_cgroups_limit_does_not_go_on_from_the_last_reading),
		TEST(test_cgroup_stat__what_is_not_there_yet_comes_and_what_is_gone_is_gone),
		TEST(test_cgroup_stat__without_descriptors_it_is_not_gone_and_limits_are_not_lifted),
		TEST(test_cgroup_stat__paths_out_of_the_hierarchy_links_and_garbage_tell_nothing),
		TEST(test_stat_text__what_does_not_fit_ends_with_a_whole_line),
		TEST(test_host_stat__proc_tells_of_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
