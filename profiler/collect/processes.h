/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * processes: who was sampled. Each (pid, start, exec generation) once, with the snapshot that names its frames.
 *
 * A process is pinned when its first sample arrives: mappings read, files opened. It is held as long as it lives, and
 * forgotten, and its files with it, some time after it has ended. By execve(2) it ends, too, and another one begins.
 */
#ifndef STOKER_PROCESSES_H
#define STOKER_PROCESSES_H

#include "bpf/shared.h"
#include "profiler/collect/new_mappings.h"
#include "profiler/collect/sampler.h"
#include "profiler/recording/recording_writer.h"
#include "symbolizer/symbolizer.h"

struct processes;

/* Between two looks at a process that were in vain, for each reason to look: doubled each time. */
#define REFRESH_WAIT_MIN_NS 5000000ull
#define REFRESH_WAIT_MAX_NS 5000000000ull

#define PROCESS_PINS_MAX 4 /* snapshots of one process that are taken anew */

struct process {
	uint32_t tgid, exec_generation;
	uint64_t start_ns;
	uint64_t address_space;				     /* that the snapshot was taken for */
	uint32_t row;					     /* in the recording */
	struct symbolizer_process *snapshot;		     /* NULL for kernel threads */
	struct symbolizer_process *before[PROCESS_PINS_MAX]; /* [pins], that it took the place of */
	uint32_t pins;
	uint64_t refresh_after_ns; /* the recorder's clock: not again before */
	uint64_t refresh_wait_ns;  /* doubled by each refresh that found nothing */
	uint64_t late_look_tick;   /* the first at which it may be looked at before its stacks are named */
	uint32_t late_looks;	   /* of those, how many in a row found nothing */
	bool followed;		   /* by new_mappings */
	bool remapped;		   /* something was mapped over what the snapshot has; it is to be read again */
	uint64_t follow_after_ns;  /* likewise: of a clock_now_ns() */
	uint64_t follow_wait_ns;
	uint64_t look_after_ns; /* as refresh_after_ns, for the unwinder's tables */
	uint64_t look_wait_ns;
	uint64_t seen;	       /* tick of the last sample */
	bool replaced;	       /* another one with its pid was sampled since; as of the last processes_forget() */
	bool seen_is_anothers; /* likewise: and the programs know both by the same number, sampler_seen() */

	/* java_maps.h */
	uint64_t java_ask_after_ns; /* the recorder's clock */
	uint64_t java_wait_ns;
	uint64_t java_tried_ns; /* when it was last to be asked */
	uint64_t java_asked_ns; /* when it last was, and not put off; 0: never */
	uint32_t java_failures; /* in a row */
	bool java_under_way, java_asked, java_answered, java_put_off;
};

/* @mappings: NULL: nobody says what they map. All stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int processes_new(struct symbolizer *symbolizer, struct recording_writer *writer, struct sampler *sampler,
		  struct new_mappings *mappings, struct processes **ret_processes);
void processes_free(struct processes *processes);

/**
 * processes_find() - the process of a sample, pinned now if it is new
 * @container: its row: files that take too long cost the container that mapped them
 * @tick: when, in whole seconds since the start
 * @ret_process: valid until the next processes_forget()
 * Returns 0 or -ENOMEM.
 */
int processes_find(struct processes *processes, const struct stack_event *event, uint32_t container, uint64_t tick,
		   struct process **ret_process);

/**
 * processes_refresh() - read a process's mappings again where one of its frames lies outside of them
 * @user: [count]
 * @now_ns: a clock that runs: what is in vain is done less and less often
 * Returns 0 or -ENOMEM.
 */
int processes_refresh(struct process *process, const uint64_t *user, size_t count, uint64_t now_ns);

/*
 * The same before stacks are named, where it was not worth a look when they came: such a stack may be the only one of its
 * kind to come, as the others are counted in the kernel. Once a tick, and not if it was too often for nothing.
 */
int processes_look_late(struct process *process, const uint64_t *user, size_t count, uint64_t tick);

/*
 * Reads those processes again that have mapped something in another mapping's place: no address lies outside of their
 * snapshots, and what it is called is not true any more. Once a tick: for a tenth of a second, and the next one goes on; who
 * is read in vain is read less and less often. 0 or -ENOMEM.
 */
int processes_follow(struct processes *processes);

/* The thread row of a sample. 0 or -ENOMEM. */
int processes_thread(struct processes *processes, const struct process *process, const struct stack_event *event,
		     uint32_t *ret_row);

/* Lets go of processes that have ended, or run another program by now, and were not sampled since @before. */
void processes_forget(struct processes *processes, uint64_t before);

/* It lives no more, or runs another program by now: the same that processes_forget() goes by. */
bool processes_has_ended(const struct process *process);

/* The one with a row, or NULL where it was forgotten. */
struct process *processes_find_row(struct processes *processes, uint32_t row);

/* Those known now, for a walk. */
size_t processes_count(const struct processes *processes);
struct process *processes_at(struct processes *processes, size_t number);

#endif
