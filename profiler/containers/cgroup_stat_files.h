/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_stat_files: the files in which the kernel tells what a cgroup has used, and what they say.
 */
#ifndef STOKER_CGROUP_STAT_FILES_H
#define STOKER_CGROUP_STAT_FILES_H

#include "profiler/recording/recording.h"

enum cgroup_stat_hierarchy {
	CGROUP_STAT_UNIFIED,
	CGROUP_STAT_CPUACCT,
	CGROUP_STAT_MEMORY,
	CGROUP_STAT_BLKIO,
	CGROUP_STAT_HIERARCHIES,
};

/* Their v1 controllers; NULL for the unified one. */
extern const char *const cgroup_stat_controllers[CGROUP_STAT_HIERARCHIES];

struct cgroup_stat_file {
	enum cgroup_stat_hierarchy hierarchy;
	const char *name;
	uint64_t gives; /* SERIES_BIT(): where it is known already, the file need not be read */
	void (*take)(const char *text, struct series_values *values);
};

/* In the order in which they are to be read. */
#define CGROUP_STAT_FILES 19
extern const struct cgroup_stat_file cgroup_stat_files[CGROUP_STAT_FILES];

/* "some avg10=0.00 … total=12" and "full …" in microseconds: of a cgroup, or the host's in /proc/pressure. */
void stat_take_cpu_pressure(const char *text, struct series_values *values);
void stat_take_memory_pressure(const char *text, struct series_values *values);
void stat_take_io_pressure(const char *text, struct series_values *values);

#endif
