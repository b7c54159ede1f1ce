/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_rings: the ring buffers through which BPF programs send events, read in rounds that end.
 *
 * A round reads of each ring what may have lain there as it began: as much as the ring holds, and no more. Without that bound
 * a reader that gets little CPU would read for as long as more comes faster than it reads, and nothing would ever be
 * written. What does not fit meanwhile is lost by the programs, which count it.
 */
#ifndef STOKER_EVENT_RINGS_H
#define STOKER_EVENT_RINGS_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_RINGS_MAX 4

struct ring_buffer;

/* Returns 0, or a negative errno, which ends the round. */
typedef int (*event_taker)(void *data, void *bytes, size_t size);

struct event_ring {
	struct event_rings *rings;
	struct ring_buffer *buffer;
	event_taker take;
	void *data;
	uint32_t bytes; /* that it holds */
	int64_t left;	/* of this round */
};

/* All zero: none. Stays where it is once there is a ring. */
struct event_rings {
	struct event_ring list[EVENT_RINGS_MAX];
	size_t count;
};

/* The first one leads: see event_rings_read(). 0, -ENOMEM, -E2BIG or an errno of the kernel. */
int event_rings_add(struct event_rings *rings, int map_fd, event_taker take, void *data);
void event_rings_deinit(struct event_rings *rings);

/* Becomes readable when a program wants its events read. -1: there is no ring. */
int event_rings_fd(const struct event_rings *rings);

/*
 * A round. What was sent to the first ring before an event of another one has been taken by then, unless the first one's
 * round was over. A taker must not read. Returns 0 or a taker's errno.
 */
int event_rings_read(struct event_rings *rings);

#endif
