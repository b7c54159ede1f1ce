/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/owners.h"
#include "tests/unit/fake_host.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CGROUPS "/sys/fs/cgroup"

static void remove_file(const struct fake_host *host, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", host->root, path);
	assert_int_equal(unlink(full), 0);
}

static int make_host(void **state)
{
	*state = calloc(1, sizeof(struct fake_host));
	return *state ? fake_host_init(*state) : -1;
}

static int remove_host(void **state)
{
	int status = fake_host_deinit(*state);

	free(*state);
	return status;
}

static uint32_t row_of(struct fake_host *host, uint64_t cgroup_id)
{
	uint32_t row = UINT32_MAX;

	assert_int_equal(owners_row(host->owners, cgroup_id, false, &row), 0);
	return row;
}

static void expect(const struct fake_host *host, uint32_t row, uint8_t kind, const char *name)
{
	const struct recording_tables *tables = &host->tables;

	assert_true(row < tables->containers.count);
	assert_int_equal(tables->containers.items[row].kind, kind);
	assert_string_equal(string_table_text(&tables->strings, tables->containers.items[row].name), name);
}

static void make_cgroup(struct fake_host *host, uint64_t id, const char *path)
{
	fake_host_tell(host, EVENT_CGROUP_MADE, id, path);
}

static void test_owners__all_cgroups_of_a_container_share_its_row(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	write_docker(host->root, ID, "web");
	make_cgroup(host, 10, "/docker/" ID);
	make_cgroup(host, 11, "/docker/" ID "/system.slice/a.service");
	make_cgroup(host, 2ull << 56 | 10, "/docker/" ID);
	make_cgroup(host, 20, "/system.slice/ssh.service");
	row = row_of(host, 10);
	assert_int_equal(row_of(host, 11), row);
	assert_int_equal(row_of(host, 2ull << 56 | 10), row);
	assert_int_not_equal(row_of(host, 20), row);
	fake_host_read_back(host);
	assert_int_equal(host->tables.containers.count, 2);
	expect(host, row, CONTAINER_CONTAINER, "web");
}

/* Each cgroup has a row of its own, and is called so. */
static void expect_rows(struct fake_host *host, const char *const (*cgroups)[2], size_t count)
{
	uint32_t rows[8];

	for (size_t i = 0; i < count; i++) {
		make_cgroup(host, 10 + i, cgroups[i][0]);
		rows[i] = row_of(host, 10 + i);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(rows[i], rows[j]);
	}
	assert_int_equal(owners_refresh(host->owners), 0);
	fake_host_read_back(host);
	assert_int_equal(host->tables.containers.count, count);
	for (size_t i = 0; i < count; i++)
		expect(host, rows[i], host->tables.containers.items[rows[i]].kind, cgroups[i][1]);
}

static void test_owners__a_container_that_makes_a_cgroup_named_like_another_one_does_not_join_it(void **state)
{
	static const char *const cgroups[][2] = {
		{"/lxc.payload.web", "web"},
		{"/lxc.payload.a/lxc.payload.web", "a/web"},
		{"/user.slice/user-1000.slice/user@1000.service/lxc.payload.web", "web"},
		{"/system.slice/docker-" ID ".scope", "shop"},
		{"/lxc.payload.a/docker-" ID ".scope", "a/0123456789ab"},
		{"/short/docker-" ID ".scope", "short/0123456789ab"},
	};
	struct fake_host *host = *state;

	write_docker(host->root, ID, "shop");
	write_runc(host->root, "short");
	expect_rows(host, cgroups, sizeof(cgroups) / sizeof(cgroups[0]));
}

static void test_owners__units_of_the_same_name_are_rows_of_their_own(void **state)
{
	static const char *const cgroups[][2] = {
		{"/init.scope", "init.scope"},
		{"/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope"},
		{"/user.slice/user-1001.slice/user@1001.service/init.scope", "init.scope"},
		{"/system.slice/dbus.service", "dbus.service"},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/dbus.service", "dbus.service"},
	};

	expect_rows(*state, cgroups, sizeof(cgroups) / sizeof(cgroups[0]));
}

static void test_owners__what_a_container_names_like_a_runtime_or_a_unit_is_the_container(void **state)
{
	static const char *const below[] = {
		"/lxc.payload.a/containerd-shim",
		"/lxc.payload.a/lxc.monitor.b",
		"/lxc.payload.a/libpod-conmon-1.scope",
		"/lxc.payload.a/system.slice/dbus.service",
	};
	struct fake_host *host = *state;
	uint32_t row, runc;

	write_runc(host->root, "short");
	write_runc(host->root, "web");
	make_cgroup(host, 10, "/lxc.payload.a");
	make_cgroup(host, 20, "/short");
	make_cgroup(host, 21, "/short/web");
	make_cgroup(host, 22, "/short/system.slice/dbus.service");
	row = row_of(host, 10);
	runc = row_of(host, 20);
	for (size_t i = 0; i < 4; i++) {
		make_cgroup(host, 11 + i, below[i]);
		assert_int_equal(row_of(host, 11 + i), row);
	}
	assert_int_equal(row_of(host, 21), runc);
	assert_int_equal(row_of(host, 22), runc);
	fake_host_read_back(host);
	expect(host, row, CONTAINER_CONTAINER, "a");
	expect(host, runc, CONTAINER_CONTAINER, "short");
}

static void test_owners__a_container_renamed_while_recording_is_one_row_with_its_last_name(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	write_docker(host->root, ID, "before");
	make_cgroup(host, 10, "/docker/" ID);
	row = row_of(host, 10);
	write_docker(host->root, ID, "after");
	assert_int_equal(owners_refresh(host->owners), 0);
	/* Started again: another cgroup, the same container. */
	make_cgroup(host, 30, "/docker/" ID);
	assert_int_equal(row_of(host, 30), row);
	fake_host_read_back(host);
	assert_int_equal(host->tables.containers.count, 1);
	expect(host, row, CONTAINER_CONTAINER, "after");
}

static void test_owners__a_name_that_is_gone_from_disk_stays(void **state)
{
	struct fake_host *host = *state;
	uint32_t docker, runc;

	write_file(host->root, "/var/lib/docker/containers/" ID "/config.v2.json",
		   "{\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx\"}}");
	write_runc(host->root, "short");
	make_cgroup(host, 10, "/docker/" ID);
	make_cgroup(host, 20, "/short");
	docker = row_of(host, 10);
	runc = row_of(host, 20);
	remove_file(host, "/var/lib/docker/containers/" ID "/config.v2.json");
	remove_file(host, "/run/runc/short/state.json");
	assert_int_equal(owners_refresh(host->owners), 0);
	fake_host_read_back(host);
	expect(host, docker, CONTAINER_CONTAINER, "web");
	expect(host, runc, CONTAINER_CONTAINER, "short");
}

static void test_owners__a_name_without_an_image_that_is_gone_stays_too(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	write_docker(host->root, ID, "web");
	make_cgroup(host, 10, "/docker/" ID);
	row = row_of(host, 10);
	remove_file(host, "/var/lib/docker/containers/" ID "/config.v2.json");
	assert_int_equal(owners_refresh(host->owners), 0);
	fake_host_read_back(host);
	expect(host, row, CONTAINER_CONTAINER, "web");
}

static void test_owners__a_directory_that_turns_out_to_be_a_container_becomes_one(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	make_cgroup(host, 10, "/web-1");
	row = row_of(host, 10);
	write_runc(host->root, "web-1");
	assert_int_equal(owners_refresh(host->owners), 0);
	fake_host_read_back(host);
	expect(host, row, CONTAINER_CONTAINER, "web-1");
}

static void test_owners__a_container_seen_too_early_and_started_again_is_one_row(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	make_cgroup(host, 10, "/web-1");
	row = row_of(host, 10);
	write_runc(host->root, "web-1");
	container_resolver_refresh(host->resolver);
	make_cgroup(host, 11, "/web-1");
	assert_int_equal(row_of(host, 11), row);
	assert_int_equal(owners_refresh(host->owners), 0);
	fake_host_read_back(host);
	assert_int_equal(host->tables.containers.count, 1);
	expect(host, row, CONTAINER_CONTAINER, "web-1");
}

static void test_owners__a_cgroup_nobody_told_of_says_so_until_it_is_known(void **state)
{
	struct fake_host *host = *state;
	uint32_t unknown = row_of(host, 0xabc), late = row_of(host, 0xdef);

	assert_int_not_equal(unknown, late);
	make_cgroup(host, 0xdef, "/system.slice/late.service");
	assert_int_equal(owners_refresh(host->owners), 0);
	fake_host_read_back(host);
	expect(host, unknown, CONTAINER_UNKNOWN, "[unknown cgroup abc]");
	expect(host, late, CONTAINER_HOST_UNIT, "late.service");
}

static void test_owners__a_removed_cgroup_keeps_its_name_for_late_samples(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	make_cgroup(host, 10, "/lxc.payload.db");
	fake_host_tell(host, EVENT_CGROUP_REMOVED, 10, "/lxc.payload.db");
	row = row_of(host, 10);
	fake_host_read_back(host);
	expect(host, row, CONTAINER_CONTAINER, "db");
}

static void remove_cgroup(struct fake_host *host, uint64_t id)
{
	fake_host_tell(host, EVENT_CGROUP_REMOVED, id, "");
}

static void pass_time(struct fake_host *host)
{
	for (int i = 0; i < 20; i++)
		owners_forget(host->owners);
}

static void test_owners__what_is_gone_is_forgotten_and_stays_in_the_recording(void **state)
{
	struct fake_host *host = *state;
	uint32_t row, living, last = 0;
	char path[64];

	make_cgroup(host, 5, "/living");
	living = row_of(host, 5);
	for (uint64_t id = 100; id < 3100; id++) {
		snprintf(path, sizeof(path), "/gone-%u", (unsigned int)id);
		make_cgroup(host, id, path);
		last = row_of(host, id);
		remove_cgroup(host, id);
		if (id % 100 == 0)
			pass_time(host);
	}
	assert_true(owners_holds(host->owners, last));
	pass_time(host);
	assert_false(owners_holds(host->owners, last));
	assert_int_equal(owners_count(host->owners), 1);
	assert_int_equal(row_of(host, 5), living);
	assert_null(cgroup_tree_path(host->tree, 3099));
	/* Nobody has its number any more, so who comes with it is not taken for somebody else. */
	row = row_of(host, 3099);
	assert_int_not_equal(row, last);
	fake_host_read_back(host);
	assert_int_equal(host->tables.containers.count, 3002);
	expect(host, last, CONTAINER_HOST, "gone-3099");
	expect(host, row, CONTAINER_UNKNOWN, "[unknown cgroup c1b]");
}

static void test_owners__a_container_that_is_started_again_later_has_its_row(void **state)
{
	struct fake_host *host = *state;
	uint32_t row;

	make_cgroup(host, 10, "/docker/" ID);
	row = row_of(host, 10);
	remove_cgroup(host, 10);
	pass_time(host);
	make_cgroup(host, 20, "/docker/" ID);
	assert_int_equal(row_of(host, 20), row);
	fake_host_read_back(host);
	assert_int_equal(host->tables.containers.count, 1);
}

static void test_owners__containers_that_do_not_come_back_are_forgotten_the_oldest_first(void **state)
{
	struct fake_host *host = *state;
	uint32_t first = 0, last = 0;
	char path[64];

	for (uint64_t id = 10; id < 3010; id++) {
		snprintf(path, sizeof(path), "/lxc.payload.db%u", (unsigned int)id);
		make_cgroup(host, id, path);
		last = row_of(host, id);
		if (id == 10)
			first = last;
		remove_cgroup(host, id);
	}
	pass_time(host);
	assert_in_range(owners_count(host->owners), 1, 1024);
	assert_true(owners_holds(host->owners, last));
	assert_false(owners_holds(host->owners, first));
}

static void test_owners__kernel_threads_are_the_kernels_wherever_they_sit(void **state)
{
	struct fake_host *host = *state;
	uint32_t kernel, same, other;

	make_cgroup(host, 10, "/lxc.payload.db");
	assert_int_equal(owners_row(host->owners, 10, true, &kernel), 0);
	assert_int_equal(owners_row(host->owners, CGROUP_KERNEL_THREADS, false, &same), 0);
	assert_int_equal(same, kernel);
	assert_int_equal(owners_row(host->owners, 0, true, &same), 0);
	other = row_of(host, 10);
	assert_int_equal(kernel, same);
	assert_int_not_equal(kernel, other);
	fake_host_read_back(host);
	expect(host, kernel, CONTAINER_KERNEL, "kernel");
}

static void remove_folder(struct fake_host *host, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s" CGROUPS "%s", host->root, path);
	assert_int_equal(rmdir(full), 0);
}

static void test_owners__a_cgroup_whose_removal_nobody_told_of_is_found_out(void **state)
{
	struct fake_host *host = *state;
	uint64_t stays, goes;

	stays = make_folder(host->root, CGROUPS "/stays");
	goes = make_folder(host->root, CGROUPS "/goes");
	make_cgroup(host, stays, "/stays");
	make_cgroup(host, goes, "/goes");
	row_of(host, stays);
	row_of(host, goes);
	remove_folder(host, "/goes");
	assert_false(owners_is_gone(host->owners, goes));
	assert_int_equal(owners_look(host->owners), 0);
	assert_true(owners_is_gone(host->owners, goes));
	assert_false(owners_is_gone(host->owners, stays));
}

static void test_owners__a_cgroup_of_which_nothing_was_told_is_found_or_gone(void **state)
{
	struct fake_host *host = *state;
	uint64_t lives;

	lives = make_folder(host->root, CGROUPS "/lives");
	row_of(host, lives);
	row_of(host, 1ull << 40);
	row_of(host, CGROUP_OTHERS);
	assert_false(owners_knows(host->owners, lives));
	assert_int_equal(owners_look(host->owners), 0);
	assert_true(owners_knows(host->owners, lives));
	assert_false(owners_is_gone(host->owners, lives));
	assert_true(owners_is_gone(host->owners, 1ull << 40));
	assert_false(owners_is_gone(host->owners, CGROUP_OTHERS));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_owners__##name, make_host, remove_host)
	const struct CMUnitTest tests[] = {
		TEST(all_cgroups_of_a_container_share_its_row),
		TEST(a_container_that_makes_a_cgroup_named_like_another_one_does_not_join_it),
		TEST(units_of_the_same_name_are_rows_of_their_own),
		TEST(what_a_container_names_like_a_runtime_or_a_unit_is_the_container),
		TEST(a_container_renamed_while_recording_is_one_row_with_its_last_name),
		TEST(a_name_that_is_gone_from_disk_stays),
		TEST(a_name_without_an_image_that_is_gone_stays_too),
		TEST(a_directory_that_turns_out_to_be_a_container_becomes_one),
		TEST(a_container_seen_too_early_and_started_again_is_one_row),
		TEST(a_cgroup_nobody_told_of_says_so_until_it_is_known),
		TEST(a_removed_cgroup_keeps_its_name_for_late_samples),
		TEST(what_is_gone_is_forgotten_and_stays_in_the_recording),
		TEST(a_container_that_is_started_again_later_has_its_row),
		TEST(containers_that_do_not_come_back_are_forgotten_the_oldest_first),
		TEST(a_cgroup_whose_removal_nobody_told_of_is_found_out),
		TEST(a_cgroup_of_which_nothing_was_told_is_found_or_gone),
		TEST(kernel_threads_are_the_kernels_wherever_they_sit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
