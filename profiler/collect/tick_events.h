/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tick_events: a perf event on each online CPU, or on one, which runs a program at a rate.
 *
 * Cycles of the CPU where there is a PMU to count them, which also ticks where interrupts are off; else, as in most
 * virtual machines, the CPU's clock. Either all CPUs have the one or all have the other.
 */
#ifndef STOKER_TICK_EVENTS_H
#define STOKER_TICK_EVENTS_H

#include <stdint.h>

#include "symbolizer/base/array.h"

struct bpf_link;
struct bpf_program;

/* All-zero: none. */
struct tick_events {
	ARRAY(int) fds;			/* one for each online CPU, or the only one */
	ARRAY(struct bpf_link *) links; /* to the program; gone once stopped */
	const char *name;		/* "cycles" or "cpu-clock" */
	uint64_t period_ns;		/* between two ticks of the clock; 0 for cycles, whose rate the kernel holds */
};

/**
 * tick_events_open() - events with @program attached, which do not tick yet
 * @hz: ticks a second, at least 1
 * Returns 0, -EACCES or -EPERM (perf_event_paranoid), -EINVAL (@hz is more than perf_event_max_sample_rate), -ENOMEM, or what
 * else perf_event_open(2) gave. To be given to tick_events_deinit() also after an error.
 */
int tick_events_open(struct tick_events *events, struct bpf_program *program, uint64_t hz);
/* Likewise, of the clock of one CPU, the first that is there. */
int tick_events_open_one(struct tick_events *events, struct bpf_program *program, uint64_t hz);
void tick_events_start(struct tick_events *events);

/* For good; how many CPUs ticked stays known. */
void tick_events_stop(struct tick_events *events);
void tick_events_deinit(struct tick_events *events);

#endif
