/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs tick, on a machine that is made up here: the events themselves are the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/tick_events.h"
#include "tests/unit/fake_cpus.h"

static bool has_pmu;
static struct bpf_program *const program = (struct bpf_program *)&has_pmu;

int tick_event_open(struct tick_event *event, struct bpf_program *attached, const struct tick_rate *rate, int cpu)
{
	int err;

	assert_ptr_equal(attached, program);
	assert_int_equal(rate->hz, 99);
	if (rate->hardware && !has_pmu)
		return -ENOENT;
	err = open_fake_event(cpu);
	if (!err)
		*event = (struct tick_event){.cpu = cpu, .fd = -1};
	return err;
}

void tick_event_close(struct tick_event *event)
{
	close_fake_event(event->cpu);
}

bool tick_event_runs(struct tick_event *event)
{
	return fake_event_runs(event->cpu);
}

static void expect_ticking(const char *list)
{
	for (int cpu = 0; cpu < FAKE_CPUS; cpu++)
		assert_int_equal(fake_event_runs(cpu), cpu_list_has(list, cpu));
}

static int set_up(void **state)
{
	has_pmu = false;
	begin_with_cpus("0-3");
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

	set_online("0,2-3");
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
	refuse_event(2, -EACCES);
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
	refuse_event(4, -EMFILE);
	set_online("0-5");
	tick_events_look(&events);
	tick_events_look(&events);
	expect_ticking("0-3,5");
	assert_int_equal(events.counts.missed, 2);
	assert_int_equal(events.counts.error, -EMFILE);
	refuse_event(-1, 0);
	tick_events_look(&events);
	expect_ticking("0-5");
	/* Gone again between the look and the opening. */
	refuse_event(6, -ENODEV);
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
