/* SPDX-License-Identifier: BSD-2-Clause */
/* Look-ups by a child; a nursery that is stopped stands for a file system that does not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/path_lookup.h"
#include "symbolizer/process_files.h"
#include "tests/unit/elf_files.h"

struct looker {
	struct worker *worker;
	struct path_lookups lookups;
	char folder[64];
	int root;
};

static void *start(void)
{
	static int nothing;

	return &nothing;
}

static void handle(void *state, const void *request, size_t bytes, const int *fds, size_t fd_count,
		   struct worker_bytes *answer)
{
}

static const struct worker_handler handler = {start, handle};

static int set_up(void **state)
{
	struct looker *place = calloc(1, sizeof(*place));

	snprintf(place->folder, sizeof(place->folder), "/tmp/path_lookup.XXXXXX");
	*state = place;
	if (!mkdtemp(place->folder))
		return -1;
	place->root = open(place->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return worker_new(&handler, &place->worker);
}

static int tear_down(void **state)
{
	struct looker *place = *state;

	worker_free(place->worker);
	path_lookups_deinit(&place->lookups);
	close(place->root);
	run("rm -rf '%s'", place->folder);
	free(place);
	return 0;
}

static void make(const struct looker *place, const char *path)
{
	run("cd %s && mkdir -p \"$(dirname %s)\" && printf %s >%s", place->folder, path, path, path);
}

static struct path_lookup_answer answer_of(struct looker *place, int begun, struct path_lookup *lookup)
{
	struct path_lookup_answer answer;

	assert_int_equal(begun, 0);
	assert_true(path_lookup_under_way(lookup));
	assert_int_equal(path_lookup_take(place->worker, &place->lookups, lookup, true, &answer), 0);
	assert_false(path_lookup_under_way(lookup));
	return answer;
}

static struct path_lookup_answer look_below(struct looker *place, const char *first, const char *second)
{
	struct path_lookup lookup;
	int err = path_lookup_below(place->worker, &place->lookups, place->root, first, second, &lookup);

	return answer_of(place, err, &lookup);
}

static void expect_file(struct path_lookup_answer answer, const char *text)
{
	char got[64] = "";
	int fd;

	assert_int_equal(answer.error, 0);
	/* Held, not opened. */
	assert_int_equal(read(answer.fd, got, 1), -1);
	fd = process_files_reopen(answer.fd);
	assert_true(pread(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, text);
	close(fd);
	close(answer.fd);
}

static void test_path_lookup__the_first_path_that_is_a_file_is_taken(void **state)
{
	struct looker *place = *state;

	make(place, "a/file");
	make(place, "b");
	expect_file(look_below(place, "/a/file", "/b"), "a/file");
	expect_file(look_below(place, "/a", "/b"), "b");
	expect_file(look_below(place, "", "/../b"), "b");
	assert_int_equal(look_below(place, "/c", "").error, -ENOENT);
	assert_int_equal(place->lookups.under_way + place->lookups.left_count, 0);
}

static void test_path_lookup__debug_files_come_one_by_one(void **state)
{
	static const unsigned char build_id[] = {0xab, 0xcd, 0xef};
	struct looker *place = *state;
	struct debug_files search = {
		.host_root = -1,
		.inside_root = place->root,
		.build_id = build_id,
		.build_id_bytes = sizeof(build_id),
		.link = "prog.debug",
		.path = "/bin/prog",
	};
	struct path_lookup_answer answer;
	struct path_lookup lookup;
	const char *wanted[] = {"usr/lib/debug/.build-id/ab/cdef.debug", "bin/prog.debug"};

	for (size_t i = 0; i < 2; i++)
		make(place, wanted[i]);
	for (size_t i = 0; i < 2; i++) {
		answer = answer_of(place, path_lookup_debug_file(place->worker, &place->lookups, &search, &lookup),
				   &lookup);
		expect_file(answer, wanted[i]);
		assert_true(answer.inside);
		search.next = answer.next;
	}
	answer = answer_of(place, path_lookup_debug_file(place->worker, &place->lookups, &search, &lookup), &lookup);
	assert_int_equal(answer.error, -ENOENT);
}

static void test_path_lookup__perf_map_is_that_of_the_process_that_was_meant(void **state)
{
	struct looker *place = *state;
	struct process_identity identity;
	struct path_lookup lookup;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	run("printf text >%s", path);
	assert_int_equal(symbolizer_identify(getpid(), &identity), 0);
	expect_file(answer_of(place, path_lookup_perf_map(place->worker, &place->lookups, &identity, &lookup), &lookup),
		    "text");
	identity.start_ns += 1000000000;
	assert_int_equal(
		answer_of(place, path_lookup_perf_map(place->worker, &place->lookups, &identity, &lookup), &lookup)
			.error,
		-ESRCH);
	assert_int_equal(unlink(path), 0);
}

static pid_t nursery(void)
{
	char path[64];
	pid_t child;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getpid(), getpid());
	file = fopen(path, "r");
	assert_int_equal(fscanf(file, "%d", &child), 1);
	fclose(file);
	return child;
}

static int begin(struct looker *place, struct path_lookup *lookup)
{
	return path_lookup_below(place->worker, &place->lookups, place->root, "/a", "", lookup);
}

static void test_path_lookup__where_one_is_lost_no_other_is_sent_until_it_is_back(void **state)
{
	struct looker *place = *state;
	struct path_lookup lookup[PATH_LOOKUPS_MAX + 1];
	struct path_lookup_answer answer;

	make(place, "a");
	kill(nursery(), SIGSTOP);
	for (size_t i = 0; i < PATH_LOOKUPS_MAX; i++)
		assert_int_equal(begin(place, &lookup[i]), 0);
	assert_int_equal(begin(place, &lookup[PATH_LOOKUPS_MAX]), -EAGAIN);
	assert_int_equal(path_lookup_take(place->worker, &place->lookups, &lookup[0], false, &answer), -EINPROGRESS);
	for (size_t i = 0; i < PATH_LOOKUPS_MAX - 1; i++)
		assert_int_equal(path_lookup_take(place->worker, &place->lookups, &lookup[i], true, &answer),
				 -EHOSTDOWN);
	assert_int_equal(place->lookups.lost, PATH_LOOKUPS_MAX - 1);
	/* Who asked is gone: it counts as well. */
	path_lookup_drop(&place->lookups, &lookup[PATH_LOOKUPS_MAX - 1]);
	assert_int_equal(place->lookups.left_count, PATH_LOOKUPS_MAX);
	assert_int_equal(begin(place, &lookup[0]), -EHOSTDOWN);
	kill(nursery(), SIGCONT);
	for (int64_t end = clock_now_ms() + 20000; begin(place, &lookup[0]); usleep(10000))
		assert_true(clock_now_ms() < end);
	expect_file(answer_of(place, 0, &lookup[0]), "a");
}

struct awaited {
	struct looker *place;
	struct path_lookup lookup;
	int result;
};

static void take_meanwhile(void *data)
{
	struct awaited *awaited = data;
	struct path_lookup_answer answer;

	awaited->result =
		path_lookup_take(awaited->place->worker, &awaited->place->lookups, &awaited->lookup, false, &answer);
	kill(nursery(), SIGCONT);
}

static void test_path_lookup__one_that_is_waited_for_is_taken_by_nobody_else(void **state)
{
	struct awaited awaited = {.place = *state};
	struct looker *place = *state;

	make(place, "a");
	kill(nursery(), SIGSTOP);
	worker_set_waiting(place->worker, (struct worker_waiting){take_meanwhile, &awaited});
	expect_file(answer_of(place, begin(place, &awaited.lookup), &awaited.lookup), "a");
	assert_int_equal(awaited.result, -EINPROGRESS);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACED(test_path_lookup__the_first_path_that_is_a_file_is_taken),
		PLACED(test_path_lookup__debug_files_come_one_by_one),
		PLACED(test_path_lookup__perf_map_is_that_of_the_process_that_was_meant),
		PLACED(test_path_lookup__where_one_is_lost_no_other_is_sent_until_it_is_back),
		PLACED(test_path_lookup__one_that_is_waited_for_is_taken_by_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
