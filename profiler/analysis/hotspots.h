/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hotspots: where in the one kernel the containers spend their time, and which of them meet there.
 *
 * From on-CPU samples alone: who waits (for a lock, a disk, a CPU) is not seen here. Each kernel sample is in exactly
 * one hotspot, so shares add up. A hotspot is an entry (a system call, page faults, interrupts) with all that was done
 * below it; or a kernel function, where that function is what several system calls (or a page fault) spend most of
 * their time in, or where it is known to walk a structure that all containers share: then what is left of those
 * system calls comes as a hotspot of its own, marked "rest", right behind those functions that are most of it. BPF programs at
 * tracepoints, stoker's own with them, are an entry, too: no work of the call that came by.
 */
#ifndef STOKER_HOTSPOTS_H
#define STOKER_HOTSPOTS_H

#include "profiler/profile/kernel_entry.h"
#include "profiler/profile/profile.h"
#include "symbolizer/base/array.h"

#define HOTSPOTS_SAMPLES_MIN 50 /* fewer kernel samples say nothing */

struct hotspot_container {
	uint32_t container; /* row of the profile */
	uint64_t samples;   /* of this hotspot */
	uint64_t own;	    /* all samples of this container, user and kernel */
};

struct hotspot_name {
	string_id name; /* in hotspots.strings */
	uint64_t samples;
};

struct hotspot {
	bool is_function;	     /* else an entry */
	enum kernel_entry_kind kind; /* of an entry */
	bool rest;		     /* without @without */
	string_id name;
	uint64_t samples;
	uint64_t rank;		     /* what it is sorted by: with the rest of the calls that it explains */
	double containers_effective; /* 1 / sum of squared parts, kernel threads aside; 0: none but these */
	ARRAY(struct hotspot_container) containers; /* busiest first */
	ARRAY(struct hotspot_name) functions;	    /* the leaves in it, hottest first */
	ARRAY(struct hotspot_name) entries;	    /* the system calls and others that it is under, hottest first */
	ARRAY(struct hotspot_name)
	without;	     /* of an entry: functions that are hotspots of their own, with its samples in them */
	const char *what;    /* what is known about it, a sentence; NULL: nothing */
	const char *way_out; /* NULL likewise */
};

struct hotspots {
	struct string_table strings;
	ARRAY(struct hotspot) list; /* by rank; empty where there are fewer than HOTSPOTS_SAMPLES_MIN */
	uint64_t samples;	    /* all on-CPU samples */
	uint64_t kernel_samples;
};

/* Returns 0 or -ENOMEM; deinit it in both cases. */
int hotspots_init(struct hotspots *hotspots, const struct profile *profile);
void hotspots_deinit(struct hotspots *hotspots);

#endif
