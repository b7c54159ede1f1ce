/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tick_event: a perf event on one CPU, which runs a program at a rate; and which CPUs there are to have one.
 *
 * Cycles of the CPU where there is a PMU to count them, which also ticks where interrupts are off; else, as in most
 * virtual machines, the CPU's clock. A CPU that goes offline takes its event along for good, also where it comes back.
 */
#ifndef STOKER_TICK_EVENT_H
#define STOKER_TICK_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_link;
struct bpf_program;

struct tick_rate {
	bool hardware; /* cycles */
	uint64_t hz;
};

struct tick_event {
	int cpu;
	int fd;		       /* the link's */
	struct bpf_link *link; /* to the program */
	uint64_t ran_ns;       /* as of the last tick_event_runs() */
};

/**
 * tick_event_open() - an event with @program attached, ticking
 * Returns 0, -ENODEV (the CPU is not online), -EACCES or -EPERM (perf_event_paranoid), -EINVAL (@hz is more than
 * perf_event_max_sample_rate), -ENOMEM, or what else perf_event_open(2) gave.
 */
int tick_event_open(struct tick_event *event, struct bpf_program *program, const struct tick_rate *rate, int cpu);
void tick_event_close(struct tick_event *event);

/* Has it run since this was last asked, some ms ago at least? */
bool tick_event_runs(struct tick_event *event);

/* CPUs that there can be: their numbers are below. Or a negative errno. */
int tick_event_cpus(void);

/* Those that are online as the kernel lists them, "0-3,6"; at most @size - 1 bytes of it. False where it does not say. */
bool tick_event_online(char *list, size_t size);

#endif
