/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_counts: on-CPU samples from the kernel's counts: who a key stands for, and how often it came since it was last
 * written.
 *
 * A key's stack is named some time after the key came. Until then its counts wait with it.
 */
#ifndef STOKER_SAMPLE_COUNTS_H
#define STOKER_SAMPLE_COUNTS_H

#include "profiler/collect/accounts.h"
#include "profiler/collect/unnamed_stacks.h"
#include "profiler/recording/recording_writer.h"

/* A key, by its token (sampler.h). */
struct sample_key {
	uint32_t container, thread; /* rows */
	string_id call;		    /* that it was in; 0: none */
	uint32_t stack;		    /* row, once @named */
	uint8_t stack_end;
	bool named;
	bool left;	/* too many waited: named as that and no more */
	uint64_t count; /* not yet written as samples */
};

struct sample_counts {
	struct recording_writer *writer; /* these three are the caller's */
	struct stacks *stacks;
	struct accounts *accounts;
	ARRAY(struct sample_key) keys[2];
	ARRAY(uint64_t) touched; /* tokens with a count to be written */
	struct unnamed_stacks unnamed;
	uint64_t left; /* samples written without their stack, as too many waited for their names */
};

/* All zero but for the caller's parts: none yet. */
void sample_counts_deinit(struct sample_counts *counts);

/* Is it a key of which nothing is known yet? Numbers come in order. */
bool sample_counts_is_new(const struct sample_counts *counts, uint64_t token);

/* A new key; @key says who it is, up to @call. 0 or -ENOMEM. */
int sample_counts_add_key(struct sample_counts *counts, uint64_t token, const struct sample_key *key,
			  const struct stack_event *event, struct process *process);

/* A known key's samples: counted in its container's account, too. 0 or -ENOMEM. */
int sample_counts_add(struct sample_counts *counts, uint64_t token, uint64_t count);

/**
 * sample_counts_write() - one round of names, and rows for what has its name
 * @all: nothing new comes any more: as many rounds as it takes
 * @tick, @time_ns: now, as for processes_find() and in the rows
 * Returns 0 or -ENOMEM.
 */
int sample_counts_write(struct sample_counts *counts, bool all, uint64_t tick, uint64_t time_ns);

/* After sample_counts_write(): the keys of a set are gone, and none of them came since that round began. */
void sample_counts_clear(struct sample_counts *counts, uint32_t set);

#endif
