/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/record_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"

#define RING_BYTES (512ul << 10) /* a power of two: some 4,000 records */
#define PAGE_BYTES 4096ul	 /* the control page, before them */

static int open_event(int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.exclude_kernel = 1,
		.watermark = 1,
		.wakeup_watermark = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

int record_ring_open(struct record_ring *ring, int cpu)
{
	_cleanup_close_ int fd = open_event(cpu);
	void *memory;

	if (fd < 0)
		return -errno;
	memory = mmap(NULL, PAGE_BYTES + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ring = (struct record_ring){.cpu = cpu, .fd = take_fd(&fd), .control = memory};
	return 0;
}

void record_ring_close(struct record_ring *ring)
{
	munmap(ring->control, PAGE_BYTES + RING_BYTES);
	close(ring->fd);
}

bool record_ring_runs(struct record_ring *ring)
{
	struct {
		uint64_t count, enabled_ns;
	} now;
	bool runs;

	if (read(ring->fd, &now, sizeof(now)) != sizeof(now))
		return false;
	runs = now.enabled_ns != ring->ran_ns;
	ring->ran_ns = now.enabled_ns;
	return runs;
}

static void copy_out(const struct record_ring *ring, uint64_t at, void *out, size_t bytes)
{
	const char *base = (const char *)ring->control + PAGE_BYTES;
	size_t first = RING_BYTES - at % RING_BYTES;

	first = first < bytes ? first : bytes;
	memcpy(out, base + at % RING_BYTES, first);
	memcpy((char *)out + first, base, bytes - first);
}

void record_ring_begin(struct record_ring *ring)
{
	ring->head = __atomic_load_n(&ring->control->data_head, __ATOMIC_ACQUIRE);
	ring->tail = ring->control->data_tail;
}

bool record_ring_at_record(struct record_ring *ring)
{
	struct perf_event_header header;

	if (ring->tail >= ring->head)
		return false;
	copy_out(ring, ring->tail, &header, sizeof(header));
	if (header.size < sizeof(header) + RECORD_TIME_BYTES || header.size > ring->head - ring->tail) {
		ring->tail = ring->head;
		return false;
	}
	copy_out(ring, ring->tail + header.size - RECORD_TIME_BYTES, &ring->time_ns, RECORD_TIME_BYTES);
	return true;
}

void record_ring_take(struct record_ring *ring, void *record)
{
	struct perf_event_header header;

	copy_out(ring, ring->tail, &header, sizeof(header));
	copy_out(ring, ring->tail, record, header.size);
	ring->tail += header.size;
}

void record_ring_end(struct record_ring *ring)
{
	__atomic_store_n(&ring->control->data_tail, ring->tail, __ATOMIC_RELEASE);
}
