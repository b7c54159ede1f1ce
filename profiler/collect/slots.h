/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: which container a slot of the BPF programs is (bpf/shared_waits.h).
 */
#ifndef STOKER_SLOTS_H
#define STOKER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared_waits.h"
#include "profiler/collect/owners.h"

struct slots {
	int map_fd;
	struct owners *owners; /* the caller's */
	bool known[SLOTS_MAX];
	struct slot_key keys[SLOTS_MAX];
};

void slots_init(struct slots *slots, int map_fd, struct owners *owners);

/* Reads which cgroups have which slots by now: before rows that name slots are looked at. 0 or a negative errno. */
int slots_refresh(struct slots *slots);

/* Whether it is known whose it is: what is counted for another one is for the next time. */
bool slots_known(const struct slots *slots, uint32_t slot);

/* The container row of a slot. 0 or -ENOMEM. */
int slots_row(struct slots *slots, uint32_t slot, uint32_t *ret_row);

/* Its pid namespace's inode number; 0 where that is not known: the kernel's, others', a task's that had ended. */
uint64_t slots_pid_namespace(const struct slots *slots, uint32_t slot);

#endif
