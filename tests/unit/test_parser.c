/* SPDX-License-Identifier: BSD-2-Clause */
/* What a source may cost. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/base/time_share.h"
#include "symbolizer/parser.h"
#include "symbolizer/silent_devices.h"
#include "symbolizer/worker.h"
#include "tests/unit/elf_files.h"
#include "tests/unit/worker_children.h"

#define SECOND 1000000000ull

static struct silent_devices silent;
static struct parser *parser;

static int set_up(void **state)
{
	return place_set_up(state) || parser_new(&silent, &parser);
}

static int tear_down(void **state)
{
	parser_free(parser);
	silent_devices_deinit(&silent);
	return place_tear_down(state);
}

/* By somebody else, as far as the parser knows. */
static void kill_child(void)
{
	pid_t child = parsing_child();
	char path[64];

	kill(child, SIGKILL);
	snprintf(path, sizeof(path), "/proc/%d/root", child);
	for (int i = 0; i < 500 && !access(path, F_OK); i++)
		usleep(10000);
}

static int open_path(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* All that there is at once, and some hundred milliseconds more, which this test does not take. */
static void spend_all(struct time_share *share, uint32_t flags)
{
	*share = (struct time_share){parser_source_limit(flags).debt_ns + SECOND / 2, clock_now_ns()};
}

/* Without waiting. */
static void let_pass(struct time_share *share, uint64_t ns)
{
	share->at_ns -= ns;
}

static int ask(struct parser_source *source, uint32_t flags)
{
	struct parser_answer answer = {0};
	uint64_t address = 4096;
	int err = parser_find(parser, source, &address, 1, flags, &answer);

	parser_answer_deinit(&answer);
	return err;
}

static void test_parser__file_that_has_taken_too_long_is_asked_when_time_has_passed(void **state)
{
	struct parser_source source;
	uint64_t requests;

	parser_source_init(&source, PARSER_FILE, open("/proc/self/exe", O_PATH | O_CLOEXEC));
	assert_int_equal(ask(&source, 0), 0);
	assert_int_equal(source.busy.debt_ns, worker_counts(parser_worker(parser)).busy_ns);
	assert_true(source.busy.debt_ns > 0);
	assert_false(parser_source_slow(&source, 0));

	spend_all(&source.busy, 0);
	requests = worker_counts(parser_worker(parser)).requests;
	assert_true(parser_source_slow(&source, 0));
	assert_int_equal(ask(&source, 0), -ETIME);
	assert_int_equal(worker_counts(parser_worker(parser)).requests, requests);

	/* Lines may take longer, and what it is told has that time too. */
	assert_int_equal(ask(&source, PARSE_LINES), 0);
	assert_int_equal(parser_open(parser, &source), 0);
	spend_all(&source.busy, PARSE_LINES);
	assert_int_equal(ask(&source, PARSE_LINES), -ETIME);
	assert_int_equal(parser_open(parser, &source), -ETIME);

	/* A second's work is paid for. */
	let_pass(&source.busy, PARSER_SOURCE_PART * (SECOND + SECOND / 100));
	assert_int_equal(ask(&source, 0), -ETIME);
	assert_int_equal(ask(&source, PARSE_LINES), 0);
	assert_int_equal(parser_open(parser, &source), 0);
	parser_source_deinit(parser, &source);
}

static void test_parser__map_that_is_written_anew_for_ever_is_always_read(void **state)
{
	struct parser_source source;
	uint64_t taken_ns = 0;

	run("cd %s && echo '1000 10 some_function' >perf.map", ((struct place *)*state)->folder);
	parser_source_init(&source, PARSER_PERF_MAP, open_path(in_place(*state, "perf.map")));
	/* As HotSpot does every 10 s. */
	for (int i = 0; taken_ns < 2 * parser_source_limit(0).debt_ns; i++) {
		run("cd %s && echo '1000 10 function_%d' >perf.map", ((struct place *)*state)->folder, i);
		assert_int_equal(ask(&source, 0), 0);
		time_share_spend(&source.busy, SECOND / 4);
		taken_ns += SECOND / 4;
		let_pass(&source.busy, 10 * SECOND);
	}
	parser_source_deinit(parser, &source);
}

static void test_parser__accidents_before_answers_are_no_row_of_deaths(void **state)
{
	struct parser_source source;

	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	assert_int_equal(ask(&source, 0), 0);
	for (int i = 0; i < 3; i++) {
		kill_child();
		/* Not its debug file: that is an answer as well. */
		assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path("/bin/sh")), -ENOENT);
		assert_int_equal(source.deaths, 0);
		assert_int_equal(source.offer_deaths, 0);
	}
	assert_int_equal(ask(&source, 0), 0);
	parser_source_deinit(parser, &source);
}

/* Kills the child as it reads what is offered, not as it is told the source again before. */
static void kill_at_offer(void *data)
{
	uint64_t *offers = data, request = worker_counts(parser_worker(parser)).requests;

	/* Nor the next one before it is asked. */
	if (!worker_has_child(parser_worker(parser)))
		return;
	if (request == offers[0] || request == offers[1])
		kill(parsing_child(), SIGKILL);
}

static void test_parser__deaths_by_what_is_offered_are_not_the_sources(void **state)
{
	struct parser_source source;
	uint64_t offers[2], requests;

	/* Its CRC takes a while. */
	compile(*state, "program", "-g -Wl,--build-id=none");
	run("cd %s && objcopy --only-keep-debug program program.debug && strip program && "
	    "objcopy --add-gnu-debuglink=program.debug program && truncate -s 4G program.debug",
	    ((struct place *)*state)->folder);
	parser_source_init(&source, PARSER_FILE, open_path(in_place(*state, "program")));
	assert_int_equal(ask(&source, 0), 0);
	offers[0] = worker_counts(parser_worker(parser)).requests + 1;
	offers[1] = offers[0] + 2;
	worker_set_waiting(parser_worker(parser), (struct worker_waiting){kill_at_offer, offers});
	assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path(in_place(*state, "program.debug"))),
			 -ENOTRECOVERABLE);
	assert_int_equal(worker_counts(parser_worker(parser)).crashes, 2);
	worker_set_waiting(parser_worker(parser), (struct worker_waiting){0});
	assert_int_equal(source.deaths, 0);
	assert_int_equal(ask(&source, 0), 0);

	/* It is offered nothing more, also when it was closed meanwhile. */
	requests = worker_counts(parser_worker(parser)).requests;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path("/bin/sh")),
				 -ENOTRECOVERABLE);
		assert_int_equal(worker_counts(parser_worker(parser)).requests, requests);
		parser_source_deinit(parser, &source);
		requests = worker_counts(parser_worker(parser)).requests;
		parser_source_reopen(&source, open_path(in_place(*state, "program")));
	}
	parser_source_deinit(parser, &source);
}

static void test_parser__time_that_offers_take_is_not_the_sources(void **state)
{
	struct parser_source source;

	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	spend_all(&source.offer_busy, 0);
	assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path("/bin/sh")), -ETIME);
	assert_int_equal(ask(&source, 0), 0);
	let_pass(&source.offer_busy, PARSER_SOURCE_PART * SECOND);
	assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path("/bin/sh")), -ENOENT);
	parser_source_deinit(parser, &source);
}

/* What waits for a disk does as much as one that is stopped. */
static void stop_child(void *data)
{
	if (worker_has_child(parser_worker(parser)))
		kill(parsing_child(), SIGSTOP);
}

static void test_parser__file_that_is_not_read_in_time_is_asked_again_later(void **state)
{
	struct parser_source source;
	int64_t before_ms, now_ms;
	uint64_t requests;

	/* Reading it takes a while. */
	run("cd %s && seq -f '%%.0f0 10 some_function_of_a_program' 1000000 1999999 >perf.map",
	    ((struct place *)*state)->folder);
	parser_source_init(&source, PARSER_PERF_MAP, open_path(in_place(*state, "perf.map")));
	assert_int_equal(parser_open(parser, &source), 0);
	worker_set_waiting(parser_worker(parser), (struct worker_waiting){stop_child});
	for (unsigned int i = 0; i < 3; i++) {
		before_ms = clock_now_ms();
		assert_int_equal(ask(&source, 0), -EBUSY);
		now_ms = clock_now_ms();
		assert_in_range(source.stalls.until_ms, before_ms + (PARSER_STALLED_MS << i),
				now_ms + (PARSER_STALLED_MS << i));
		requests = worker_counts(parser_worker(parser)).requests;
		assert_int_equal(ask(&source, 0), -EBUSY);
		assert_int_equal(parser_open(parser, &source), -EBUSY);
		assert_int_equal(worker_counts(parser_worker(parser)).requests, requests);
		source.stalls.until_ms = now_ms;
	}
	assert_int_equal(source.deaths, 0);
	assert_true(source.busy.debt_ns < SECOND);
	worker_set_waiting(parser_worker(parser), (struct worker_waiting){0});
	assert_int_equal(ask(&source, 0), 0);
	assert_int_equal(source.stalls.count, 0);
	parser_source_deinit(parser, &source);
}

static void test_parser__file_system_that_does_not_answer_is_not_asked_again(void **state)
{
	struct parser_source source, other;
	uint64_t requests;
	struct stat status;

	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&other, PARSER_FILE, open_path("/proc/self/exe"));
	assert_int_equal(parser_open(parser, &source), 0);
	assert_int_equal(fstat(source.fd, &status), 0);
	requests = worker_counts(parser_worker(parser)).requests;
	/* As another parser may have found; whoever waited behind that one has taken it for a busy disk. */
	source.stalls = (struct parser_stalls){1, clock_now_ms() + PARSER_STALLED_MS};
	silent.list[silent.count++] = (struct silent_device){.device = status.st_dev, .pidfd = -1};
	assert_int_equal(ask(&source, 0), -EHOSTDOWN);
	assert_int_equal(parser_open(parser, &other), -EHOSTDOWN);
	assert_int_equal(worker_counts(parser_worker(parser)).requests, requests);
	silent_devices_deinit(&silent);
	assert_int_equal(parser_open(parser, &other), 0);
	parser_source_deinit(parser, &source);
	parser_source_deinit(parser, &other);
}

static void test_parser__file_system_that_answers_after_all_is_asked_again(void **state)
{
	struct parser_source source, other;
	int64_t until_ms = clock_now_ms() + 10000;
	pid_t child;

	(void)state;
	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&other, PARSER_FILE, open_path("/proc/self/exe"));
	assert_int_equal(parser_open(parser, &source), 0);
	child = parsing_child();
	hold(child);
	parser_ask_for(parser, 7);
	assert_int_equal(ask(&source, 0), -EHOSTDOWN);
	assert_int_equal(silent.list[0].tenant, 7);
	assert_ptr_equal(silent.list[0].worker, parser_worker(parser));
	assert_int_equal(parser_open(parser, &other), -EHOSTDOWN);
	let_go(child);
	while (parser_open(parser, &other) == -EHOSTDOWN && clock_now_ms() < until_ms)
		usleep(10000);
	assert_int_equal(parser_open(parser, &other), 0);
	assert_int_equal(silent.count, 0);
	parser_source_deinit(parser, &source);
	parser_source_deinit(parser, &other);
}

static void test_parser__who_waits_as_a_file_is_closed_waits_for_that_one(void **state)
{
	struct parser_source source, other;
	struct stat status;
	pid_t child;

	(void)state;
	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&other, PARSER_FILE, open_path("/proc/self/exe"));
	parser_ask_for(parser, 7);
	assert_int_equal(parser_open(parser, &source), 0);
	assert_int_equal(fstat(source.fd, &status), 0);
	child = parsing_child();
	hold(child);
	parser_ask_for(parser, 8);
	parser_source_deinit(parser, &source);
	assert_int_equal(silent.count, 1);
	assert_int_equal(silent.list[0].tenant, 7);
	assert_int_equal(silent.list[0].device, status.st_dev);
	assert_int_equal(parser_open(parser, &other), -EHOSTDOWN);
	let_go(child);
	parser_source_deinit(parser, &other);
}

static pid_t left_behind;

static void stop_next_child(void *data)
{
	pid_t child = child_of(first_child_of(getpid()), left_behind);

	if (child)
		kill(child, SIGSTOP);
}

static void test_parser__a_child_that_was_left_behind_before_is_not_of_the_next_request(void **state)
{
	struct parser_source source, map;

	run("cd %s && seq -f '%%.0f0 10 some_function_of_a_program' 1000000 1999999 >perf.map",
	    ((struct place *)*state)->folder);
	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&map, PARSER_PERF_MAP, open_path(in_place(*state, "perf.map")));
	assert_int_equal(parser_open(parser, &source), 0);
	left_behind = parsing_child();
	hold(left_behind);
	parser_stop(parser);
	worker_set_waiting(parser_worker(parser), (struct worker_waiting){stop_next_child});
	assert_int_equal(ask(&map, 0), -EBUSY);
	assert_int_equal(silent.count, 0);
	worker_set_waiting(parser_worker(parser), (struct worker_waiting){0});
	let_go(left_behind);
	parser_source_deinit(parser, &source);
	parser_source_deinit(parser, &map);
}

static void test_parser__of_files_on_two_file_systems_nobody_else_loses_either(void **state)
{
	struct parser_source source, other;
	pid_t child;

	(void)state;
	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&other, PARSER_FILE, open_path("/proc/self/exe"));
	assert_int_equal(parser_open(parser, &source), 0);
	child = parsing_child();
	hold(child);
	parser_ask_for(parser, 7);
	assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path("/proc/version")), -EHOSTDOWN);
	assert_int_equal(silent.count, 1);
	/* What came with it is left alone, for its container. */
	assert_int_equal(parser_add(parser, &source, PARSER_DEBUG_FILE, open_path("/proc/version")), -EHOSTDOWN);
	assert_int_equal(silent.count, 1);
	assert_int_equal(ask(&other, 0), 0);
	parser_ask_for(parser, 8);
	assert_int_equal(ask(&source, 0), 0);
	assert_int_not_equal(parser_add(parser, &other, PARSER_DEBUG_FILE, open_path("/proc/version")), -EHOSTDOWN);
	let_go(child);
	parser_source_deinit(parser, &source);
	parser_source_deinit(parser, &other);
}

static void test_parser__container_of_whose_files_too_many_do_not_come_is_asked_nothing_more(void **state)
{
	struct silent_device left = {.pidfd = -1, .worker = parser_worker(parser), .tenant = 7};
	struct parser_source source, other;
	pid_t child;

	(void)state;
	parser_source_init(&source, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&other, PARSER_FILE, open_path("/bin/sh"));
	for (int i = 0; i < SILENT_TENANT_MAX - 1; i++)
		silent.list[silent.count++] = left;
	child = fork();
	if (!child)
		pause();
	left.pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_true(left.pidfd >= 0);
	silent.list[silent.count++] = left;
	parser_ask_for(parser, 7);
	assert_int_equal(parser_open(parser, &source), -EHOSTDOWN);
	assert_int_equal(worker_counts(parser_worker(parser)).requests, 0);
	parser_ask_for(parser, 8);
	assert_int_equal(parser_open(parser, &source), 0);
	parser_ask_for(parser, 7);
	assert_int_equal(parser_open(parser, &other), -EHOSTDOWN);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(parser_open(parser, &other), 0);
	parser_source_deinit(parser, &source);
	parser_source_deinit(parser, &other);
}

static void test_parser__numbers_are_as_few_as_sources(void **state)
{
	struct parser_source sources[3];
	unsigned char build_id[64];

	for (int child = 0; child < 2; child++) {
		for (int i = 0; i < 5; i++) {
			parser_source_init(&sources[0], PARSER_FILE, open_path("/proc/self/exe"));
			parser_source_init(&sources[1], PARSER_FILE, open_path("/bin/sh"));
			parser_source_init(&sources[2], PARSER_PERF_MAP, open_path("/bin/sh"));
			for (int j = 0; j < 3; j++) {
				assert_int_equal(parser_open(parser, &sources[(i + j) % 3]), 0);
				assert_in_range(sources[(i + j) % 3].object, 1, 3);
			}
			assert_int_equal(ask(&sources[0], 0), 0);
			if (!i && !child)
				memcpy(build_id, sources[0].facts.build_id, sizeof(build_id));
			/* Whoever had the number before. */
			assert_memory_equal(build_id, sources[0].facts.build_id, sizeof(build_id));
			assert_memory_not_equal(build_id, sources[1].facts.build_id, sizeof(build_id));
			for (int j = 0; j < 3; j++)
				parser_source_deinit(parser, &sources[j]);
		}
		parser_stop(parser);
	}
}

/* One that is told another child again has a number of that one's. */
static void test_parser__numbers_of_a_child_that_is_gone_are_nobodys(void **state)
{
	struct parser_source first, second;

	parser_source_init(&first, PARSER_FILE, open_path("/proc/self/exe"));
	parser_source_init(&second, PARSER_FILE, open_path("/bin/sh"));
	assert_int_equal(parser_open(parser, &first), 0);
	assert_int_equal(parser_open(parser, &second), 0);
	parser_stop(parser);
	assert_int_equal(parser_open(parser, &second), 0);
	parser_source_deinit(parser, &first);
	parser_source_init(&first, PARSER_FILE, open_path("/proc/self/exe"));
	assert_int_equal(parser_open(parser, &first), 0);
	assert_int_not_equal(first.object, second.object);
	assert_int_equal(ask(&first, 0), 0);
	assert_int_equal(ask(&second, 0), 0);
	parser_source_deinit(parser, &first);
	parser_source_deinit(parser, &second);
}

static void test_parser__more_sources_than_a_child_has_room_for_get_another_child(void **state)
{
	static struct parser_source sources[PARSER_SOURCES_MAX + 1];
	uint32_t generation = worker_generation(parser_worker(parser));
	struct rlimit files;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
		parser_source_init(&sources[i], PARSER_PERF_MAP, open_path("/bin/sh"));
		assert_int_equal(ask(&sources[i], 0), 0);
		assert_int_equal(worker_generation(parser_worker(parser)), generation + (i == PARSER_SOURCES_MAX));
	}
	/* What the one before knew can be asked as well. */
	assert_int_equal(ask(&sources[0], 0), 0);
	assert_int_equal(worker_generation(parser_worker(parser)), generation + 1);
	for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
		parser_source_deinit(parser, &sources[i]);
}

static void test_time_share__is_run_up_at_once_and_paid_off_slowly(void **state)
{
	const struct time_share_limit limit = {100, 10};
	struct time_share share = {0};

	assert_true(time_share_left(&share, limit, 5000));
	time_share_spend(&share, 99);
	assert_true(time_share_left(&share, limit, 5000));
	time_share_spend(&share, 201);
	assert_false(time_share_left(&share, limit, 5000));
	assert_false(time_share_left(&share, limit, 7000));
	assert_true(time_share_left(&share, limit, 7010));
	assert_int_equal(share.debt_ns, 99);
	/* What was not used is not saved up. */
	assert_true(time_share_left(&share, limit, 1000000));
	time_share_spend(&share, 100);
	assert_false(time_share_left(&share, limit, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parser__file_that_has_taken_too_long_is_asked_when_time_has_passed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parser__map_that_is_written_anew_for_ever_is_always_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__accidents_before_answers_are_no_row_of_deaths, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__deaths_by_what_is_offered_are_not_the_sources, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__file_that_is_not_read_in_time_is_asked_again_later, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__file_system_that_does_not_answer_is_not_asked_again,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parser__file_system_that_answers_after_all_is_asked_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__time_that_offers_take_is_not_the_sources, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__who_waits_as_a_file_is_closed_waits_for_that_one, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_parser__a_child_that_was_left_behind_before_is_not_of_the_next_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parser__of_files_on_two_file_systems_nobody_else_loses_either,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_parser__container_of_whose_files_too_many_do_not_come_is_asked_nothing_more, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_parser__numbers_are_as_few_as_sources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parser__numbers_of_a_child_that_is_gone_are_nobodys, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_parser__more_sources_than_a_child_has_room_for_get_another_child,
						set_up, tear_down),
		cmocka_unit_test(test_time_share__is_run_up_at_once_and_paid_off_slowly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
