/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hotspots: where containers spend their time in the kernel that they share.
 *
 * First form: from on-CPU samples alone. Waiting (locks, blocked, run queue) is not seen, and who causes a hotspot is
 * not told: only where it is, and in which containers.
 */
#ifndef STOKER_HOTSPOTS_H
#define STOKER_HOTSPOTS_H

#include "profiler/profile/profile.h"

#define HOTSPOT_PARTS_MAX 16
#define HOTSPOT_BELOW_MAX 5

enum hotspot_kind {
	HOTSPOT_ENTRY,	  /* how the kernel was entered: a system call by name, "page fault", "interrupt" … */
	HOTSPOT_FUNCTION, /* a function that was itself on the CPU */
};

struct hotspot_part {
	uint32_t number; /* container row; below: frame row */
	uint64_t samples;
};

struct hotspot {
	enum hotspot_kind kind;
	string_id name; /* in hotspots.names */
	uint64_t samples;
	double share;	  /* of all kernel samples, 0 … 1 */
	double effective; /* number of containers in which it is hot: 1 / sum of p², p a container's part of it */
	struct hotspot_part parts[HOTSPOT_PARTS_MAX]; /* containers with at least 2 % of it, largest first */
	size_t part_count;
	struct hotspot_part below[HOTSPOT_BELOW_MAX]; /* functions that were on the CPU under it, hottest first */
	size_t below_count;
};

struct hotspots {
	struct string_table names;
	uint64_t kernel_samples;
	ARRAY(struct hotspot) list; /* best first */
};

/**
 * hotspots_find() - rank kernel entries and functions by their share of all kernel time
 * A function that alone makes up a fifth of all kernel time goes before the system calls that lead to it; what has
 * less than 1 % is left out, and with fewer than HOTSPOTS_SAMPLES_MIN kernel samples all of it.
 * Returns 0 or -ENOMEM; @hotspots is to be given to hotspots_deinit() either way.
 */
int hotspots_find(const struct profile *profile, struct hotspots *hotspots);
void hotspots_deinit(struct hotspots *hotspots);

#define HOTSPOTS_SAMPLES_MIN 50

#endif
