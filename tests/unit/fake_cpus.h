/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_cpus: for tests: a machine whose CPUs come and go, each with one event of the kernel's at the most. It stands for
 * tick_event_cpus() and tick_event_online(). Include it after cmocka.h.
 */
#ifndef STOKER_TEST_FAKE_CPUS_H
#define STOKER_TEST_FAKE_CPUS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/collect/cpu_list.h"
#include "profiler/collect/tick_event.h"

#define FAKE_CPUS 8

/* A CPU's event: dead as soon as the CPU has gone, and open until somebody closes it. */
static struct fake_event {
	bool open, dead;
} fake_events[FAKE_CPUS];
static const char *fake_online;
static int fake_refusal_cpu, fake_refusal; /* a CPU that can have no event (-1: none), and why: -errno */

int tick_event_cpus(void)
{
	return FAKE_CPUS;
}

bool tick_event_online(char *list, size_t size)
{
	snprintf(list, size, "%s\n", fake_online);
	return true;
}

static inline void begin_with_cpus(const char *list)
{
	memset(fake_events, 0, sizeof(fake_events));
	fake_refusal_cpu = -1;
	fake_online = list;
}

/* CPUs go, and take their events along. */
static inline void set_online(const char *list)
{
	fake_online = list;
	for (int cpu = 0; cpu < FAKE_CPUS; cpu++)
		fake_events[cpu].dead |= !cpu_list_has(list, cpu);
}

static inline void refuse_event(int cpu, int err)
{
	fake_refusal_cpu = cpu;
	fake_refusal = err;
}

/* 0, or -errno as perf_event_open(2) has it. */
static inline int open_fake_event(int cpu)
{
	if (!cpu_list_has(fake_online, cpu))
		return -ENODEV;
	if (cpu == fake_refusal_cpu)
		return fake_refusal;
	assert_false(fake_events[cpu].open);
	fake_events[cpu] = (struct fake_event){.open = true};
	return 0;
}

static inline void close_fake_event(int cpu)
{
	assert_true(fake_events[cpu].open);
	fake_events[cpu].open = false;
}

static inline bool fake_event_runs(int cpu)
{
	return fake_events[cpu].open && !fake_events[cpu].dead;
}

#endif
