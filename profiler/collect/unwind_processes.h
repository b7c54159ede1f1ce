/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_processes: which process maps what where, in the kernel's tables.
 *
 * The kernel's table of processes is the truth: programs copy a parent's entry to its fork and drop that of a process that
 * ends. A list of mappings is never changed: a new one takes its place, and the old one is freed when no process has
 * referred to it for two sweeps. Not thread-safe: one thread calls all of it.
 */
#ifndef STOKER_UNWIND_PROCESSES_H
#define STOKER_UNWIND_PROCESSES_H

#include "profiler/collect/unwind_tables.h"
#include "profiler/collect/walk_maps.h"
#include "symbolizer/unwind_files.h"

struct unwind_processes;

struct unwind_processes_counts {
	uint64_t read;	  /* lists read from /proc */
	uint64_t changed; /* mappings added one by one */
	uint64_t cut;	  /* mappings of one process that had no place in its list: the most so far */
	uint64_t no_room; /* processes and lists past the tables' size */
	uint64_t gone;	  /* files that could not be opened any more */
};

/* @maps and @tables stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int unwind_processes_new(struct walk_maps *maps, struct unwind_tables *tables, struct unwind_processes **ret_processes);
void unwind_processes_free(struct unwind_processes *processes);

/* All mappings of a process, from /proc. 0, -ESRCH, -ENOSPC (no room), or -ENOMEM. */
int unwind_processes_read(struct unwind_processes *processes, uint32_t tgid);

/* The same for every process that there is and that is not known; the files of busy ones are wanted first. */
void unwind_processes_read_all(struct unwind_processes *processes);

/*
 * One more mapping: what it overlaps is gone. Errors as above. Of a process that maps and maps (map_changes.h) it is taken
 * later, together with the others.
 */
int unwind_processes_map(struct unwind_processes *processes, uint32_t tgid, const struct unwind_mapping *mapping);

/* A process runs another program now, and has no mappings yet. */
void unwind_processes_exec(struct unwind_processes *processes, uint32_t tgid);

/* A file turned out to be an interpreter of Python: the processes that map it are marked. */
void unwind_processes_find_python(struct unwind_processes *processes);

/* Once a second: frees what nothing refers to, here and in the tables. */
void unwind_processes_sweep(struct unwind_processes *processes);

struct unwind_processes_counts unwind_processes_counts(const struct unwind_processes *processes);

#endif
