/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/analysis/blocked_places.h"
#include "profiler/profile/profile_times.h"
#include "profiler/render/blocked.h"
#include "profiler/render/run_queue.h"
#include "symbolizer/base/cleanup.h"
#include "tests/unit/recordings.h"

#define READ_STACK \
	"main;k:entry_SYSCALL_64_after_hwframe;k:do_syscall_64;k:ksys_read;k:pipe_read;k:schedule;k:__schedule"
#define FSYNC_STACK "main;k:entry_SYSCALL_64_after_hwframe;k:do_syscall_64;k:do_fsync;k:jbd2_log_wait_commit;k:schedule"
#define TIMER_STACK "k:asm_sysvec_apic_timer_interrupt;k:hrtimer_interrupt;k:hrtimer_wakeup;k:try_to_wake_up"

static uint32_t stack_of(struct maker *maker, const char *stack)
{
	char copy[1024], *rest = copy, *name;
	uint32_t row = RECORDING_STACK_ROOT;

	snprintf(copy, sizeof(copy), "%s", stack);
	while ((name = strsep(&rest, ";")) != NULL) {
		bool kernel = !strncmp(name, "k:", 2);
		struct recording_frame frame = {.kind = kernel ? FRAME_KERNEL : FRAME_USER, .named = true};
		struct recording_stack step = {.parent = row};

		frame.name = maker_text(maker, name + (kernel ? 2 : 0));
		assert_int_equal(recording_writer_frame(maker->writer, &frame, &step.frame), 0);
		assert_int_equal(recording_writer_stack(maker->writer, &step, &row), 0);
	}
	return row;
}

static void add_wait(struct maker *maker, uint32_t container, const char *stack, uint8_t state, uint64_t ms,
		     uint32_t waker, const char *waker_stack)
{
	struct recording_wait row = {
		.state = state,
		.container = container,
		.thread = container,
		.stack = stack_of(maker, stack),
		.waker_container = waker,
		.waker_thread = waker,
		.waker_stack = waker_stack ? stack_of(maker, waker_stack) : RECORDING_STACK_ROOT,
		.flags = waker == RECORDING_NONE ? RECORDING_WAIT_UNFINISHED : 0,
		.count = 1,
		.total_ns = ms * 1000000,
		.max_ns = ms * 1000000,
	};

	assert_int_equal(recording_writer_wait(maker->writer, &row), 0);
}

static void add_times(struct maker *maker, uint32_t container, uint64_t sleeping_ms, uint64_t io_ms, uint64_t short_ms)
{
	struct recording_times row = {
		.container = container,
		.oncpu_ns = 5000000,
		.blocked_ns = {[WAIT_SLEEPING] = sleeping_ms * 1000000, [WAIT_IO] = io_ms * 1000000},
		.blocks = {[WAIT_SLEEPING] = 10},
		.short_ns = short_ms * 1000000,
		.woken_ns = 3000000,
		.preempted_ns = 1000000,
		.throttled_ns = 2000000,
	};
	struct recording_bucket bucket = {.kind = HISTOGRAM_WOKEN, .bucket = 60, .count = 7};

	assert_int_equal(recording_writer_times(maker->writer, &row, &bucket.row), 0);
	assert_int_equal(recording_writer_bucket(maker->writer, &bucket), 0);
}

static void add_queue(struct maker *maker, uint32_t container, uint32_t culprit, uint8_t reason, uint64_t ns)
{
	struct recording_queue row = {.container = container, .culprit = culprit, .reason = reason, .ns = ns};

	assert_int_equal(recording_writer_queue(maker->writer, &row), 0);
}

static struct profile *two_containers_of(unsigned int wants)
{
	struct maker maker;
	uint32_t web, db;

	maker_start(&maker);
	maker_fact(&maker, "waits.min_block_ns", "1000000");
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	add_wait(&maker, web, READ_STACK, WAIT_SLEEPING, 900, db, "main;k:do_syscall_64;k:ksys_write;k:pipe_write");
	add_wait(&maker, web, READ_STACK, WAIT_SLEEPING, 100, db, TIMER_STACK);
	add_wait(&maker, web, READ_STACK, WAIT_SLEEPING, 50, RECORDING_NONE, NULL);
	add_wait(&maker, db, FSYNC_STACK, WAIT_IO, 40, web, "main;k:do_syscall_64;k:ksys_write;k:pipe_write");
	add_times(&maker, web, 1053, 0, 3);
	add_times(&maker, db, 0, 40, 0);
	add_times(&maker, db, 0, 0, 0);
	add_queue(&maker, web, db, QUEUE_CONTAINER, 3000000);
	add_queue(&maker, web, web, QUEUE_CONTAINER, 500000);
	add_queue(&maker, web, RECORDING_NONE, QUEUE_IDLE, 400000);
	add_queue(&maker, web, RECORDING_NONE, QUEUE_EARLIER, 100000);
	add_queue(&maker, web, db, QUEUE_CONTAINER, 1);
	return maker_load_some(&maker, wants);
}

static struct profile *two_containers(void)
{
	return two_containers_of(RECORDING_ALL);
}

static const char *text_of(const struct blocked_places *places, string_id id)
{
	return string_table_text(&places->strings, id);
}

static void test_waits__places_are_calls_and_functions_that_are_not_the_schedulers(void **state)
{
	struct profile *profile = two_containers();
	struct blocked_places places;

	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	assert_int_equal(places.list.count, 3);
	assert_string_equal(text_of(&places, places.list.items[1].entry), "fsync");
	assert_string_equal(text_of(&places, places.list.items[1].function), "jbd2_log_wait_commit");
	assert_false(places.list.items[1].by_design);
	/* The read sleeps by design: the shorter fsync comes first. */
	assert_string_equal(text_of(&places, places.list.items[2].entry), "read");
	assert_string_equal(text_of(&places, places.list.items[2].function), "pipe_read");
	assert_true(places.list.items[2].by_design);
	assert_int_equal(places.list.items[2].count, 2);
	assert_int_equal(places.list.items[2].unfinished_ns, 50000000);
	blocked_places_deinit(&places);
	profile_free(profile);
}

static void test_waits__a_wait_for_another_container_is_not_by_design(void **state)
{
	struct profile *profile = two_containers();
	struct blocked_places places;

	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	assert_string_equal(text_of(&places, places.list.items[0].entry), "read");
	assert_false(places.list.items[0].by_design);
	assert_int_equal(places.list.items[0].ns, 900000000);
	assert_int_equal(places.list.items[0].wakers.count, 1);
	assert_int_equal(places.list.items[0].wakers.items[0].container, 1);
	blocked_places_deinit(&places);
	profile_free(profile);
}

/* A read that sleeps for 1 s, in a container of one kind, and is ended by a task of another one. */
static bool waits_by_design(uint8_t waiter, uint8_t waker, const char *stack, const char *waker_stack)
{
	struct blocked_places places;
	struct profile *profile;
	struct maker maker;
	uint32_t row;
	bool by_design;

	maker_start(&maker);
	row = maker_container(&maker, waiter, "web", "abc", "");
	add_wait(&maker, row, stack, WAIT_SLEEPING, 1000, maker_container(&maker, waker, "other", "def", ""),
		 waker_stack);
	profile = maker_load(&maker);
	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	by_design = places.list.items[0].by_design;
	blocked_places_deinit(&places);
	profile_free(profile);
	return by_design;
}

static void test_waits__nobody_waits_for_kernel_threads_and_shims(void **state)
{
	assert_false(waits_by_design(CONTAINER_CONTAINER, CONTAINER_HOST_UNIT, READ_STACK, NULL));
	assert_true(waits_by_design(CONTAINER_CONTAINER, CONTAINER_KERNEL, READ_STACK, NULL));
	assert_true(
		waits_by_design(CONTAINER_KERNEL, CONTAINER_CONTAINER, "k:kthread;k:worker_thread;k:schedule", NULL));
	assert_true(waits_by_design(CONTAINER_OVERHEAD, CONTAINER_CONTAINER, READ_STACK, NULL));
	assert_false(waits_by_design(CONTAINER_CONTAINER, CONTAINER_KERNEL,
				     "main;k:do_syscall_64;k:__x64_sys_flock;k:locks_lock_inode_wait;k:schedule",
				     NULL));
}

static void test_waits__who_is_killed_has_not_waited_for_it(void **state)
{
	assert_true(waits_by_design(CONTAINER_CONTAINER, CONTAINER_HOST_UNIT, READ_STACK,
				    "main;k:do_syscall_64;k:__x64_sys_kill;k:__send_signal_locked;k:complete_signal"));
}

/* A read of @waiter that a thread of this name ended. */
static void add_wait_for_thread(struct maker *maker, uint32_t waiter, uint32_t waker, const char *comm, uint64_t ms)
{
	static uint32_t tid = 10000;
	struct recording_thread thread = {.process = waker, .tid = tid++, .comm = maker_text(maker, comm)};
	struct recording_wait row = {
		.state = WAIT_SLEEPING,
		.container = waiter,
		.thread = waiter,
		.stack = stack_of(maker, READ_STACK),
		.waker_container = waker,
		.waker_stack = RECORDING_STACK_ROOT,
		.count = 1,
		.total_ns = ms * 1000000,
		.max_ns = ms * 1000000,
	};

	assert_int_equal(recording_writer_thread(maker->writer, &thread, &row.waker_thread), 0);
	assert_int_equal(recording_writer_wait(maker->writer, &row), 0);
}

static void test_waits__who_ended_most_is_told_however_many_ended_little(void **state)
{
	struct blocked_places places;
	const struct blocked_place *read;
	struct profile *profile;
	uint32_t kernel, web, db;
	struct maker maker;

	maker_start(&maker);
	kernel = maker_container(&maker, CONTAINER_KERNEL, "kernel", "", "");
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	for (int i = 0; i < 200; i++) {
		char comm[32];

		snprintf(comm, sizeof(comm), "kworker/%d:1", i);
		add_wait_for_thread(&maker, web, kernel, comm, 2);
	}
	add_wait_for_thread(&maker, web, kernel, "jbd2", 5000);
	add_wait_for_thread(&maker, web, db, "postgres", 4000);
	add_wait_for_thread(&maker, web, kernel, "jbd2", 1);
	profile = maker_load(&maker);
	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	assert_int_equal(places.list.count, 2);
	assert_int_equal(places.list.items[0].wakers.count, 1);
	assert_string_equal(text_of(&places, places.list.items[0].wakers.items[0].name), "postgres");
	read = &places.list.items[1];
	assert_int_equal(read->wakers.count, 201);
	assert_string_equal(text_of(&places, read->wakers.items[0].name), "jbd2");
	assert_int_equal(read->wakers.items[0].ns, 5001000000);
	assert_int_equal(read->wakers.items[0].count, 2);
	blocked_places_deinit(&places);
	profile_free(profile);
}

static void test_waits__an_interrupt_wakes_not_whom_it_interrupted(void **state)
{
	struct profile *profile = two_containers();
	struct blocked_places places;
	const struct blocked_place *read;

	assert_int_equal(blocked_places_init(&places, profile, 1u << WAIT_SLEEPING), 0);
	assert_int_equal(places.list.count, 2);
	read = &places.list.items[1];
	assert_int_equal(read->wakers.count, 2);
	assert_int_equal(read->wakers.items[0].container, RECORDING_NONE);
	assert_string_equal(text_of(&places, read->wakers.items[0].name), "interrupt");
	assert_string_equal(text_of(&places, read->wakers.items[1].name), "[not woken yet]");
	blocked_places_deinit(&places);
	profile_free(profile);
}

static void test_waits__times_and_queues_are_summed_up(void **state)
{
	struct profile *profile = two_containers();
	struct profile_times times;

	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_true(times.any);
	assert_int_equal(times.containers.items[1].oncpu_ns, 10000000);
	assert_int_equal(times.containers.items[1].woken[60], 14);
	assert_int_equal(time_sums_blocked(&times.total), 1093000000);
	assert_int_equal(times.queues.count, 4);
	assert_int_equal(times.queues.items[0].culprit, 1);
	assert_int_equal(times.queues.items[0].ns, 3000001);
	profile_times_deinit(&times);
	profile_free(profile);
}

/* The names of the tree's boxes, each after those that it stands on. */
static char *boxes(const struct profile *profile, const struct profile_query *query)
{
	uint32_t depth = 0, node = 0;
	struct call_tree tree;
	char error[128], *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(call_tree_init(&tree), 0);
	assert_int_equal(profile_call_tree(profile, query, &tree, error, sizeof(error)), 0);
	fprintf(out, "%u", (unsigned int)tree.nodes.items[0].total);
	while ((node = call_tree_next(&tree, node, true, &depth)) != CALL_TREE_NONE)
		fprintf(out, ";%s", call_tree_name(&tree, node));
	fclose(out);
	call_tree_deinit(&tree);
	return text;
}

static void test_waits__flame_graph_has_both_ends_joined(void **state)
{
	struct profile *profile = two_containers();
	struct profile_query query = {.kind = PROFILE_WAKERS, .states = 1u << WAIT_IO};
	_cleanup_free_ char *path = boxes(profile, &query);

	assert_string_equal(path, "40000;db;app;main;entry_SYSCALL_64_after_hwframe;do_syscall_64;do_fsync;"
				  "jbd2_log_wait_commit;schedule;--;pipe_write;ksys_write;do_syscall_64;main;web;app");
	profile_free(profile);
}

static void test_waits__both_ends_are_in_the_calls_that_their_stacks_show(void **state)
{
	struct profile *profile = two_containers();
	struct profile_query query = {.kind = PROFILE_WAKERS, .states = 1u << WAIT_IO, .by = PROFILE_BY_CALL};
	struct profile_query interrupts = {
		.kind = PROFILE_WAKERS, .states = 1u << WAIT_SLEEPING, .by = PROFILE_BY_CALL};
	_cleanup_free_ char *path = boxes(profile, &query), *others = boxes(profile, &interrupts);

	assert_non_null(strstr(path, "40000;db;app;fsync;main;entry_SYSCALL_64_after_hwframe;"));
	assert_non_null(strstr(path, ";main;web;app;write"));
	assert_non_null(strstr(others, ";web;app;read;main;"));
	/* What it came upon is no part of the waking. */
	assert_non_null(strstr(others, ";asm_sysvec_apic_timer_interrupt;interrupt"));
	assert_null(strstr(others, "[no call]"));
	profile_free(profile);
}

static char *printed_of(const struct profile *profile, bool queue, bool json, const bool *wanted, bool by_namespace)
{
	struct blocked_options options = {.wakers = true, .wanted = wanted};
	struct run_queue_options queue_options = {.histograms = true, .wanted = wanted, .by_namespace = by_namespace};
	struct profile_times times;
	struct blocked_places places;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	if (queue)
		assert_int_equal(
			(json ? render_run_queue_json : render_run_queue_text)(&times, profile, &queue_options, out),
			0);
	else
		assert_int_equal(
			(json ? render_blocked_json : render_blocked_text)(&places, &times, profile, &options, out), 0);
	fclose(out);
	blocked_places_deinit(&places);
	profile_times_deinit(&times);
	return text;
}

static char *printed(const struct profile *profile, bool queue, bool json)
{
	return printed_of(profile, queue, json, NULL, false);
}

static void test_waits__sums_that_have_no_room_stay_large(void **state)
{
	const uint64_t large_ms = 12000000000000ull, ns = large_ms * 1000000;
	_cleanup_free_ char *text = NULL;
	struct blocked_places places;
	struct profile_times times;
	struct profile *profile;
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	for (int i = 0; i < 2; i++) {
		struct recording_times row = {.container = web, .blocked_ns = {ns}, .woken_ns = ns, .throttled_ns = ns};
		uint32_t number;

		row.pid_namespace = (uint64_t)i + 1;
		assert_int_equal(recording_writer_times(maker.writer, &row, &number), 0);
		add_wait(&maker, web, READ_STACK, WAIT_SLEEPING, large_ms, RECORDING_NONE, NULL);
		add_queue(&maker, web, web, QUEUE_CONTAINER, ns);
	}
	profile = maker_load(&maker);
	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_true(times.total.blocked_ns[WAIT_SLEEPING] == UINT64_MAX);
	assert_true(times.containers.items[web].throttled_ns == UINT64_MAX);
	assert_true(time_sums_blocked(&times.total) == UINT64_MAX && time_sums_queued(&times.total) == UINT64_MAX);
	assert_true(times.queues.items[0].ns == UINT64_MAX);
	profile_times_deinit(&times);
	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	assert_true(places.ns == UINT64_MAX && places.list.items[0].ns == UINT64_MAX);
	assert_true(places.list.items[0].wakers.items[0].ns == UINT64_MAX);
	blocked_places_deinit(&places);
	text = printed(profile, false, false);
	assert_null(strstr(text, "does not add up"));
	profile_free(profile);
}

static void test_waits__a_chosen_container_is_told_as_waiter_and_as_waker(void **state)
{
	static const bool wanted[] = {false, true};
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed_of(profile, false, false, wanted, false),
			    *json = printed_of(profile, false, true, wanted, false);

	assert_null(strstr(text, "\nweb        5.00 ms"));
	assert_non_null(strstr(text, "\nweb        S      read   pipe_read "));
	assert_non_null(strstr(text, "db/worker 100%"));
	assert_non_null(strstr(text, "\ndb         io     fsync"));
	/* What nobody but web takes part in. */
	assert_null(strstr(text, "interrupt 67%"));
	assert_non_null(strstr(text,
			       "\nOnly what concerns db; the lines below account for the whole recording.\n1.09 s "
			       "blocked = "));
	assert_non_null(strstr(json, "\"only\": ["));
	assert_non_null(strstr(json, "\"blocked_ns\": 1093000000"));
	assert_null(strstr(json, "\"name\": \"interrupt\""));
	profile_free(profile);
}

static void test_waits__a_chosen_container_is_told_where_it_runs_while_others_wait(void **state)
{
	static const bool wanted[] = {false, true};
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed_of(profile, true, false, wanted, false),
			    *json = printed_of(profile, true, true, wanted, false),
			    *namespaces = printed_of(profile, true, false, wanted, true);

	assert_null(strstr(text, "\nweb  "));
	assert_non_null(strstr(text, "\nweb: while it waited db ran 75%\n"));
	assert_non_null(strstr(text, "12.0 ms queued = "));
	assert_non_null(strstr(json, "\"while_waiting\""));
	assert_non_null(strstr(namespaces, "(kernel, or not known)"));
	profile_free(profile);
}

static void test_waits__offcpu_shows_wakers_and_its_account(void **state)
{
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed(profile, false, false), *json = printed(profile, false, true);

	assert_non_null(strstr(text, "db         io     fsync  jbd2_log_wait_commit  40.0 ms       1"));
	assert_non_null(strstr(text, "web/worker 100%"));
	assert_non_null(strstr(text, "interrupt 67%"));
	assert_non_null(strstr(text, "1.09 s blocked = 1.09 s with stacks + 3.00 ms in blocks shorter than 1.00 ms + "
				     "0 ns lost."));
	assert_null(strstr(text, "does not add up"));
	assert_non_null(strstr(json, "\"at\": \"jbd2_log_wait_commit\""));
	assert_non_null(strstr(json, "\"with_stacks_ns\": 1090000000"));
	profile_free(profile);
}

/* Those of a day do not fit beside the run queue's rows. */
static void test_waits__account_has_blocks_that_are_not_read_into_memory(void **state)
{
	struct profile *profile = two_containers_of(RECORDING_TIMES);
	_cleanup_free_ char *json = printed(profile, true, true);

	assert_int_equal(profile->rows.waits.count, 0);
	assert_non_null(strstr(json, "\"with_stacks_ns\": 1090000000"));
	assert_non_null(strstr(json, "\"without_stacks_ns\": 0"));
	profile_free(profile);
}

static void test_waits__stacks_that_a_cut_recording_lacks_are_in_its_account(void **state)
{
	struct profile *profile = NULL;
	_cleanup_free_ char *text = NULL, *json = NULL;
	char error[256] = "";
	struct maker maker;
	uint32_t web;

	maker_start(&maker);
	maker_fact(&maker, "waits.min_block_ns", "1000000");
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	add_wait(&maker, web, READ_STACK, WAIT_SLEEPING, 100, RECORDING_NONE, NULL);
	add_times(&maker, web, 353, 0, 3);
	assert_int_equal(recording_writer_flush(maker.writer), 0);
	recording_writer_free(maker.writer);
	assert_int_equal(profile_load(maker.path, RECORDING_ALL, &profile, error, sizeof(error)), 0);
	unlink(maker.path);
	assert_false(profile->whole);
	text = printed(profile, false, false);
	assert_non_null(strstr(text, "353 ms blocked = 100 ms with stacks + 3.00 ms in blocks shorter than 1.00 ms + "
				     "250 ms of which the stacks were not written.\n"
				     "What was lost is not known: that is told at the end.\n"));
	json = printed(profile, false, true);
	assert_non_null(strstr(json, "\"unwritten_ns\": 250000000"));
	assert_non_null(strstr(json, "\"lost_ns\": null"));
	profile_free(profile);
}

static void test_waits__n_bounds_both_tables(void **state)
{
	struct blocked_options options = {.max = 1};
	struct profile *profile = two_containers();
	struct blocked_places places;
	struct profile_times times;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_int_equal(blocked_places_init(&places, profile, 0), 0);
	assert_int_equal(render_blocked_text(&places, &times, profile, &options, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "(1 more containers: -n shows them)\n"));
	assert_non_null(strstr(text, "(2 more places: -n shows them)\n"));
	free(text);
	blocked_places_deinit(&places);
	profile_times_deinit(&times);
	profile_free(profile);
}

/* A script that splits at spaces, and a reader, tell them apart by their heads. */
static void test_waits__no_two_columns_of_runqlat_are_called_the_same(void **state)
{
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed(profile, true, false);
	const char *heads[16], *head;
	char *rest = text, *line = strsep(&rest, "\n");
	size_t count = 0;

	while ((head = strsep(&line, " ")) != NULL) {
		for (size_t i = 0; i < count && *head; i++)
			assert_string_not_equal(head, heads[i]);
		if (*head)
			heads[count++] = head;
	}
	assert_int_equal(count, 11);
	profile_free(profile);
}

static void test_waits__runqlat_says_who_ran(void **state)
{
	struct profile *profile = two_containers();
	_cleanup_free_ char *text = printed(profile, true, false), *json = printed(profile, true, true);

	assert_non_null(strstr(text,
			       "web: while it waited db ran 75%, itself ran 12%, nobody (an idle CPU woke up) ran "
			       "10%, (too long ago to tell) ran 2%"));
	assert_non_null(strstr(text, "12.0 ms queued = 3.90 ms while others ran"));
	assert_non_null(strstr(json, "\"reason\": \"idle\""));
	assert_non_null(strstr(json, "\"throttled_ns\": 4000000"));
	assert_non_null(strstr(json, "\"preemptions\": 0,\n      \"preempted_ns\": 1000000,\n      "
				     "\"preempted_p50_ns\": null,"));
	profile_free(profile);
}

static void test_waits__json_has_null_for_what_is_not_known(void **state)
{
	_cleanup_free_ char *json = NULL;
	struct profile_times times;
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	add_wait(&maker, maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", ""), "main", WAIT_SLEEPING, 5, 0,
		 NULL);
	add_times(&maker, 0, 5, 0, 0);
	profile = maker_load(&maker);
	json = printed(profile, false, true);
	assert_non_null(strstr(json, "\"in\": null,\n      \"at\": null,"));
	assert_non_null(strstr(json, "\"queued_known_ns\": null"));
	assert_non_null(strstr(json, "\"min_block_ns\": null"));
	profile_free(profile);
	/* Made with --runq alone: it has sums, and no blocks. */
	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	add_times(&maker, 0, 50, 0, 3);
	profile = maker_load(&maker);
	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_false(profile_times_have_blocks(&times, profile));
	profile_times_deinit(&times);
	profile_free(profile);
}

static void test_waits__json_says_which_state_was_asked_for(void **state)
{
	struct profile *profile = two_containers();
	_cleanup_free_ char *all = printed(profile, false, true);
	struct blocked_options options = {.state = "D"};
	_cleanup_free_ char *json = NULL;
	struct blocked_places places;
	struct profile_times times;
	size_t size;
	FILE *out = open_memstream(&json, &size);

	assert_non_null(out);
	assert_int_equal(blocked_places_init(&places, profile, 1u << WAIT_IO), 0);
	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_int_equal(render_blocked_json(&places, &times, profile, &options, out), 0);
	fclose(out);
	assert_non_null(strstr(json, "\"only_state\": \"D\""));
	assert_null(strstr(all, "only_state"));
	blocked_places_deinit(&places);
	profile_times_deinit(&times);
	profile_free(profile);
}

static void add_times_in(struct maker *maker, uint32_t container, uint64_t pid_namespace, uint64_t woken_ns)
{
	struct recording_times row = {.container = container, .pid_namespace = pid_namespace, .woken_ns = woken_ns};
	struct recording_bucket bucket = {.kind = HISTOGRAM_WOKEN, .bucket = 60, .count = 7};

	assert_int_equal(recording_writer_times(maker->writer, &row, &bucket.row), 0);
	assert_int_equal(recording_writer_bucket(maker->writer, &bucket), 0);
}

static void test_waits__runqlat_by_pid_namespace_sums_what_shares_one(void **state)
{
	struct run_queue_options options = {.by_namespace = true};
	struct profile_times times;
	struct profile *profile;
	struct maker maker;
	uint32_t web, db;
	char *text;
	size_t size;
	FILE *out;

	maker_start(&maker);
	web = maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	db = maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	add_times_in(&maker, web, 4026532401, 3000000);
	add_times_in(&maker, db, 4026532401, 1000000);
	add_times_in(&maker, db, 4026532401, 1500000);
	add_times_in(&maker, db, 4026532402, 500000);
	add_times_in(&maker, web, 0xeffffffc, 100000);
	add_times_in(&maker, web, 0, 50000);
	profile = maker_load(&maker);
	assert_int_equal(profile_times_init(&times, profile), 0);
	assert_int_equal(times.namespaces.count, 4);
	assert_int_equal(times.namespaces.items[0].container, web);
	assert_int_equal(times.namespaces.items[0].containers, 2);
	assert_int_equal(times.namespaces.items[0].woken[60], 21);
	assert_int_equal(times.containers.items[db].woken[60], 21);
	options.histograms = true;
	out = open_memstream(&text, &size);
	assert_int_equal(render_run_queue_text(&times, profile, &options, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "\n4026532402 db\n   after a waking\n"));
	assert_non_null(strstr(text, "PID NAMESPACE "));
	assert_non_null(strstr(text, "4026532401 web +1         0 ns       21     5.50 ms"));
	assert_non_null(strstr(text, "4026532402 db             0 ns        7      500 µs"));
	assert_non_null(strstr(text, "the host's                0 ns        7      100 µs"));
	assert_non_null(strstr(text, "(kernel, or not known)    0 ns        7     50.0 µs"));
	assert_null(strstr(text, "Who ran"));
	free(text);
	profile_times_deinit(&times);
	profile_free(profile);
}

static void test_waits__who_still_waits_for_a_cpu_at_the_end_has_the_time_without_a_count(void **state)
{
	struct recording_times row = {.woken_ns = 250000000, .preempted_ns = 40000000};
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	row.container = maker_container(&maker, CONTAINER_CONTAINER, "starved", "abc", "");
	assert_int_equal(recording_writer_times(maker.writer, &row, &(uint32_t){0}), 0);
	profile = maker_load(&maker);
	text = printed(profile, true, false);
	assert_non_null(strstr(
		text, "starved      0 ns        0      250 ms          -          -            0       40.0 ms"));
	assert_null(strstr(text, "Who ran"));
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits__places_are_calls_and_functions_that_are_not_the_schedulers),
		cmocka_unit_test(test_waits__a_wait_for_another_container_is_not_by_design),
		cmocka_unit_test(test_waits__nobody_waits_for_kernel_threads_and_shims),
		cmocka_unit_test(test_waits__who_is_killed_has_not_waited_for_it),
		cmocka_unit_test(test_waits__who_ended_most_is_told_however_many_ended_little),
		cmocka_unit_test(test_waits__sums_that_have_no_room_stay_large),
		cmocka_unit_test(test_waits__an_interrupt_wakes_not_whom_it_interrupted),
		cmocka_unit_test(test_waits__times_and_queues_are_summed_up),
		cmocka_unit_test(test_waits__who_still_waits_for_a_cpu_at_the_end_has_the_time_without_a_count),
		cmocka_unit_test(test_waits__flame_graph_has_both_ends_joined),
		cmocka_unit_test(test_waits__both_ends_are_in_the_calls_that_their_stacks_show),
		cmocka_unit_test(test_waits__a_chosen_container_is_told_as_waiter_and_as_waker),
		cmocka_unit_test(test_waits__a_chosen_container_is_told_where_it_runs_while_others_wait),
		cmocka_unit_test(test_waits__offcpu_shows_wakers_and_its_account),
		cmocka_unit_test(test_waits__account_has_blocks_that_are_not_read_into_memory),
		cmocka_unit_test(test_waits__stacks_that_a_cut_recording_lacks_are_in_its_account),
		cmocka_unit_test(test_waits__n_bounds_both_tables),
		cmocka_unit_test(test_waits__no_two_columns_of_runqlat_are_called_the_same),
		cmocka_unit_test(test_waits__runqlat_says_who_ran),
		cmocka_unit_test(test_waits__json_has_null_for_what_is_not_known),
		cmocka_unit_test(test_waits__json_says_which_state_was_asked_for),
		cmocka_unit_test(test_waits__runqlat_by_pid_namespace_sums_what_shares_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
