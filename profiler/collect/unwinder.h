/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwinder: keeps the kernel's tables for walking user stacks up with what runs on the host.
 *
 * Two threads: one follows what processes map and execute and is woken for each, one parses files and loads their rows. So a
 * new process of known files is walked within a fraction of a millisecond, however busy the rest of the recorder is.
 */
#ifndef STOKER_UNWINDER_H
#define STOKER_UNWINDER_H

#include "profiler/collect/new_mappings.h"
#include "profiler/collect/unwind_processes.h"
#include "profiler/collect/unwind_tables.h"

struct unwinder;

struct unwinder_counts {
	struct unwind_tables_counts tables;
	struct unwind_processes_counts processes;
	uint64_t records_lost;
	uint64_t cpus_missed; /* process_records_missed() */
};

/**
 * unwinder_new() - follow records, read the processes that there are, start to load
 * @fds: the sampler's; must stay open
 * @parser: stays the caller's, and must live longer
 * @memory_bytes: for rows, at least UNWIND_MEMORY_MIN
 * Returns 0, -ENOMEM, or why processes cannot be followed.
 */
int unwinder_new(const struct walk_map_fds *fds, struct unwind_parser *parser, uint64_t memory_bytes,
		 struct unwinder **ret_unwinder);
void unwinder_free(struct unwinder *unwinder);

/*
 * Returns when the files of all processes that were busy at the start are loaded, when none of them was for @idle_ms (less the
 * time in which we had no CPU), or after @timeout_ms.
 */
void unwinder_wait(struct unwinder *unwinder, int idle_ms, int timeout_ms);

/* A sample of the process went through code that the tables do not know: its mappings are read again, soon. */
void unwinder_look_again(struct unwinder *unwinder, uint32_t tgid);

/* What processes have mapped, as it is followed; the unwinder's. */
struct new_mappings *unwinder_new_mappings(struct unwinder *unwinder);

struct unwinder_counts unwinder_counts(struct unwinder *unwinder);

#endif
