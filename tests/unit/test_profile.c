/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/profile/profile_summary.h"
#include "tests/unit/recordings.h"

#define ID_A "3f2a91c0d4e5aaaaaaaaaaaaaaaaaaaa"
#define ID_B "3f2b00000000bbbbbbbbbbbbbbbbbbbb"

/* The samples of web twice by two names, of a pod, of the kernel. */
static struct profile *small(void)
{
	struct maker maker;
	uint32_t web, other, pod, kernel;

	maker_start(&maker);
	maker_fact(&maker, "host.name", "first");
	maker_fact(&maker, "host.name", "second");
	maker_fact(&maker, "event.hz", "100");
	maker_fact(&maker, "event.period_ns", "10000000");
	maker_fact(&maker, "duration_ns", "2000000000");
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", ID_A, "");
	other = maker_container(&maker, CONTAINER_CONTAINER, "web", ID_B, "");
	pod = maker_container(&maker, CONTAINER_CONTAINER, "redis", "c0ffee000000", "shop-pod");
	kernel = maker_container(&maker, CONTAINER_KERNEL, "kernel", "", "");
	maker_sample(&maker, web, "main;loop", 100);
	maker_sample(&maker, web, "main;loop;k:do_syscall_64;k:vfs_read", 60);
	maker_sample(&maker, other, "main;[stripped libx.so+0x10]", 30);
	maker_sample(&maker, other, "main;[stripped libx.so+0x20]", 30);
	maker_sample(&maker, other, "main;hot", 40);
	maker_sample(&maker, pod, "main;wait", 7);
	maker_sample(&maker, kernel, "k:kthread;k:worker", 5);
	maker_sample(&maker, kernel, "", 1);
	return maker_load(&maker);
}

/* "LABEL;LABEL;FRAME COUNT\n" of all nodes with counts, in the tree's order. */
static void print_tree(const struct call_tree *tree, char *out, size_t size)
{
	uint32_t depth = 0;
	size_t used = 0;

	out[0] = '\0';
	for (uint32_t node = 0; node != CALL_TREE_NONE; node = call_tree_next(tree, node, true, &depth)) {
		uint32_t path[16], steps = 0;

		if (!tree->nodes.items[node].self)
			continue;
		for (uint32_t at = node; at; at = tree->nodes.items[at].parent)
			path[steps++] = at;
		while (steps--)
			used += (size_t)snprintf(out + used, size - used, "%s%s", call_tree_name(tree, path[steps]),
						 steps ? ";" : "");
		used += (size_t)snprintf(out + used, size - used, " %llu\n",
					 (unsigned long long)tree->nodes.items[node].self);
		assert_true(used < size);
	}
}

static int ask(const struct profile *profile, const struct profile_query *query, char *out, size_t size, char *error)
{
	struct call_tree tree;
	int err;

	assert_int_equal(call_tree_init(&tree), 0);
	err = profile_call_tree(profile, query, &tree, error, 256);
	if (!err)
		print_tree(&tree, out, size);
	call_tree_deinit(&tree);
	return err;
}

static void expect_tree(const struct profile_query *query, const char *wanted)
{
	struct profile *profile = small();
	char out[2048], error[256];

	assert_int_equal(ask(profile, query, out, sizeof(out), error), 0);
	assert_string_equal(out, wanted);
	profile_free(profile);
}

static void test_profile__by_container_comes_the_process_name_and_then_the_frames(void **state)
{
	static const char *const wanted[] = {"kernel", "redis"};
	const struct profile_query query = {.by = PROFILE_BY_CONTAINER, .containers = wanted, .container_count = 2};

	expect_tree(&query, "kernel;app 1\nkernel;app;kthread;worker 5\nredis;app;main;wait 7\n");
}

static void test_profile__other_groupings_put_other_labels_first(void **state)
{
	static const char *const wanted[] = {"redis"};
	struct profile_query query = {.by = PROFILE_BY_POD, .containers = wanted, .container_count = 1};

	expect_tree(&query, "shop-pod;redis;app;main;wait 7\n");
	query.by = PROFILE_BY_PROCESS;
	expect_tree(&query, "redis;app-102;main;wait 7\n");
	query.by = PROFILE_BY_THREAD;
	expect_tree(&query, "redis;app-102;worker-202;main;wait 7\n");
	query.by = PROFILE_BY_NONE;
	expect_tree(&query, "main;wait 7\n");
	query.reverse = true;
	expect_tree(&query, "wait;main 7\n");
}

static uint32_t add_pod(struct maker *maker, const char *id, const char *pod, const char *namespace)
{
	uint32_t number = maker_container(maker, CONTAINER_CONTAINER, "db", id, pod);
	struct recording_container row = {.kind = CONTAINER_CONTAINER,
					  .name = maker_text(maker, "db"),
					  .id = maker_text(maker, id),
					  .pod = maker_text(maker, pod),
					  .namespace = maker_text(maker, namespace)};

	assert_int_equal(recording_writer_redefine_container(maker->writer, number, &row), 0);
	return number;
}

static void test_profile__pods_of_one_name_in_two_namespaces_are_two(void **state)
{
	struct profile_query query = {.by = PROFILE_BY_POD};
	char out[2048], error[256];
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	maker_sample(&maker, add_pod(&maker, "aaaa", "db-0", "prod"), "main", 90);
	maker_sample(&maker, add_pod(&maker, "bbbb", "db-0", "staging"), "main", 10);
	maker_sample(&maker, add_pod(&maker, "cccc", "db-1", "prod"), "main", 5);
	profile = maker_load(&maker);
	assert_int_equal(ask(profile, &query, out, sizeof(out), error), 0);
	assert_string_equal(out, "db-1;db (cccc);app;main 5\n"
				 "prod/db-0;db (aaaa);app;main 90\n"
				 "staging/db-0;db (bbbb);app;main 10\n");
	profile_free(profile);
}

static void test_profile__kernel_or_user_frames_alone(void **state)
{
	static const char *const wanted[] = {"3f2a"};
	struct profile_query query = {
		.by = PROFILE_BY_NONE, .containers = wanted, .container_count = 1, .kernel_only = true};

	expect_tree(&query, "do_syscall_64;vfs_read 60\n");
	query.kernel_only = false;
	query.user_only = true;
	expect_tree(&query, "main;loop 160\n");
}

static void test_profile__a_regex_chooses_threads_by_name(void **state)
{
	static const char *const wanted[] = {"redis"};
	struct profile_query query = {.by = PROFILE_BY_NONE, .containers = wanted, .container_count = 1};
	regex_t comm;

	query.comm = &comm;
	assert_int_equal(regcomp(&comm, "^work", REG_EXTENDED | REG_NOSUB), 0);
	expect_tree(&query, "main;wait 7\n");
	regfree(&comm);
	assert_int_equal(regcomp(&comm, "^app", REG_EXTENDED | REG_NOSUB), 0);
	expect_tree(&query, "");
	regfree(&comm);
}

static void test_profile__an_unknown_container_is_an_error_that_offers_near_names(void **state)
{
	static const char *const near[] = {"reddis"}, *const prefix[] = {"3f2"}, *const far[] = {"zzzzzzzz"};
	struct profile_query query = {.containers = near, .container_count = 1};
	struct profile *profile = small();
	char out[2048], error[256];

	assert_int_equal(ask(profile, &query, out, sizeof(out), error), -ENOENT);
	assert_non_null(strstr(error, "did you mean redis"));
	query.containers = prefix;
	assert_int_equal(ask(profile, &query, out, sizeof(out), error), -EEXIST);
	assert_non_null(strstr(error, "2 containers"));
	query.containers = far;
	assert_int_equal(ask(profile, &query, out, sizeof(out), error), -ENOENT);
	assert_null(strstr(error, "did you mean"));
	profile_free(profile);
}

static void test_profile__one_name_of_two_containers_gets_the_short_id(void **state)
{
	struct profile *profile = small();

	assert_string_equal(profile_container_label(profile, 0), "web (3f2a91c0d4e5)");
	assert_string_equal(profile_container_label(profile, 1), "web (3f2b00000000)");
	assert_string_equal(profile_container_label(profile, 2), "redis");
	assert_string_equal(profile_container_label(profile, 3), "kernel");
	profile_free(profile);
}

static void test_profile__no_two_labels_are_equal_whatever_containers_are_called(void **state)
{
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web (row 6)", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "kernel", ID_A, "");
	maker_container(&maker, CONTAINER_KERNEL, "kernel", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "web (3f2a91c0d4e5)", ID_B, "");
	for (int i = 0; i < 3; i++)
		maker_container(&maker, CONTAINER_CONTAINER, "web", ID_A, "");
	maker_container(&maker, CONTAINER_HOST_UNIT, "web", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "web (/same)", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "web (row 5)", "", "");
	assert_int_equal(maker_container(&maker, CONTAINER_CONTAINER, "web", ID_A, ""), 10);
	profile = maker_load(&maker);
	assert_string_equal(profile_container_label(profile, 6), "web (row 6, 1)");
	assert_string_equal(profile_container_label(profile, 2), "kernel");
	assert_string_equal(profile_container_label(profile, 1), "kernel (3f2a91c0d4e5)");
	for (uint32_t a = 0; a < 11; a++)
		for (uint32_t b = 0; b < a; b++)
			assert_string_not_equal(profile_container_label(profile, a),
						profile_container_label(profile, b));
	profile_free(profile);
}

static void test_profile__samples_in_Python_are_counted_and_those_with_all_their_frames(void **state)
{
	const struct recording_accounting *account;
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", ID_A, "");
	maker_sample(&maker, web, "main;p:app.py:main;p:app.py:f;PyObject_Free", 5);
	maker_sample(&maker, web, "main;p:[python: frames not readable];p:app.py:f;k:vfs_read", 2);
	maker_sample(&maker, web, "main;[stripped libx.so+0x10]", 3);
	profile = maker_load(&maker);
	account = profile_accounting(profile, web);
	assert_int_equal(account->python_samples, 7);
	assert_int_equal(account->python_whole, 5);
	profile_free(profile);
}

static void test_profile__the_last_fact_and_the_last_account_count(void **state)
{
	struct recording_accounting first = {.container = RECORDING_TOTAL, .taken = 1, .kept = 1, .user_samples = 5};
	struct profile *profile = small();
	struct maker maker;

	assert_string_equal(profile_fact(profile, "host.name"), "second");
	assert_null(profile_fact(profile, "no.such"));
	assert_int_equal(profile_fact_number(profile, "event.hz"), 100);
	assert_int_equal(profile_fact_number(profile, "host.name"), 0);
	assert_int_equal(profile_accounting(profile, RECORDING_TOTAL)->kept, 273);
	assert_int_equal(profile_accounting(profile, 0)->user_complete, 160);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(profile_accounting(profile, i)->container, i);
	assert_null(profile_accounting(profile, 4));
	for (size_t i = 0; i < profile->rows.facts.count; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(profile->rows.facts.items[i].key, profile->rows.facts.items[j].key);
	profile_free(profile);

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	assert_int_equal(recording_writer_accounting(maker.writer, &first), 0);
	maker_sample(&maker, 0, "main", 9);
	profile = maker_load(&maker);
	assert_int_equal(profile->rows.accounting.count, 2);
	assert_int_equal(profile_accounting(profile, RECORDING_TOTAL)->user_samples, 9);
	assert_int_equal(profile_accounting(profile, RECORDING_TOTAL)->kept, 9);
	profile_free(profile);
}

/* "k:entry" and so many frames without a name on it. */
static void add_deep_stack(struct maker *maker, size_t frames, uint64_t count)
{
	char stack[8000] = "k:entry";

	assert_true(strlen(stack) + frames < sizeof(stack));
	memset(stack + strlen(stack), ';', frames);
	maker_sample(maker, 0, stack, count);
}

static void test_profile__stacks_are_walked_so_far_and_no_farther(void **state)
{
	const struct profile_query query = {.by = PROFILE_BY_NONE, .kernel_only = true};
	struct profile *profile;
	struct maker maker;
	char out[256], error[256];

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	add_deep_stack(&maker, PROFILE_STEPS_MAX - 1, 1);
	add_deep_stack(&maker, PROFILE_STEPS_MAX, 20);
	profile = maker_load(&maker);
	assert_int_equal(ask(profile, &query, out, sizeof(out), error), 0);
	assert_string_equal(out, "entry 1\n");
	profile_free(profile);
}

static void test_profile__a_file_that_is_none_gets_its_own_line(void **state)
{
	char path[] = "/tmp/stoker-test-XXXXXX", error[256];
	struct profile *profile = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(profile_load(path, RECORDING_ALL, &profile, error, sizeof(error)), -ENODATA);
	assert_non_null(strstr(error, "is empty"));
	assert_int_equal(profile_load("/tmp", RECORDING_ALL, &profile, error, sizeof(error)), -EISDIR);
	assert_string_equal(error, "cannot read /tmp: Is a directory");
	assert_int_equal(write(fd, "no recording", 12), 12);
	assert_int_equal(profile_load(path, RECORDING_ALL, &profile, error, sizeof(error)), -EBADMSG);
	assert_non_null(strstr(error, "is not a stoker recording"));
	assert_int_equal(pwrite(fd, "STOKER\r\n\x63\0\0\0\0\0\0\0", 16, 0), 16);
	assert_int_equal(profile_load(path, RECORDING_ALL, &profile, error, sizeof(error)), -EPROTO);
	assert_non_null(strstr(error, "another version"));
	close(fd);
	unlink(path);
	assert_int_equal(profile_load(path, RECORDING_ALL, &profile, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, path));
	assert_null(profile);
}

static void test_profile__the_summary_counts_what_the_samples_say(void **state)
{
	struct profile *profile = small();
	const struct container_summary *web, *other;
	struct profile_summary summary;

	assert_int_equal(profile_summary_init(&summary, profile), 0);
	web = &summary.containers.items[0];
	other = &summary.containers.items[1];
	assert_int_equal(summary.samples, 273);
	assert_int_equal(summary.kernel_samples, 65);
	assert_int_equal(summary.by_samples.count, 4);
	assert_int_equal(summary.by_samples.items[0], 0);
	assert_int_equal(summary.by_samples.items[3], 3);
	assert_int_equal(web->samples, 160);
	assert_int_equal(web->kernel_samples, 60);
	assert_int_equal(web->user_complete, 160);
	assert_int_equal(web->frames, 100 * 2 + 60 * 4);
	assert_int_equal(web->named, web->frames);
	assert_string_equal(string_table_text(&summary.strings, web->top_function), "loop");
	assert_int_equal(web->top_reason, 0);
	/* Two addresses of one stripped file are hotter than the hottest name. */
	assert_string_equal(string_table_text(&summary.strings, other->top_function), "[stripped libx.so]");
	assert_int_equal(other->reason_frames, 60);
	assert_int_equal(other->frames - other->named, 60);
	assert_int_equal(summary.containers.items[3].user_samples, 0);
	/* 160 samples of 10 ms in 2 s */
	assert_true(profile_summary_cpus(&summary, web->samples) > 0.799 &&
		    profile_summary_cpus(&summary, web->samples) < 0.801);
	profile_summary_deinit(&summary);
	profile_free(profile);
}

#define TEST(name) cmocka_unit_test(test_profile__##name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_container_comes_the_process_name_and_then_the_frames),
		TEST(other_groupings_put_other_labels_first),
		TEST(pods_of_one_name_in_two_namespaces_are_two),
		TEST(kernel_or_user_frames_alone),
		TEST(a_regex_chooses_threads_by_name),
		TEST(an_unknown_container_is_an_error_that_offers_near_names),
		TEST(one_name_of_two_containers_gets_the_short_id),
		TEST(no_two_labels_are_equal_whatever_containers_are_called),
		TEST(samples_in_Python_are_counted_and_those_with_all_their_frames),
		TEST(the_last_fact_and_the_last_account_count),
		TEST(stacks_are_walked_so_far_and_no_farther),
		TEST(a_file_that_is_none_gets_its_own_line),
		TEST(the_summary_counts_what_the_samples_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
