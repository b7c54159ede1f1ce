/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/process_records.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/collect/cpu_list.h"
#include "profiler/collect/record_ring.h"
#include "profiler/collect/tick_event.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

/* To ask an event whether it runs interrupts its CPU: one that went and came back between two looks waits for that. */
#define LOOKS_PER_CHECK 5

struct process_records {
	int epoll;
	ARRAY(struct record_ring) rings;
	uint64_t looks, missed;
	char record[RECORD_BYTES_MAX];
};

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

static int add_ring(struct process_records *records, int cpu)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct record_ring ring;
	int err;

	if (array_reserve(&records->rings, 1))
		return -ENOMEM;
	err = record_ring_open(&ring, cpu);
	if (err)
		return err;
	if (epoll_ctl(records->epoll, EPOLL_CTL_ADD, ring.fd, &event)) {
		err = -errno;
		record_ring_close(&ring);
		return err;
	}
	*array_add(&records->rings) = ring;
	return 0;
}

static void cleanup_records(struct process_records **records)
{
	process_records_free(*records);
}

int process_records_new(struct process_records **ret_records)
{
	_cleanup_(cleanup_records) struct process_records *records = calloc(1, sizeof(*records));
	int cpus = tick_event_cpus();

	if (!records)
		return -ENOMEM;
	records->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (records->epoll < 0)
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++) {
		int err = add_ring(records, cpu);

		/* Possible, but not online. */
		if (err && err != -ENODEV)
			return err;
	}
	*ret_records = take_ptr(records);
	return 0;
}

void process_records_free(struct process_records *records)
{
	if (!records)
		return;
	for (size_t i = 0; i < records->rings.count; i++)
		record_ring_close(&records->rings.items[i]);
	array_deinit(&records->rings);
	if (records->epoll >= 0)
		close(records->epoll);
	free(records);
}

int process_records_fd(const struct process_records *records)
{
	return records->epoll;
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

static struct record_ring *earliest(struct process_records *records)
{
	struct record_ring *first = NULL;

	for (size_t i = 0; i < records->rings.count; i++) {
		struct record_ring *ring = &records->rings.items[i];

		if (record_ring_at_record(ring) && (!first || ring->time_ns < first->time_ns))
			first = ring;
	}
	return first;
}

void process_records_read(struct process_records *records, const struct process_records_callbacks *callbacks)
{
	struct record_ring *ring;

	for (size_t i = 0; i < records->rings.count; i++)
		record_ring_begin(&records->rings.items[i]);
	while ((ring = earliest(records))) {
		record_ring_take(ring, records->record);
		give(records, ring->time_ns, callbacks);
	}
	for (size_t i = 0; i < records->rings.count; i++)
		record_ring_end(&records->rings.items[i]);
}

static bool mark_gone(struct record_ring *ring, const char *online, bool check)
{
	ring->gone = !cpu_list_has(online, ring->cpu) || (check && !record_ring_runs(ring));
	return ring->gone;
}

static void close_gone(struct process_records *records, const char *online,
		       const struct process_records_callbacks *callbacks)
{
	bool check = ++records->looks % LOOKS_PER_CHECK == 0, any = false;
	size_t kept = 0;

	for (size_t i = 0; i < records->rings.count; i++)
		any |= mark_gone(&records->rings.items[i], online, check);
	/* What happened there before it went. */
	if (any)
		process_records_read(records, callbacks);
	for (size_t i = 0; i < records->rings.count; i++)
		if (records->rings.items[i].gone)
			record_ring_close(&records->rings.items[i]);
		else
			records->rings.items[kept++] = records->rings.items[i];
	records->rings.count = kept;
}

static bool has_ring(const struct process_records *records, int cpu)
{
	for (size_t i = 0; i < records->rings.count; i++)
		if (records->rings.items[i].cpu == cpu)
			return true;
	return false;
}

void process_records_look(struct process_records *records, const struct process_records_callbacks *callbacks)
{
	char online[CPU_LIST_BYTES];
	int cpus = tick_event_cpus();

	if (!tick_event_online(online, sizeof(online)))
		return;
	close_gone(records, online, callbacks);
	for (int cpu = 0; cpu < cpus; cpu++) {
		int err;

		if (!cpu_list_has(online, cpu) || has_ring(records, cpu))
			continue;
		err = add_ring(records, cpu);
		/* -ENODEV: it has gone again meanwhile. */
		records->missed += err && err != -ENODEV;
		if (!err)
			callbacks->lost(callbacks->data, 0);
	}
}

uint64_t process_records_missed(const struct process_records *records)
{
	return records->missed;
}
