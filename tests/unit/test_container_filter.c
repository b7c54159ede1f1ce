/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/containers/container_filter.h"
#include "tests/unit/fake_host.h"

#define ID_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B "0123ffff89abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECOND 1000000000ull

struct host {
	struct fake_host fake;
	struct container_filter *filter;
	uint64_t wanted[256];
	size_t count;
};

static int take(void *data, uint64_t id)
{
	struct host *host = data;

	for (size_t i = 0; i < host->count; i++)
		if (host->wanted[i] == id)
			return 0;
	assert_true(host->count < 256);
	host->wanted[host->count++] = id;
	return 0;
}

static bool wants(const struct host *host, uint64_t id)
{
	for (size_t i = 0; i < host->count; i++)
		if (host->wanted[i] == id)
			return true;
	return false;
}

static int make_host(void **state)
{
	struct host *host = calloc(1, sizeof(*host));
	struct container_filter_parts parts = {.want = take, .data = host};

	*state = host;
	if (!host || fake_host_init(&host->fake))
		return -1;
	parts.tree = host->fake.tree;
	parts.resolver = host->fake.resolver;
	return container_filter_new(&parts, &host->filter);
}

static int remove_host(void **state)
{
	struct host *host = *state;
	int status;

	container_filter_free(host->filter);
	status = fake_host_deinit(&host->fake);
	free(host);
	return status;
}

static void put(struct host *host, uint64_t cgroup_id, const char *path)
{
	assert_int_equal(cgroup_tree_put(host->fake.tree, cgroup_id, path), 0);
}

static void add_docker(struct host *host, uint64_t cgroup_id, const char *id, const char *name)
{
	char path[256];

	write_docker(host->fake.root, id, name);
	snprintf(path, sizeof(path), "/docker/%s", id);
	put(host, cgroup_id, path);
}

static void add_runc(struct host *host, uint64_t cgroup_id, const char *id)
{
	char path[256];

	write_runc(host->fake.root, id);
	snprintf(path, sizeof(path), "/%s", id);
	put(host, cgroup_id, path);
}

static struct container_answer add_word(struct host *host, const char *word)
{
	struct container_answer answer = {0};

	assert_int_equal(container_filter_add(host->filter, word, &answer), 0);
	return answer;
}

static void test_container_filter__name_id_prefix_and_path_mean_the_container_with_all_below_it(void **state)
{
	static const char *const words[] = {"web", ID_A, "012345", "/docker/" ID_A};
	struct host *host = *state;

	add_docker(host, 10, ID_A, "web");
	add_docker(host, 20, ID_B, "shop");
	put(host, 11, "/docker/" ID_A "/init.scope");
	put(host, 1ull << 56 | 12, "/docker/" ID_A);
	for (size_t i = 0; i < 4; i++) {
		host->count = 0;
		assert_true(add_word(host, words[i]).cgroups > 0);
		assert_int_equal(host->count, 3);
		assert_true(wants(host, 10) && wants(host, 11) && wants(host, 1ull << 56 | 12));
	}
}

static void test_container_filter__a_plain_directory_below_a_runc_container_is_its_own(void **state)
{
	struct host *host = *state;

	add_runc(host, 10, "web");
	put(host, 11, "/web/payload");
	put(host, 12, "/web-2");
	add_word(host, "web");
	assert_int_equal(host->count, 2);
	assert_true(wants(host, 10) && wants(host, 11));
}

static void test_container_filter__an_ambiguous_prefix_wants_none_and_names_all(void **state)
{
	struct host *host = *state;
	struct container_answer answer;

	add_docker(host, 10, ID_A, "web");
	add_docker(host, 20, ID_B, "shop");
	answer = add_word(host, "0123");
	assert_true(answer.ambiguous);
	assert_int_equal(answer.cgroups, 0);
	assert_int_equal(host->count, 0);
	assert_string_equal(answer.others, "web (0123456789ab), shop (0123ffff89ab)");
}

static void test_container_filter__a_whole_name_goes_before_prefixes(void **state)
{
	struct host *host = *state;
	struct container_answer answer;

	add_docker(host, 10, ID_A, "web");
	add_docker(host, 20, ID_B, "shop");
	add_runc(host, 30, "0123");
	answer = add_word(host, "0123");
	assert_false(answer.ambiguous);
	assert_int_equal(host->count, 1);
	assert_true(wants(host, 30));
}

static void test_container_filter__what_fits_nothing_is_answered_with_near_names(void **state)
{
	struct host *host = *state;
	struct container_answer answer;

	add_docker(host, 10, ID_A, "web-frontend");
	add_docker(host, 20, ID_B, "da\033[31mtabase");
	add_runc(host, 30, "queue");
	put(host, 40, "/system.slice/web.service");
	answer = add_word(host, "web-fronted");
	assert_int_equal(answer.cgroups, 0);
	assert_false(answer.ambiguous);
	assert_string_equal(answer.others, "web-frontend");
	assert_string_equal(add_word(host, "quuee").others, "queue");
	assert_string_equal(add_word(host, "front").others, "web-frontend");
	assert_string_equal(add_word(host, "tabase").others, "da?[31mtabase");
	assert_string_equal(add_word(host, "nothing-like-it").others, "");
	assert_string_equal(add_word(host, "web.service").others, "");
	for (unsigned int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "batch-%u", i);
		add_runc(host, 100 + i, name);
	}
	assert_string_equal(add_word(host, "batch").others, "batch-0, batch-1, batch-2, batch-3, batch-4, …");
	assert_int_equal(host->count, 0);
}

static void test_container_filter__a_container_that_starts_later_is_wanted_when_it_is_made(void **state)
{
	struct host *host = *state;

	assert_int_equal(add_word(host, "web").cgroups, 0);
	add_docker(host, 20, ID_B, "shop");
	assert_int_equal(container_filter_made(host->filter, 20, 0), 0);
	assert_int_equal(host->count, 0);
	add_docker(host, 10, ID_A, "web");
	assert_int_equal(container_filter_made(host->filter, 10, 0), 0);
	assert_int_equal(host->count, 1);
	assert_true(wants(host, 10));
}

static void test_container_filter__a_directory_that_becomes_a_container_is_asked_about_again(void **state)
{
	struct host *host = *state;

	add_word(host, "web");
	put(host, 10, "/web");
	assert_int_equal(container_filter_made(host->filter, 10, SECOND), 0);
	assert_int_equal(container_filter_again(host->filter, SECOND + SECOND / 10), 0);
	assert_int_equal(host->count, 0);
	add_runc(host, 10, "web");
	put(host, 11, "/web/inner");
	/* Not yet time. */
	assert_int_equal(container_filter_again(host->filter, SECOND + SECOND / 10), 0);
	assert_int_equal(host->count, 0);
	assert_int_equal(container_filter_again(host->filter, 2 * SECOND), 0);
	assert_int_equal(host->count, 2);
	assert_true(wants(host, 10) && wants(host, 11));
}

static void test_container_filter__a_storm_of_cgroups_is_given_up_after_some_seconds(void **state)
{
	struct host *host = *state;
	char path[32];

	add_word(host, "s4999");
	for (uint64_t i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/s%u", (unsigned int)i);
		put(host, 1000 + i, path);
		assert_int_equal(container_filter_made(host->filter, 1000 + i, 0), 0);
	}
	for (uint64_t second = 1; second < 20; second++)
		assert_int_equal(container_filter_again(host->filter, second * SECOND), 0);
	assert_int_equal(host->count, 0);
	/* Too late: nobody asks any more. */
	add_runc(host, 5999, "s4999");
	assert_int_equal(container_filter_again(host->filter, 100 * SECOND), 0);
	assert_int_equal(host->count, 0);
	assert_int_equal(container_filter_look(host->filter), 0);
	assert_int_equal(host->count, 1);
}

static void test_container_filter__a_prefix_stays_with_the_container_that_it_fitted_first(void **state)
{
	struct host *host = *state;

	add_docker(host, 10, ID_A, "web");
	assert_int_equal(add_word(host, "0123").cgroups, 1);
	add_docker(host, 20, ID_B, "shop");
	assert_int_equal(container_filter_made(host->filter, 20, 0), 0);
	assert_false(wants(host, 20));
	/* The same container started again: a new cgroup at the old path. */
	put(host, 15, "/docker/" ID_A);
	assert_int_equal(container_filter_made(host->filter, 15, 0), 0);
	assert_true(wants(host, 15));
}

static void test_container_filter__a_path_wants_what_is_made_at_it_and_below(void **state)
{
	struct host *host = *state;

	assert_int_equal(add_word(host, "/batch").cgroups, 0);
	put(host, 10, "/batch/job-1");
	put(host, 11, "/batches");
	assert_int_equal(container_filter_made(host->filter, 10, 0), 0);
	assert_int_equal(container_filter_made(host->filter, 11, 0), 0);
	assert_int_equal(host->count, 1);
	assert_true(wants(host, 10));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_container_filter__##name, make_host, remove_host)
	const struct CMUnitTest tests[] = {
		TEST(name_id_prefix_and_path_mean_the_container_with_all_below_it),
		TEST(a_plain_directory_below_a_runc_container_is_its_own),
		TEST(an_ambiguous_prefix_wants_none_and_names_all),
		TEST(a_whole_name_goes_before_prefixes),
		TEST(what_fits_nothing_is_answered_with_near_names),
		TEST(a_container_that_starts_later_is_wanted_when_it_is_made),
		TEST(a_directory_that_becomes_a_container_is_asked_about_again),
		TEST(a_storm_of_cgroups_is_given_up_after_some_seconds),
		TEST(a_prefix_stays_with_the_container_that_it_fitted_first),
		TEST(a_path_wants_what_is_made_at_it_and_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
