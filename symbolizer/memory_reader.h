/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_reader: what a process maps, asked by a thread that can be left behind.
 *
 * /proc/PID/map_files, and before Linux 6.17 /proc/PID/maps, take the lock of the process's memory (mmap_lock), and whoever
 * waits for it takes no signal but the last one. A container can hold it as long as it likes: one thread reads through
 * /proc/self/mem what lies in a file system whose server does not answer (FUSE), a second one maps. So no thread asks
 * that is needed: a helper does, and has MEMORY_READER_MS (and CLOCK_LATE_MS). One that is not back by then is left
 * behind, until the lock is free or this process ends; as long as it is not back, nothing is asked of its tenant.
 *
 * A reader belongs to one thread. Its helper starts with the first question, with that thread's priority.
 */
#ifndef STOKER_MEMORY_READER_H
#define STOKER_MEMORY_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define MEMORY_READER_MS 1000
#define MEMORY_READER_FILES_MAX 32 /* in one question */
#define MEMORY_READER_LEFT_MAX 32  /* of all tenants; then nobody is asked */

struct memory_reader;

/* Returns 0 or -ENOMEM. */
int memory_reader_new(struct memory_reader **ret_reader);
/* Waits for no one that is left behind: it cleans up after itself. */
void memory_reader_free(struct memory_reader *reader);

/**
 * memory_reader_maps() - process_maps_read()
 * @tenant: whose the process is, a number of the caller's
 * Returns what that returns, -EHOSTDOWN (one is left behind, now or before) or -EAGAIN (no thread can be started).
 */
int memory_reader_maps(struct memory_reader *reader, uint64_t tenant, pid_t pid, char **ret_text);

/* The file behind a mapping. */
struct memory_file {
	uint64_t start, end; /* of the mapping, as in /proc/PID/maps */
	int error;	     /* as process_files_mapped(); then the rest is not set */
	int path_fd;	     /* O_PATH; the caller's */
	struct stat status;
};

/**
 * memory_reader_files() - process_files_mapped() for some mappings
 * @files: [count], at most MEMORY_READER_FILES_MAX; start and end are set
 * Returns 0, or -EHOSTDOWN or -EAGAIN as above: then no file is open.
 */
int memory_reader_files(struct memory_reader *reader, uint64_t tenant, pid_t pid, struct memory_file *files,
			size_t count);

#endif
