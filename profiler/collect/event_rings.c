/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/event_rings.h"

#include <errno.h>
#include <sys/epoll.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define EVENT_HEADER_BYTES 8 /* BPF_RINGBUF_HDR_SZ: of each event in the ring */

/* libbpf stops where a taker fails, behind what that one took. No taker fails with this one. */
#define ROUND_IS_OVER (-ECANCELED)

static int consume(struct event_ring *ring)
{
	int taken = ring->left > 0 ? ring_buffer__consume(ring->buffer) : 0;

	return taken < 0 && taken != ROUND_IS_OVER ? taken : 0;
}

static int take(void *data, void *bytes, size_t size)
{
	struct event_ring *ring = data, *first = ring->rings->list;
	int err = ring == first ? 0 : consume(first);

	if (!err)
		err = ring->take(ring->data, bytes, size);
	ring->left -= (int64_t)(size + EVENT_HEADER_BYTES);
	return !err && ring->left <= 0 ? ROUND_IS_OVER : err;
}

int event_rings_add(struct event_rings *rings, int map_fd, event_taker taker, void *data)
{
	struct event_ring *ring = &rings->list[rings->count];
	struct epoll_event event = {.events = EPOLLIN};
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (rings->count >= EVENT_RINGS_MAX)
		return -E2BIG;
	if (bpf_obj_get_info_by_fd(map_fd, &info, &size))
		return -errno;
	*ring = (struct event_ring){.rings = rings, .take = taker, .data = data, .bytes = info.max_entries};
	ring->buffer = ring_buffer__new(map_fd, take, ring, NULL);
	if (!ring->buffer)
		return -errno;
	if (rings->count &&
	    epoll_ctl(event_rings_fd(rings), EPOLL_CTL_ADD, ring_buffer__epoll_fd(ring->buffer), &event)) {
		ring_buffer__free(ring->buffer);
		return -errno;
	}
	rings->count++;
	return 0;
}

void event_rings_deinit(struct event_rings *rings)
{
	for (size_t i = rings->count; i > 0; i--)
		ring_buffer__free(rings->list[i - 1].buffer);
	rings->count = 0;
}

int event_rings_fd(const struct event_rings *rings)
{
	return rings->count ? ring_buffer__epoll_fd(rings->list[0].buffer) : -1;
}

int event_rings_read(struct event_rings *rings)
{
	int err = 0;

	for (size_t i = 0; i < rings->count; i++)
		rings->list[i].left = rings->list[i].bytes;
	for (size_t i = 0; i < rings->count && !err; i++)
		err = consume(&rings->list[i]);
	return err;
}
