/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "profiler/collect/series.h"
#include "profiler/collect/series_rows.h"
#include "symbolizer/base/clock.h"
#include "tests/unit/fake_host.h"

struct host {
	struct fake_host fake;
	struct series *series;
};

static int make_host(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	*state = host;
	return host ? fake_host_init(&host->fake) : -1;
}

static int remove_host(void **state)
{
	struct host *host = *state;
	int status;

	series_free(host->series);
	status = fake_host_deinit(&host->fake);
	free(host);
	return status;
}

static void start(struct host *host, bool filtered)
{
	struct series_parts parts = {
		.root = host->fake.root,
		.tree = host->fake.tree,
		.resolver = host->fake.resolver,
		.owners = host->fake.owners,
		.writer = host->fake.writer,
		.filtered = filtered,
		.start_ns = clock_now_ns(),
	};

	assert_int_equal(series_new(&parts, &host->series), 0);
	assert_int_equal(series_start(host->series), 0);
}

static const char *id_of(unsigned int number)
{
	static char id[65];

	snprintf(id, sizeof(id), "%064x", number + 0xabc);
	return id;
}

static void use(const struct host *host, unsigned int number, const char *usage_usec)
{
	char path[256], text[64];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/docker/%s/cpu.stat", id_of(number));
	snprintf(text, sizeof(text), "usage_usec %s\n", usage_usec);
	write_file(host->fake.root, path, text);
}

static void tell(struct host *host, enum event_type type, unsigned int number)
{
	struct cgroup_event event;
	char path[128];

	snprintf(path, sizeof(path), "/docker/%s", id_of(number));
	event = fake_event(type, 1000 + number, path);
	assert_int_equal(owners_cgroup(host->fake.owners, &event), 0);
	assert_int_equal(series_cgroup(host->series, &event), 0);
}

static void make(struct host *host, unsigned int number, bool told)
{
	char path[128];

	snprintf(path, sizeof(path), "/docker/%s", id_of(number));
	assert_int_equal(cgroup_tree_put(host->fake.tree, 1000 + number, path), 0);
	if (told)
		tell(host, EVENT_CGROUP_MADE, number);
}

static void remove_cgroup(const struct host *host, unsigned int number)
{
	char command[256], path[256];

	/* An open file of a real one would give -ENODEV. */
	snprintf(path, sizeof(path), "/sys/fs/cgroup/docker/%s/cpu.stat", id_of(number));
	write_file(host->fake.root, path, "");
	snprintf(command, sizeof(command), "rm -r '%s/sys/fs/cgroup/docker/%s'", host->fake.root, id_of(number));
	assert_int_equal(system(command), 0);
}

static void tick(struct host *host)
{
	assert_int_equal(series_tick(host->series), 0);
}

static const struct recording_tables *read_back(struct host *host)
{
	assert_int_equal(series_end(host->series), 0);
	assert_int_equal(series_flush(host->series), 0);
	fake_host_read_back(&host->fake);
	return &host->fake.tables;
}

/* "- 5 2": what the rows say of a measure, in thousands, with - where it is not known. */
static const char *rows_with(const struct recording_tables *tables, uint32_t container, enum series_measure measure)
{
	static char text[512];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < tables->series.count; i++) {
		const struct recording_series *row = &tables->series.items[i];

		if (row->container != container)
			continue;
		if (row->values.known & SERIES_BIT(measure))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%llu", used ? " " : "",
						 (unsigned long long)row->values.values[measure] / 1000);
		else
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s-", used ? " " : "");
	}
	return text;
}

/* CPU time, in µs. */
static const char *rows_of(const struct recording_tables *tables, uint32_t container)
{
	for (size_t i = 0; i < tables->series.count; i++) {
		const struct recording_series *row = &tables->series.items[i];

		if (row->container == container)
			assert_int_equal(!row->span_ns, !(row->values.known & SERIES_BIT(SERIES_CPU_USAGE)));
	}
	return rows_with(tables, container, SERIES_CPU_USAGE);
}

static void test_series__differences_know_what_both_readings_know(void **state)
{
	struct series_values before = {0}, after = {0}, change;
	uint64_t unrelated;

	series_put(&before, SERIES_CPU_USAGE, 10);
	series_put(&before, SERIES_CPU_USER, 10);
	series_put(&before, SERIES_CPU_SYSTEM, 10);
	series_put(&before, SERIES_MEMORY_USAGE, 10);
	series_put(&before, SERIES_CPU_PERIODS, 10);
	series_put(&after, SERIES_CPU_USAGE, 14);
	series_put(&after, SERIES_CPU_USER, 9); /* less than it was */
	series_put(&after, SERIES_MEMORY_USAGE, 7);
	series_put(&after, SERIES_IO_READ, 5);
	series_put(&after, SERIES_CPU_PERIODS, 900); /* of another cgroup */
	series_put(&after, SERIES_CPU_THROTTLED, 90);
	unrelated = SERIES_BIT(SERIES_CPU_PERIODS) | SERIES_BIT(SERIES_CPU_THROTTLED);
	series_between(&before, &after, false, unrelated, &change);
	assert_int_equal(change.known, SERIES_BIT(SERIES_CPU_USAGE) | SERIES_BIT(SERIES_MEMORY_USAGE));
	assert_int_equal(change.values[SERIES_CPU_USAGE], 4);
	assert_int_equal(change.values[SERIES_CPU_USER], 0);
	assert_int_equal(change.values[SERIES_MEMORY_USAGE], 7);
	series_between(&before, &after, true, unrelated, &change);
	assert_int_equal(change.values[SERIES_IO_READ], 5);
	assert_int_equal(change.known,
			 SERIES_BIT(SERIES_CPU_USAGE) | SERIES_BIT(SERIES_MEMORY_USAGE) | SERIES_BIT(SERIES_IO_READ));
}

static void test_series__a_container_counts_from_its_first_reading_a_new_one_from_zero(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;

	make(host, 0, false);
	use(host, 0, "100");
	start(host, false);
	make(host, 1, true);
	use(host, 1, "7");
	use(host, 0, "105");
	tick(host);
	use(host, 0, "107");
	use(host, 1, "17");
	tick(host);
	tables = read_back(host);
	assert_string_equal(rows_of(tables, 0), "- 5 2");
	assert_string_equal(rows_of(tables, 1), "7 10");
	assert_int_equal(series_counts(host->series)->readings, 5);
	assert_int_equal(series_counts(host->series)->containers, 2);
}

static void write_io_wait(const struct host *host, unsigned int ticks)
{
	char text[64];

	snprintf(text, sizeof(text), "cpu  0 0 0 0 %u 0 0 0 0 0\n", ticks);
	write_file(host->fake.root, "/proc/stat", text);
}

static void write_io(const struct host *host, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/docker/%s/io.stat", id_of(0));
	write_file(host->fake.root, path, text);
}

static void test_series__what_came_to_a_count_that_became_less_is_not_known(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;
	char expected[64];

	make(host, 0, false);
	use(host, 0, "100");
	write_io_wait(host, 500);
	write_io(host, "8:0 rbytes=9000000\n8:16 rbytes=5000\n");
	start(host, false);
	write_io_wait(host, 499);
	write_io(host, "8:16 rbytes=7000\n");
	tick(host);
	write_io_wait(host, 502);
	write_io(host, "8:16 rbytes=8000\n");
	tick(host);
	tables = read_back(host);
	assert_string_equal(rows_with(tables, 0, SERIES_IO_READ), "- - 1");
	snprintf(expected, sizeof(expected), "- - %ld", 3000000 / sysconf(_SC_CLK_TCK));
	assert_string_equal(rows_with(tables, SERIES_HOST, SERIES_CPU_IOWAIT), expected);
}

static void test_series__quiet_rows_are_left_out_but_the_last(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;
	const struct recording_series *row;

	make(host, 0, false);
	use(host, 0, "100");
	start(host, false);
	for (int i = 0; i < 5; i++)
		tick(host);
	use(host, 0, "101");
	tick(host);
	for (int i = 0; i < 5; i++)
		tick(host);
	tables = read_back(host);
	/* The first row says what is now; quiet ones after it are left out as soon as they know more than it. */
	assert_string_equal(rows_of(tables, 0), "- 0 1 0");
	row = &tables->series.items[3];
	assert_true(row->time_ns - row->span_ns > row[-1].time_ns);
}

static void test_series__of_many_containers_some_wait_for_the_next_second(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;

	for (unsigned int i = 0; i < 150; i++) {
		make(host, i, false);
		use(host, i, "1");
	}
	start(host, false);
	assert_int_equal(series_counts(host->series)->readings, 100);
	assert_int_equal(series_counts(host->series)->put_off, 50);
	tick(host);
	tick(host);
	assert_int_equal(series_counts(host->series)->readings, 300);
	assert_int_equal(series_counts(host->series)->containers, 150);
	tables = read_back(host);
	for (uint32_t i = 0; i < 150; i++)
		assert_string_equal(rows_of(tables, i), "- 0");
}

static void test_series__a_container_that_is_gone_may_come_back(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;

	make(host, 0, false);
	use(host, 0, "100");
	start(host, false);
	use(host, 0, "101");
	tick(host);
	remove_cgroup(host, 0);
	tick(host);
	tick(host);
	use(host, 0, "500");
	make(host, 0, true);
	tick(host);
	tables = read_back(host);
	assert_string_equal(rows_of(tables, 0), "- 1 500");
}

#define LAST 15 /* of so many containers: its file is opened for each reading (series.c: files_max()) */

static void limit_files(rlim_t most)
{
	struct rlimit files;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void test_series__who_has_no_descriptor_for_a_reading_misses_that_one_alone(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;
	struct rlimit files;

	for (unsigned int i = 0; i <= LAST; i++) {
		make(host, i, false);
		use(host, i, "100");
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	limit_files(40);
	start(host, false);
	use(host, LAST, "101");
	tick(host);
	use(host, LAST, "104");
	limit_files(0);
	tick(host);
	limit_files(files.rlim_cur);
	use(host, LAST, "109");
	tick(host);
	assert_in_range(series_counts(host->series)->missed, 1, LAST);
	assert_int_equal(series_counts(host->series)->readings + series_counts(host->series)->missed, 4 * (LAST + 1));
	tables = read_back(host);
	assert_string_equal(rows_of(tables, LAST), "- 1 8");
}

static void test_series__a_container_that_is_made_anew_between_two_readings_goes_on(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;

	make(host, 0, false);
	use(host, 0, "100");
	start(host, false);
	use(host, 0, "101");
	tick(host);
	tick(host);
	remove_cgroup(host, 0);
	tell(host, EVENT_CGROUP_REMOVED, 0);
	use(host, 0, "500");
	make(host, 0, true);
	tick(host);
	/* As in another hierarchy of v1: the same one. */
	make(host, 0, true);
	use(host, 0, "502");
	tick(host);
	tables = read_back(host);
	assert_string_equal(rows_of(tables, 0), "- 1 0 500 2");
}

static void test_series__a_container_that_was_removed_from_one_hierarchy_alone_goes_on(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;

	make(host, 0, false);
	use(host, 0, "100");
	start(host, false);
	tell(host, EVENT_CGROUP_REMOVED, 0);
	use(host, 0, "101");
	tick(host);
	tables = read_back(host);
	assert_string_equal(rows_of(tables, 0), "- 1");
}

static void test_series__a_filter_leaves_containers_out_that_the_recording_does_not_know(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;
	uint32_t row;

	make(host, 0, false);
	make(host, 1, false);
	use(host, 0, "1");
	use(host, 1, "1");
	start(host, true);
	make(host, 2, true);
	use(host, 2, "1");
	assert_int_equal(owners_row(host->fake.owners, 1001, false, &row), 0);
	tick(host);
	tables = read_back(host);
	assert_int_equal(tables->containers.count, 1);
	assert_string_equal(rows_of(tables, row), "-");
}

static void test_series__cgroups_within_a_container_are_its_own(void **state)
{
	struct host *host = *state;
	const struct recording_tables *tables;
	char path[256];

	use(host, 0, "100");
	snprintf(path, sizeof(path), "/docker/%s/system.slice/a.service", id_of(0));
	assert_int_equal(cgroup_tree_put(host->fake.tree, 5, path), 0);
	make(host, 0, false);
	start(host, false);
	use(host, 0, "103");
	tick(host);
	tables = read_back(host);
	assert_int_equal(tables->containers.count, 1);
	assert_string_equal(rows_of(tables, 0), "- 3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_host, remove_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series__differences_know_what_both_readings_know),
		TEST(test_series__a_container_counts_from_its_first_reading_a_new_one_from_zero),
		TEST(test_series__what_came_to_a_count_that_became_less_is_not_known),
		TEST(test_series__quiet_rows_are_left_out_but_the_last),
		TEST(test_series__of_many_containers_some_wait_for_the_next_second),
		TEST(test_series__a_container_that_is_gone_may_come_back),
		TEST(test_series__who_has_no_descriptor_for_a_reading_misses_that_one_alone),
		TEST(test_series__a_container_that_is_made_anew_between_two_readings_goes_on),
		TEST(test_series__a_container_that_was_removed_from_one_hierarchy_alone_goes_on),
		TEST(test_series__a_filter_leaves_containers_out_that_the_recording_does_not_know),
		TEST(test_series__cgroups_within_a_container_are_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
