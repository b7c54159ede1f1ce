/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/file_tenants.h"
#include "tests/unit/fake_root.h"

#define SECOND 1000000000ull
#define OTHER_ID "abcda91c0d4e53f2a91c0d4e53f2a91c0d4e53f2a91c0d4e53f2a91c0d4e53f2"
#define ID "3f2a91c0d4e53f2a91c0d4e53f2a91c0d4e53f2a91c0d4e53f2a91c0d4e5abcd"

static void test_file_tenants__debts_are_paid_and_only_then_a_place_is_used_again(void **state)
{
	struct file_tenants tenants = {.limit = {.debt_ns = 10 * SECOND, .part = 10}};
	uint32_t one = file_tenants_find(&tenants, 7, SECOND), other;

	assert_true(file_tenants_may_parse(&tenants, one, SECOND));
	file_tenants_spend(&tenants, one, 11 * SECOND);
	assert_false(file_tenants_may_parse(&tenants, one, SECOND));
	assert_int_equal(tenants.over, 1);
	other = file_tenants_find(&tenants, 8, SECOND);
	assert_int_not_equal(other, one);
	assert_true(file_tenants_cost(&tenants, other) < file_tenants_cost(&tenants, one));
	assert_true(file_tenants_may_parse(&tenants, one, 12 * SECOND));
	assert_int_equal(file_tenants_find(&tenants, 9, 200 * SECOND), one);
	assert_int_equal(tenants.over, 1);
	file_tenants_deinit(&tenants);
}

static uint64_t number_of(const char *root, const char *cgroup)
{
	char text[512];

	snprintf(text, sizeof(text), "0::%s\n", cgroup);
	write_file(root, "/proc/20/cgroup", text);
	return file_tenants_number(root, 20);
}

static void test_file_tenants__cgroups_below_a_container_are_its_own(void **state)
{
	const char *root = *state;
	uint64_t container, below, another, unit;

	write_file(root, "/proc/10/cgroup", "0::/system.slice/docker-" ID ".scope\n");
	write_file(root, "/proc/11/cgroup", "0::/system.slice/docker-" ID ".scope/made/by/itself\n");
	write_file(root, "/proc/12/cgroup", "0::/system.slice/docker-" OTHER_ID ".scope\n");
	write_file(root, "/proc/13/cgroup", "0::/system.slice/cron.service\n");
	container = file_tenants_number(root, 10);
	below = file_tenants_number(root, 11);
	another = file_tenants_number(root, 12);
	unit = file_tenants_number(root, 13);
	assert_int_equal(container, below);
	assert_int_not_equal(container, another);
	assert_int_not_equal(container, unit);
	assert_int_not_equal(another, unit);
	assert_int_equal(file_tenants_number(root, 14), 0);
}

static void test_file_tenants__a_name_that_a_container_invents_makes_no_tenant(void **state)
{
	static const char *const same[][2] = {
		{"/lxc.payload.a", "/lxc.payload.a/lxc.payload.web"},
		{"/lxc.payload.a/docker-" ID ".scope", "/lxc.payload.a/system.slice/cron.service"},
		{"/short", "/short/lxc.payload.web"},
		{"/short/x", "/short/y/z"},
		{"/user.slice/user-0.slice/user@0.service/a.service",
		 "/user.slice/user-0.slice/user@0.service/b.service"},
	};
	static const char *const different[] = {
		"/lxc.payload.web",
		"/lxc.payload.a",
		"/short",
		"/system.slice/docker-" ID ".scope",
		"/system.slice/cron.service",
		"/system.slice/containerd.service/pod:cri-containerd:" ID,
		"/system.slice/containerd.service/pod:cri-containerd:" OTHER_ID,
		"/user.slice/user-0.slice/user@0.service",
		"/user.slice/user-0.slice/session-1.scope",
	};
	const size_t count = sizeof(different) / sizeof(different[0]);

	write_runc(*state, "short");
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(number_of(*state, same[i][0]), number_of(*state, same[i][1]));
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(number_of(*state, different[i]), number_of(*state, different[j]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_file_tenants__##name, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(debts_are_paid_and_only_then_a_place_is_used_again),
		TEST(cgroups_below_a_container_are_its_own),
		TEST(a_name_that_a_container_invents_makes_no_tenant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
