/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_ring: what is mapped and executed on one CPU, in a ring that the kernel writes.
 *
 * A perf event that counts nothing (PERF_COUNT_SW_DUMMY) and records mappings and execs. A CPU that goes offline takes its
 * event along for good, also where it comes back; what the ring holds by then can still be read.
 *
 * Format: perf_event_open(2), include/uapi/linux/perf_event.h in the kernel tree.
 */
#ifndef STOKER_RECORD_RING_H
#define STOKER_RECORD_RING_H

#include <stdbool.h>
#include <stdint.h>

#define RECORD_BYTES_MAX (1u << 16)
/* What sample_id_all puts at the end of every record: PERF_SAMPLE_TIME is the only field asked for. */
#define RECORD_TIME_BYTES sizeof(uint64_t)

struct perf_event_mmap_page;

struct record_ring {
	int cpu;
	int fd; /* readable (poll) when there are records */
	struct perf_event_mmap_page *control;
	uint64_t head, tail; /* of what is being read */
	uint64_t time_ns;    /* of the record at the tail */
	uint64_t ran_ns;     /* as of the last record_ring_runs() */
	bool gone;	     /* the reader's: to be closed */
};

/* Opens and starts it. Returns 0, -ENODEV (the CPU is not online), or what perf_event_open(2) or mmap(2) gave. */
int record_ring_open(struct record_ring *ring, int cpu);
void record_ring_close(struct record_ring *ring);

/* Has the event run since this was last asked, some ms ago at least? */
bool record_ring_runs(struct record_ring *ring);

/*
 * To read all that there is now: record_ring_begin(); record_ring_at_record() as often as there is another one, and
 * record_ring_take() to have it, of at most RECORD_BYTES_MAX; record_ring_end(), which gives the room back. Where a record makes no
 * sense all after it is skipped.
 */
void record_ring_begin(struct record_ring *ring);
bool record_ring_at_record(struct record_ring *ring);
void record_ring_take(struct record_ring *ring, void *record);
void record_ring_end(struct record_ring *ring);

#endif
