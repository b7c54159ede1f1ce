/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container_processes: every process of the host: in which cgroup it sits, what it is called inside, and which
 * namespaces it shares with the host's first process.
 */
#ifndef STOKER_CONTAINER_PROCESSES_H
#define STOKER_CONTAINER_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/base/array.h"

/* Bits of host_process.shared, in the order of container_namespace_names. */
#define CONTAINER_NAMESPACES 7
extern const char *const container_namespace_names[CONTAINER_NAMESPACES]; /* cgroup ipc mnt net pid user uts */

struct host_process {
	uint32_t pid;	      /* in the host's pid namespace */
	uint32_t ns_pid;      /* in its innermost one */
	uint32_t outer_pid;   /* in the one just inside of the host's; @pid where it is in none */
	uint64_t start_ticks; /* since boot: proc_pid_stat(5), starttime */
	bool shared_known;    /* not without root, of processes of others */
	uint32_t shared;      /* bit per namespace that is the first process's too */
	char comm[16];	      /* raw */
	char *cgroup;	      /* path; owned by the array */
};

struct host_process_array {
	ARRAY(struct host_process) list;
};

/**
 * container_processes_read() - all processes, in the order of /proc
 * @root: prefix of /proc: "" for the host
 * Processes that end meanwhile, and kernel threads, are left out. Returns 0, -ENOENT (no /proc), or -ENOMEM.
 */
int container_processes_read(const char *root, struct host_process_array *processes);

/* For qsort(3): the oldest first. Pids do not tell: they begin again from below when they have run out. */
int host_process_order(const struct host_process *a, const struct host_process *b);

/* The cgroup of one process, as host_process.cgroup has it; the caller's to free. NULL where it is gone, or memory is out. */
char *container_process_cgroup(const char *root, uint32_t pid);
void container_processes_deinit(struct host_process_array *processes);

#endif
