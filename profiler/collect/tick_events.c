/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/tick_events.h"

#include <errno.h>

#include "profiler/collect/cpu_list.h"

/* To ask an event whether it runs interrupts its CPU: one that went and came back between two looks waits for that. */
#define LOOKS_PER_CHECK 5

static int open_on(struct tick_events *events, int cpu)
{
	struct tick_event event;
	int err;

	if (array_reserve(&events->list, 1))
		return -ENOMEM;
	err = tick_event_open(&event, events->program, &events->rate, cpu);
	if (!err)
		*array_add(&events->list) = event;
	return err;
}

/* CPUs that are possible but not online refuse with ENODEV. */
static int open_all(struct tick_events *events)
{
	int cpus = tick_event_cpus(), err = 0;

	for (int cpu = 0; cpu < cpus && !err && !(events->one && events->list.count); cpu++) {
		err = open_on(events, cpu);
		if (err == -ENODEV && !(events->rate.hardware && !cpu))
			err = 0;
	}
	events->cpus = events->list.count;
	return err ? err : events->list.count ? 0 : -ENODEV;
}

static void close_all(struct tick_events *events)
{
	for (size_t i = 0; i < events->list.count; i++)
		tick_event_close(&events->list.items[i]);
	array_deinit(&events->list);
}

static int open_by(struct tick_events *events, bool hardware)
{
	events->rate.hardware = hardware;
	events->name = hardware ? "cycles" : "cpu-clock";
	events->period_ns = hardware ? 0 : 1000000000ull / events->rate.hz;
	return open_all(events);
}

int tick_events_open(struct tick_events *events, struct bpf_program *program, uint64_t hz)
{
	*events = (struct tick_events){.program = program, .rate.hz = hz};
	if (!open_by(events, true))
		return 0;
	close_all(events);
	return open_by(events, false);
}

int tick_events_open_one(struct tick_events *events, struct bpf_program *program, uint64_t hz)
{
	*events = (struct tick_events){.program = program, .rate.hz = hz, .one = true};
	return open_by(events, false);
}

static void close_gone(struct tick_events *events, const char *online)
{
	bool check = ++events->looks % LOOKS_PER_CHECK == 0;
	size_t kept = 0;

	for (size_t i = 0; i < events->list.count; i++) {
		struct tick_event event = events->list.items[i];

		if (cpu_list_has(online, event.cpu) && (!check || tick_event_runs(&event))) {
			events->list.items[kept++] = event;
			continue;
		}
		tick_event_close(&event);
		events->counts.went++;
	}
	events->list.count = kept;
}

static bool has_event(const struct tick_events *events, int cpu)
{
	for (size_t i = 0; i < events->list.count; i++)
		if (events->list.items[i].cpu == cpu)
			return true;
	return false;
}

void tick_events_look(struct tick_events *events)
{
	int cpus = events->program ? tick_event_cpus() : 0, err;
	char online[CPU_LIST_BYTES];

	if (!cpus || !tick_event_online(online, sizeof(online)))
		return;
	close_gone(events, online);
	for (int cpu = 0; cpu < cpus && !(events->one && events->list.count); cpu++) {
		if (!cpu_list_has(online, cpu) || has_event(events, cpu))
			continue;
		err = open_on(events, cpu);
		/* It may have gone again meanwhile. */
		events->counts.came += !err;
		events->counts.missed += err && err != -ENODEV;
		if (err && err != -ENODEV)
			events->counts.error = err;
	}
}

void tick_events_stop(struct tick_events *events)
{
	close_all(events);
	events->program = NULL;
}
