/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/process_records.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define RING_BYTES (512ul << 10) /* a power of two: some 4,000 records */
#define PAGE_BYTES 4096ul

struct ring {
	int fd;
	struct perf_event_mmap_page *control; /* one page, then RING_BYTES of records */
	uint64_t head, tail;		      /* of what is being read */
	uint64_t time;			      /* of the record at the tail */
};

struct process_records {
	int epoll;
	ARRAY(struct ring) rings;
	char record[1 << 16]; /* one that wraps around the ring's end, put together */
};

/* What precedes the time that sample_id_all puts at the end of every record: PERF_SAMPLE_TIME is the only field asked for. */
#define RECORD_TIME_BYTES sizeof(uint64_t)

struct mmap2_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, bytes, offset;
	unsigned char identity[24];
	uint32_t protection, flags;
	char path[];
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, count;
};

static int open_event(int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
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

static int add_ring(struct process_records *records, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct ring *ring = array_add(&records->rings);
	void *memory;

	if (!ring) {
		close(fd);
		return -ENOMEM;
	}
	ring->fd = fd;
	memory = mmap(NULL, PAGE_BYTES + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ring->control = memory;
	return epoll_ctl(records->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void cleanup_records(struct process_records **records)
{
	process_records_free(*records);
}

int process_records_new(struct process_records **ret_records)
{
	_cleanup_(cleanup_records) struct process_records *records = calloc(1, sizeof(*records));
	int cpus = libbpf_num_possible_cpus();

	if (!records)
		return -ENOMEM;
	records->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (records->epoll < 0)
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd = open_event(cpu), err;

		/* Possible, but not online. */
		if (fd < 0 && errno == ENODEV)
			continue;
		err = fd < 0 ? -errno : add_ring(records, fd);
		if (err)
			return err;
	}
	*ret_records = take_ptr(records);
	return 0;
}

void process_records_free(struct process_records *records)
{
	if (!records)
		return;
	for (size_t i = 0; i < records->rings.count; i++) {
		struct ring *ring = &records->rings.items[i];

		if (ring->control)
			munmap(ring->control, PAGE_BYTES + RING_BYTES);
		close(ring->fd);
	}
	array_deinit(&records->rings);
	if (records->epoll >= 0)
		close(records->epoll);
	free(records);
}

int process_records_fd(const struct process_records *records)
{
	return records->epoll;
}

static void copy_out(const struct ring *ring, uint64_t at, void *out, size_t bytes)
{
	const char *base = (const char *)ring->control + PAGE_BYTES;
	size_t first = RING_BYTES - at % RING_BYTES;

	first = first < bytes ? first : bytes;
	memcpy(out, base + at % RING_BYTES, first);
	memcpy((char *)out + first, base, bytes - first);
}

/* False at the end, and where the record there makes no sense: then all the rest is skipped. */
static bool look_at_tail(struct ring *ring)
{
	struct perf_event_header header;

	if (ring->tail >= ring->head)
		return false;
	copy_out(ring, ring->tail, &header, sizeof(header));
	if (header.size < sizeof(header) + RECORD_TIME_BYTES || header.size > ring->head - ring->tail) {
		ring->tail = ring->head;
		return false;
	}
	copy_out(ring, ring->tail + header.size - RECORD_TIME_BYTES, &ring->time, RECORD_TIME_BYTES);
	return true;
}

static void give(const struct process_records *records, uint64_t time_ns,
		 const struct process_records_callbacks *callbacks)
{
	const struct perf_event_header *header = (const void *)records->record;
	const struct mmap2_record *mapped = (const void *)records->record;
	const struct lost_record *lost = (const void *)records->record;
	size_t bytes = header->size - RECORD_TIME_BYTES;

	if (header->type == PERF_RECORD_MMAP2 && bytes > sizeof(*mapped) && mapped->protection & PROT_EXEC &&
	    memchr(mapped->path, '\0', bytes - sizeof(*mapped)) && mapped->bytes)
		callbacks->mapped(callbacks->data, mapped->pid, mapped->address, mapped->address + mapped->bytes,
				  mapped->offset, mapped->path, time_ns);
	else if (header->type == PERF_RECORD_COMM && header->misc & PERF_RECORD_MISC_COMM_EXEC)
		callbacks->executed(callbacks->data, ((const struct comm_record *)records->record)->pid);
	else if (header->type == PERF_RECORD_LOST && bytes >= sizeof(*lost))
		callbacks->lost(callbacks->data, lost->count);
}

static struct ring *earliest(struct process_records *records)
{
	struct ring *first = NULL;

	for (size_t i = 0; i < records->rings.count; i++) {
		struct ring *ring = &records->rings.items[i];

		if (look_at_tail(ring) && (!first || ring->time < first->time))
			first = ring;
	}
	return first;
}

void process_records_read(struct process_records *records, const struct process_records_callbacks *callbacks)
{
	struct perf_event_header header;
	struct ring *ring;

	for (size_t i = 0; i < records->rings.count; i++) {
		ring = &records->rings.items[i];
		ring->head = __atomic_load_n(&ring->control->data_head, __ATOMIC_ACQUIRE);
		ring->tail = ring->control->data_tail;
	}
	while ((ring = earliest(records))) {
		copy_out(ring, ring->tail, &header, sizeof(header));
		copy_out(ring, ring->tail, records->record, header.size);
		give(records, ring->time, callbacks);
		ring->tail += header.size;
	}
	for (size_t i = 0; i < records->rings.count; i++) {
		ring = &records->rings.items[i];
		__atomic_store_n(&ring->control->data_tail, ring->tail, __ATOMIC_RELEASE);
	}
}
