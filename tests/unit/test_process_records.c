/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of which CPU, on a machine that is made up here: the rings themselves are the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "profiler/collect/cpu_list.h"
#include "profiler/collect/process_records.h"
#include "profiler/collect/record_ring.h"
#include "profiler/collect/tick_event.h"

#define CPUS 8

/* A CPU's event, and the process whose exec it holds; 0: none. */
static struct {
	bool open, dead;
	uint32_t executed;
	uint64_t time_ns;
} rings[CPUS];
static const char *online;
static int refused_by, error;
static unsigned int unheard; /* CPUs that came, and were told of */
static char told[64];	     /* "7 9": processes, in the order in which they were told of */

int record_ring_open(struct record_ring *ring, int cpu)
{
	if (!cpu_list_has(online, cpu))
		return -ENODEV;
	if (cpu == refused_by)
		return error;
	assert_false(rings[cpu].open);
	memset(&rings[cpu], 0, sizeof(rings[cpu]));
	rings[cpu].open = true;
	*ring = (struct record_ring){.cpu = cpu, .fd = eventfd(0, EFD_CLOEXEC)};
	return 0;
}

void record_ring_close(struct record_ring *ring)
{
	assert_true(rings[ring->cpu].open);
	rings[ring->cpu].open = false;
	close(ring->fd);
}

bool record_ring_runs(struct record_ring *ring)
{
	return !rings[ring->cpu].dead;
}

void record_ring_begin(struct record_ring *ring)
{
}

bool record_ring_at_record(struct record_ring *ring)
{
	ring->time_ns = rings[ring->cpu].time_ns;
	return rings[ring->cpu].executed;
}

void record_ring_take(struct record_ring *ring, void *record)
{
	struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		uint64_t time_ns;
	} executed = {.header = {PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, sizeof(executed)},
		      .pid = rings[ring->cpu].executed};

	memcpy(record, &executed, sizeof(executed));
	rings[ring->cpu].executed = 0;
}

void record_ring_end(struct record_ring *ring)
{
}

int tick_event_cpus(void)
{
	return CPUS;
}

bool tick_event_online(char *list, size_t size)
{
	snprintf(list, size, "%s\n", online);
	return true;
}

/* CPUs go, and take their events along. */
static void set_online(const char *list)
{
	online = list;
	for (int cpu = 0; cpu < CPUS; cpu++)
		rings[cpu].dead |= !cpu_list_has(list, cpu);
}

static void execute(int cpu, uint32_t tgid, uint64_t time_ns)
{
	if (!rings[cpu].open || rings[cpu].dead)
		return;
	rings[cpu].executed = tgid;
	rings[cpu].time_ns = time_ns;
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
	memset(rings, 0, sizeof(rings));
	told[0] = '\0';
	unheard = 0;
	refused_by = -1;
	online = "0-1";
	return process_records_new((struct process_records **)state);
}

static int tear_down(void **state)
{
	process_records_free(*state);
	for (int cpu = 0; cpu < CPUS; cpu++)
		assert_false(rings[cpu].open);
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
	assert_false(rings[1].open);
}

static void test_process_records__a_cpu_that_cannot_have_a_ring_is_counted_and_tried_again(void **state)
{
	refused_by = 3;
	error = -EMFILE;
	set_online("0-4");
	process_records_look(*state, &callbacks);
	process_records_look(*state, &callbacks);
	assert_int_equal(process_records_missed(*state), 2);
	assert_true(rings[2].open && !rings[3].open && rings[4].open);
	refused_by = -1;
	process_records_look(*state, &callbacks);
	assert_true(rings[3].open);
	/* Gone again between the look and the opening. */
	refused_by = 5;
	error = -ENODEV;
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
