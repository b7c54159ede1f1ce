/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk_maps: the kernel's tables for walking user stacks (bpf/shared.h), as memory of ours.
 *
 * Programs read while we write. Single words are written whole; what several words say is made reachable by the last one
 * written.
 */
#ifndef STOKER_WALK_MAPS_H
#define STOKER_WALK_MAPS_H

#include <stdbool.h>

#include "bpf/shared.h"

/* Descriptors of the maps of these names; the sampler's. */
struct walk_map_fds {
	int processes, mappings, files, pages, rules, segments;
};

struct walk_maps {
	struct walk_map_fds fds;
	struct walk_mappings *mappings;
	struct walk_files *files;
	struct walk_pages *pages;
	struct walk_rules *rules;
	struct walk_segment *segments[WALK_SEGMENTS_MAX]; /* NULL: not made yet */
};

/**
 * walk_maps_init() - map them
 * @fds: or NULL: plain memory, which no program sees, without processes (for tests)
 * Returns 0, -ENOMEM, or what mmap(2) gave. The caller deinits also after an error.
 */
int walk_maps_init(struct walk_maps *maps, const struct walk_map_fds *fds);
void walk_maps_deinit(struct walk_maps *maps);

/* Makes a segment of rows, and has programs see it. 0 or a negative errno. */
int walk_maps_add_segment(struct walk_maps *maps, uint32_t number);

static inline struct walk_row *walk_maps_row(const struct walk_maps *maps, uint32_t row)
{
	return &maps->segments[row / WALK_SEGMENT_ROWS]->at[row % WALK_SEGMENT_ROWS];
}

/* False where the process is not known. */
bool walk_maps_process(const struct walk_maps *maps, uint32_t tgid, struct walk_process *ret);
/* 0, or -E2BIG where there are too many. */
int walk_maps_set_process(struct walk_maps *maps, uint32_t tgid, const struct walk_process *process);
void walk_maps_forget_process(struct walk_maps *maps, uint32_t tgid);

/* Calls for each process there is; one that comes or goes meanwhile may be missed or told twice. */
void walk_maps_each_process(const struct walk_maps *maps,
			    void (*call)(void *data, uint32_t tgid, const struct walk_process *process), void *data);

#endif
