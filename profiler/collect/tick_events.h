/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tick_events: a tick_event on each online CPU, or on one.
 *
 * Either all CPUs tick by cycles or all by the clock. CPUs may come and go: tick_events_look() gives one that came an event,
 * and moves the only one from a CPU that went.
 */
#ifndef STOKER_TICK_EVENTS_H
#define STOKER_TICK_EVENTS_H

#include "profiler/collect/tick_event.h"
#include "symbolizer/base/array.h"

struct tick_events_counts {
	uint64_t came, went; /* events, after the start */
	uint64_t missed;     /* looks at which an online CPU could not be given one; each CPU counts */
	int error;	     /* why, the last time: a negative errno */
};

/* All-zero: none. */
struct tick_events {
	ARRAY(struct tick_event) list;
	struct bpf_program *program;
	struct tick_rate rate;
	bool one;
	const char *name;   /* "cycles" or "cpu-clock" */
	uint64_t period_ns; /* between two ticks of the clock; 0 for cycles, whose rate the kernel holds */
	size_t cpus;	    /* that had one at the start */
	uint64_t looks;
	struct tick_events_counts counts;
};

/**
 * tick_events_open() - events with @program attached, ticking
 * @hz: ticks a second, at least 1
 * Returns 0, or the error of tick_event_open(). To be given to tick_events_stop() also after an error.
 */
int tick_events_open(struct tick_events *events, struct bpf_program *program, uint64_t hz);
/* Likewise, of the clock of one CPU, the first that is there. */
int tick_events_open_one(struct tick_events *events, struct bpf_program *program, uint64_t hz);

/* Once a second: which CPUs came, and which went? What goes wrong is counted. */
void tick_events_look(struct tick_events *events);

/* For good; the counts stay. */
void tick_events_stop(struct tick_events *events);

#endif
