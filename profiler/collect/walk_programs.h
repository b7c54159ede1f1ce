/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk_programs: the programs that keep the tables of processes up, inside the sampler's skeleton.
 */
#ifndef STOKER_WALK_PROGRAMS_H
#define STOKER_WALK_PROGRAMS_H

#include <stdbool.h>

#include "profiler/collect/walk_maps.h"

struct stoker_bpf;
struct bpf_link;

struct walk_programs {
	struct bpf_link *forked, *exited;
};

/* Before loading: what is needed on this kernel, and for these settings. */
void walk_programs_configure(struct stoker_bpf *skeleton, bool by_tables);

/* After loading. 0, or what the kernel gave; the caller detaches also after an error. */
int walk_programs_attach(struct walk_programs *programs, struct stoker_bpf *skeleton, bool by_tables);
void walk_programs_detach(struct walk_programs *programs);

struct walk_map_fds walk_programs_maps(const struct stoker_bpf *skeleton);

#endif
