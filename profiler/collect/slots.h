/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: which container a slot of the BPF programs is (bpf/shared_waits.h), and how its place is given to another one.
 *
 * A cgroup that was removed has no task any more, but for those that are on their way off their CPU. A second later its slot is
 * ended: no program counts for it from then on. What it has counted is read and emptied, and the next slot of its place goes
 * into the programs' queue. What names the old one still (who ran, woke or held a lock) is told as the container that it was.
 */
#ifndef STOKER_SLOTS_H
#define STOKER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared_waits.h"
#include "profiler/collect/owners.h"

struct stoker_bpf;

#define PAST_SLOTS 16 /* of one place, whose containers are remembered */

struct slot_place {
	uint32_t slot; /* that it has, or that is in the queue */
	bool awaited;  /* given to somebody of whom nothing was told then */
	bool given;    /* to: */
	struct slot_key key;
	uint32_t row;	     /* of its container */
	uint64_t gone_since; /* tick at which its cgroup was gone; 0: it is there */
};

struct slots {
	struct owners *owners; /* the caller's */
	int keys_fd, shares_fd, free_fd;
	uint32_t *valid; /* [SLOTS_MAX], the programs' */
	struct slot_place at[SLOTS_MAX];
	bool due[SLOTS_MAX]; /* ended: counters are to be read for the last time, and emptied */
	struct {
		uint32_t slot, row;
	} past[SLOTS_MAX][PAST_SLOTS];
	uint64_t tick;
};

/* Fills the queue: before programs run. 0 or a negative errno. */
int slots_init(struct slots *slots, struct stoker_bpf *skeleton, struct owners *owners);

/* Reads which cgroups have which slots by now: before rows that name slots are looked at. 0 or a negative errno. */
int slots_refresh(struct slots *slots);

/**
 * slots_end() - once a second, after slots_refresh(): ends the slots of cgroups that are gone
 * Returns true where any is due; then no program counts for it any more. The counters being empty, slots_return().
 */
bool slots_end(struct slots *slots);
/* 0 or a negative errno. */
int slots_return(struct slots *slots);

/* The slot whose counters lie at a place, 0 where there is none: what is counted there is for the next time. */
uint32_t slots_counted(const struct slots *slots, uint32_t place);

/* False where it is not known yet whose it is: what is counted for it is for the next time. */
bool slots_known(const struct slots *slots, uint32_t slot);

/* True where nothing will be counted for it any more. */
bool slots_over(const struct slots *slots, uint32_t slot);

/* The container row of a slot. 0 or -ENOMEM. */
int slots_row(struct slots *slots, uint32_t slot, uint32_t *ret_row);

/* Its pid namespace, as PID_NAMESPACE(); 0 where that is not known: the kernel's, others', a task's that had ended. */
uint64_t slots_pid_namespace(const struct slots *slots, uint32_t slot);

#endif
