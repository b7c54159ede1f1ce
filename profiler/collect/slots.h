/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: which container a slot of the BPF programs is (bpf/shared_waits.h).
 */
#ifndef STOKER_SLOTS_H
#define STOKER_SLOTS_H

#include <stdint.h>

#include "bpf/shared_waits.h"
#include "profiler/collect/owners.h"

struct slots {
	int map_fd;
	struct owners *owners; /* the caller's */
	bool known[SLOTS_MAX];
	uint64_t cgroup_ids[SLOTS_MAX];
};

void slots_init(struct slots *slots, int map_fd, struct owners *owners);

/* Reads which cgroups have which slots by now: before rows that name slots are looked at. 0 or a negative errno. */
int slots_refresh(struct slots *slots);

/* The container row of a slot. 0 or -ENOMEM. */
int slots_row(struct slots *slots, uint32_t slot, uint32_t *ret_row);

#endif
