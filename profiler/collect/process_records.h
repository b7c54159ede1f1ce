/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_records: what all processes map and execute, told by the kernel as it happens.
 *
 * A record_ring on each online CPU. Records are given in the order of their time, across CPUs: a process that moves between an
 * exec and its first mapping keeps it. CPUs may come and go: what happens on one that came is told from the next look on.
 */
#ifndef STOKER_PROCESS_RECORDS_H
#define STOKER_PROCESS_RECORDS_H

#include <stdint.h>

struct process_records;

struct process_records_callbacks {
	/* @path: as the kernel says it; "//anon" for anonymous memory. @time_ns: monotonic clock. */
	void (*mapped)(void *data, uint32_t tgid, uint64_t start, uint64_t end, uint64_t offset, const char *path,
		       uint64_t time_ns);
	void (*executed)(void *data, uint32_t tgid);
	/* Records did not fit, or those of a CPU that came were not heard of (0): what is known of any process may be old. */
	void (*lost)(void *data, uint64_t count);
	void *data;
};

/* Opens and starts them. Returns 0, or what perf_event_open(2), mmap(2) or epoll(7) gave. */
int process_records_new(struct process_records **ret_records);
void process_records_free(struct process_records *records);

/* Readable (epoll) when there are records. */
int process_records_fd(const struct process_records *records);

/* Gives all that there are now. */
void process_records_read(struct process_records *records, const struct process_records_callbacks *callbacks);

/* Once a second: gives CPUs that came a ring, and takes those away of CPUs that went, once all is given that they hold. */
void process_records_look(struct process_records *records, const struct process_records_callbacks *callbacks);

/* Looks at which an online CPU could not be given one; each CPU counts. */
uint64_t process_records_missed(const struct process_records *records);

#endif
