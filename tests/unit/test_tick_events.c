/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs tick, on a machine that is made up here: the events themselves are the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/collect/cpu_list.h"
#include "profiler/collect/tick_events.h"

#define CPUS 8

struct bpf_link {
	bool open, dead;
};

static struct bpf_link links[CPUS];
static const char *online;
static bool has_pmu;
static int refused_by, error;
static struct bpf_program *const program = (struct bpf_program *)links;

int tick_event_open(struct tick_event *event, struct bpf_program *attached, const struct tick_rate *rate, int cpu)
{
	assert_ptr_equal(attached, program);
	assert_int_equal(rate->hz, 99);
	if (rate->hardware && !has_pmu)
		return -ENOENT;
	if (!cpu_list_has(online, cpu))
		return -ENODEV;
	if (cpu == refused_by)
		return error;
	assert_false(links[cpu].open);
	links[cpu] = (struct bpf_link){.open = true};
	*event = (struct tick_event){.cpu = cpu, .fd = -1, .link = &links[cpu]};
	return 0;
}

void tick_event_close(struct tick_event *event)
{
	assert_true(event->link->open);
	event->link->open = false;
}

bool tick_event_runs(struct tick_event *event)
{
	return !event->link->dead;
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
		links[cpu].dead |= !cpu_list_has(list, cpu);
}

static void expect_ticking(const char *list)
{
	for (int cpu = 0; cpu < CPUS; cpu++)
		assert_int_equal(links[cpu].open && !links[cpu].dead, cpu_list_has(list, cpu));
}

static int set_up(void **state)
{
	memset(links, 0, sizeof(links));
	has_pmu = false;
	refused_by = -1;
	online = "0-3";
	return 0;
}

static void test_tick_events__lists_are_read_as_the_kernel_writes_them(void **state)
{
	assert_true(cpu_list_has("0-3,6,10-11\n", 0));
	assert_true(cpu_list_has("0-3,6,10-11\n", 3));
	assert_false(cpu_list_has("0-3,6,10-11\n", 4));
	assert_true(cpu_list_has("0-3,6,10-11\n", 6));
	assert_false(cpu_list_has("0-3,6,10-11\n", 1011));
	assert_true(cpu_list_has("0-3,6,10-11\n", 11));
	assert_true(cpu_list_has("0", 0));
	assert_false(cpu_list_has("0", 1));
	assert_false(cpu_list_has("\n", 0));
	assert_false(cpu_list_has("", 0));
}

static void test_tick_events__online_cpus_tick_by_cycles_or_all_by_the_clock(void **state)
{
	struct tick_events events;

	online = "0,2-3";
	has_pmu = true;
	assert_int_equal(tick_events_open(&events, program, 99), 0);
	assert_string_equal(events.name, "cycles");
	assert_int_equal(events.period_ns, 0);
	expect_ticking("0,2-3");
	tick_events_stop(&events);
	expect_ticking("");
	has_pmu = false;
	assert_int_equal(tick_events_open(&events, program, 99), 0);
	assert_string_equal(events.name, "cpu-clock");
	assert_int_equal(events.period_ns, 1000000000 / 99);
	assert_int_equal(events.cpus, 3);
	expect_ticking("0,2-3");
	tick_events_stop(&events);
	refused_by = 2;
	error = -EACCES;
	assert_int_equal(tick_events_open(&events, program, 99), -EACCES);
	tick_events_stop(&events);
	expect_ticking("");
}

static void test_tick_events__a_cpu_that_comes_online_ticks_and_one_that_went_ticks_again(void **state)
{
	struct tick_events events;

	assert_int_equal(tick_events_open(&events, program, 99), 0);
	for (int i = 0; i < 20; i++)
		tick_events_look(&events);
	expect_ticking("0-3");
	assert_int_equal(events.counts.came + events.counts.went, 0);
	set_online("0-5");
	tick_events_look(&events);
	expect_ticking("0-5");
	set_online("0,2-5");
	tick_events_look(&events);
	expect_ticking("0,2-5");
	set_online("0-5");
	tick_events_look(&events);
	expect_ticking("0-5");
	assert_int_equal(events.counts.came, 3);
	assert_int_equal(events.counts.went, 1);
	assert_int_equal(events.cpus, 4);
	/* Between two looks. */
	set_online("0,2-5");
	set_online("0-5");
	for (int i = 0; i < 5; i++)
		tick_events_look(&events);
	expect_ticking("0-5");
	assert_int_equal(events.counts.came, 4);
	assert_int_equal(events.counts.missed, 0);
	tick_events_stop(&events);
	tick_events_look(&events);
	expect_ticking("");
}

static void test_tick_events__the_only_event_moves_from_a_cpu_that_went(void **state)
{
	struct tick_events events;

	assert_int_equal(tick_events_open_one(&events, program, 99), 0);
	expect_ticking("0");
	tick_events_look(&events);
	expect_ticking("0");
	set_online("2-3");
	tick_events_look(&events);
	expect_ticking("2");
	set_online("0-3");
	tick_events_look(&events);
	expect_ticking("2");
	tick_events_stop(&events);
}

static void test_tick_events__a_cpu_that_cannot_have_one_is_counted_and_tried_again(void **state)
{
	struct tick_events events;

	assert_int_equal(tick_events_open(&events, program, 99), 0);
	refused_by = 4;
	error = -EMFILE;
	set_online("0-5");
	tick_events_look(&events);
	tick_events_look(&events);
	expect_ticking("0-3,5");
	assert_int_equal(events.counts.missed, 2);
	assert_int_equal(events.counts.error, -EMFILE);
	refused_by = -1;
	tick_events_look(&events);
	expect_ticking("0-5");
	/* Gone again between the look and the opening. */
	refused_by = 6;
	error = -ENODEV;
	set_online("0-6");
	tick_events_look(&events);
	assert_int_equal(events.counts.missed, 2);
	tick_events_stop(&events);
}

static void test_tick_events__none_that_was_opened_looks_at_nothing(void **state)
{
	struct tick_events events = {0};

	tick_events_look(&events);
	tick_events_stop(&events);
	expect_ticking("");
}

#define AFRESH(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AFRESH(test_tick_events__lists_are_read_as_the_kernel_writes_them),
		AFRESH(test_tick_events__online_cpus_tick_by_cycles_or_all_by_the_clock),
		AFRESH(test_tick_events__a_cpu_that_comes_online_ticks_and_one_that_went_ticks_again),
		AFRESH(test_tick_events__the_only_event_moves_from_a_cpu_that_went),
		AFRESH(test_tick_events__a_cpu_that_cannot_have_one_is_counted_and_tried_again),
		AFRESH(test_tick_events__none_that_was_opened_looks_at_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
