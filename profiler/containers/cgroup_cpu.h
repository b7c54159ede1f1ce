/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_cpu: how much CPU a cgroup has used, how much it may use, and how often it was stopped for that.
 *
 * From cpu.stat and cpu.max of the unified hierarchy, else from the v1 controllers cpuacct and cpu; on a hybrid host
 * from whichever has the cgroup's path. A limit binds everything below it: of the cgroup's own and those of its parents
 * (a pod's), the tightest one is told, with the counts of the cgroup that has it.
 *
 * Format: Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst in the kernel tree.
 */
#ifndef STOKER_CGROUP_CPU_H
#define STOKER_CGROUP_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup_cpu_reader;

/* All counts are since the cgroup was made. */
struct cgroup_cpu {
	uint64_t read_ns;  /* CLOCK_MONOTONIC, when it was read */
	uint64_t usage_ns; /* of CPU time */
	bool usage_known;
	uint64_t quota_us; /* of CPU time in each period; 0: no limit, and all below is 0 */
	uint64_t period_us;
	uint64_t periods;	    /* in which anything wanted to run */
	uint64_t throttled_periods; /* in which the quota was used up */
	uint64_t throttled_ns;	    /* of its run queues, added up */
};

/* @root: prefix of every path, "" for the host. Without any hierarchy, nothing is known of any cgroup. 0 or -ENOMEM. */
int cgroup_cpu_reader_new(const char *root, struct cgroup_cpu_reader **ret_reader);
void cgroup_cpu_reader_free(struct cgroup_cpu_reader *reader);

/**
 * cgroup_cpu_read() - a cgroup as it is now
 * @path: below its hierarchy's root. Of the root itself, and of paths with "/..", nothing is known.
 */
void cgroup_cpu_read(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *ret_cpu);

/**
 * cgroup_cpu_limit() - the tightest limit that binds a cgroup: its own or that of one of its next 31 parents
 * @limit: quota_us and period_us are set, to 0 where there is none
 * @file:  [size], where there is one: the statistics of the cgroup that has it, for cgroup_cpu_take_throttling()
 */
bool cgroup_cpu_limit(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *limit, char *file,
		      size_t size);

/* The text of such a file, v1 or v2: periods, throttled_periods and throttled_ns are set as far as it has them. */
void cgroup_cpu_take_throttling(const char *text, struct cgroup_cpu *cpu);

/* What happened between two readings of one cgroup. */
struct cgroup_cpu_change {
	bool usage_known;
	double cpus;	      /* used, in the mean */
	bool throttled_known; /* false also where there is no limit */
	double throttled;     /* part of the periods, 0 to 1; 0 where there were none */
};

struct cgroup_cpu_change cgroup_cpu_between(const struct cgroup_cpu *before, const struct cgroup_cpu *after);

#endif
