/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of which CPU, on a machine that is made up here: the rings themselves are the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/perf_event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "profiler/collect/process_records.h"
#include "profiler/collect/record_ring.h"
#include "tests/unit/fake_cpus.h"

/* Of each CPU, the process whose exec its ring holds; 0: none. */
static struct {
	uint32_t tgid;
	uint64_t time_ns;
} executed[FAKE_CPUS];
static unsigned int unheard; /* CPUs that came, and were told of */
static char told[64];	     /* "7 9": processes, in the order in which they were told of */

int record_ring_open(struct record_ring *ring, int cpu)
{
	int err = open_fake_event(cpu);

	if (err)
		return err;
	executed[cpu].tgid = 0;
	*ring = (struct record_ring){.cpu = cpu, .fd = eventfd(0, EFD_CLOEXEC)};
	return 0;
}

void record_ring_close(struct record_ring *ring)
{
	close_fake_event(ring->cpu);
	close(ring->fd);
}

bool record_ring_runs(struct record_ring *ring)
{
	return fake_event_runs(ring->cpu);
}

void record_ring_begin(struct record_ring *ring)
{
}

bool record_ring_at_record(struct record_ring *ring)
{
	ring->time_ns = executed[ring->cpu].time_ns;
	return executed[ring->cpu].tgid;
}

void record_ring_take(struct record_ring *ring, void *record)
{
	struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		uint64_t time_ns;
	} comm = {.header = {PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, sizeof(comm)},
		  .pid = executed[ring->cpu].tgid};

	memcpy(record, &comm, sizeof(comm));
	executed[ring->cpu].tgid = 0;
}

void record_ring_end(struct record_ring *ring)
{
}

static void execute(int cpu, uint32_t tgid, uint64_t time_ns)
{
	if (!fake_event_runs(cpu))
		return;
	executed[cpu].tgid = tgid;
	executed[cpu].time_ns = time_ns;
}

static void take_executed(void *data, uint32_t tgid)
{
	size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%s%u", used ? " " : "", tgid);
}

static void take_lost(void *data, uint64_t count)
{
	assert_int_equal(count, 0);
	unheard++;
}

static const struct process_records_callbacks callbacks = {.executed = take_executed, .lost = take_lost};

static void expect_told(struct process_records *records, const char *expected)
{
	process_records_read(records, &callbacks);
	assert_string_equal(told, expected);
	told[0] = '\0';
}

static int set_up(void **state)
{
	told[0] = '\0';
	unheard = 0;
	begin_with_cpus("0-1");
	return process_records_new((struct process_records **)state);
}

static int tear_down(void **state)
{
	process_records_free(*state);
	for (int cpu = 0; cpu < FAKE_CPUS; cpu++)
		assert_false(fake_events[cpu].open);
	return 0;
}

static void test_process_records__are_given_in_the_order_of_their_time_across_cpus(void **state)
{
	execute(0, 7, 20);
	execute(1, 9, 10);
	expect_told(*state, "9 7");
	expect_told(*state, "");
}

static void test_process_records__a_cpu_that_comes_online_is_heard_of_and_one_that_went_again(void **state)
{
	for (int i = 0; i < 20; i++)
		process_records_look(*state, &callbacks);
	set_online("0-2");
	process_records_look(*state, &callbacks);
	execute(2, 7, 1);
	expect_told(*state, "7");
	set_online("0,2");
	process_records_look(*state, &callbacks);
	set_online("0-2");
	process_records_look(*state, &callbacks);
	execute(1, 8, 1);
	expect_told(*state, "8");
	assert_int_equal(unheard, 2);
	/* Between two looks. */
	set_online("0,2");
	set_online("0-2");
	for (int i = 0; i < 5; i++)
		process_records_look(*state, &callbacks);
	execute(1, 9, 1);
	expect_told(*state, "9");
	assert_int_equal(unheard, 3);
	assert_int_equal(process_records_missed(*state), 0);
}

static void test_process_records__what_happened_on_a_cpu_before_it_went_is_given(void **state)
{
	execute(1, 7, 1);
	set_online("0");
	process_records_look(*state, &callbacks);
	assert_string_equal(told, "7");
	assert_false(fake_events[1].open);
}

static void test_process_records__a_cpu_that_cannot_have_a_ring_is_counted_and_tried_again(void **state)
{
	refuse_event(3, -EMFILE);
	set_online("0-4");
	process_records_look(*state, &callbacks);
	process_records_look(*state, &callbacks);
	assert_int_equal(process_records_missed(*state), 2);
	assert_true(fake_events[2].open && !fake_events[3].open && fake_events[4].open);
	refuse_event(-1, 0);
	process_records_look(*state, &callbacks);
	assert_true(fake_events[3].open);
	/* Gone again between the look and the opening. */
	refuse_event(5, -ENODEV);
	set_online("0-5");
	process_records_look(*state, &callbacks);
	assert_int_equal(process_records_missed(*state), 2);
}

#define AFRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AFRESH(test_process_records__are_given_in_the_order_of_their_time_across_cpus),
		AFRESH(test_process_records__a_cpu_that_comes_online_is_heard_of_and_one_that_went_again),
		AFRESH(test_process_records__what_happened_on_a_cpu_before_it_went_is_given),
		AFRESH(test_process_records__a_cpu_that_cannot_have_a_ring_is_counted_and_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
