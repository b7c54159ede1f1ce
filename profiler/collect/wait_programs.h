/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait_programs: which of the BPF programs for system calls, blocked time, run queue and locks are loaded.
 *
 * None unless asked for: a recording of samples alone loads no program and makes no map of theirs.
 */
#ifndef STOKER_WAIT_PROGRAMS_H
#define STOKER_WAIT_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stoker_bpf;
struct bpf_program;

struct wait_settings {
	bool locks;	       /* waits for kernel locks; see wait_programs_have_locks() */
	bool offcpu;	       /* blocked time by stack, and who ended it */
	bool runq;	       /* time in the run queue, and who ran meanwhile */
	bool syscalls;	       /* count, time and split system calls */
	bool syscall_counts;   /* count them, no more; @syscalls goes before it */
	uint64_t min_block_ns; /* shorter blocks are in their container's sums alone */
};

#define WAIT_PROGRAMS_MAX 16

/* True where anything was asked for. */
bool wait_settings_any(const struct wait_settings *settings);

/*
 * Whether this kernel tells of waits for its locks (5.19, lock:contention_begin) and is not one for real time
 * (CONFIG_PREEMPT_RT). Else wait_settings.locks must not be set.
 */
bool wait_programs_have_locks(void);

/*
 * Whether this kernel keeps each thread's times (CONFIG_SCHED_INFO) and containers' queues (CONFIG_FAIR_GROUP_SCHED), as
 * those of the distributions do. Else wait_settings.offcpu, runq and syscalls must not be set.
 */
bool wait_programs_have_times(void);

/* Before loading: programs on or off, sizes and settings of the maps. */
void wait_programs_configure(struct stoker_bpf *skeleton, const struct wait_settings *settings);

/* Just before attaching: from now on time is accounted. */
void wait_programs_start(struct stoker_bpf *skeleton);

/* Just before detaching: until now it is, also what has not ended yet. The first call counts. */
void wait_programs_stop(struct stoker_bpf *skeleton);

/**
 * wait_programs_list() - what was asked for and is to be attached, in this order; after wait_programs_configure()
 * @programs: [WAIT_PROGRAMS_MAX]
 * Returns how many.
 */
size_t wait_programs_list(struct stoker_bpf *skeleton, const struct wait_settings *settings,
			  struct bpf_program **programs);

#endif
