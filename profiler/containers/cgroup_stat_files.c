/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/cgroup_stat_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/containers/stat_text.h"
#include "symbolizer/base/array.h"

#define NS_PER_US 1000ull

const char *const cgroup_stat_controllers[CGROUP_STAT_HIERARCHIES] = {NULL, "cpuacct", "memory", "blkio"};

static void take_cpu_stat(const char *text, struct series_values *values)
{
	uint64_t us;

	if (stat_text_value(text, "usage_usec", &us))
		series_put(values, SERIES_CPU_USAGE, us * NS_PER_US);
	if (stat_text_value(text, "user_usec", &us))
		series_put(values, SERIES_CPU_USER, us * NS_PER_US);
	if (stat_text_value(text, "system_usec", &us))
		series_put(values, SERIES_CPU_SYSTEM, us * NS_PER_US);
}

static void take_number(const char *text, enum series_measure measure, struct series_values *values)
{
	if (text[0] >= '0' && text[0] <= '9')
		series_put(values, measure, strtoull(text, NULL, 10));
}

static void take_value(const char *text, const char *key, enum series_measure measure, struct series_values *values)
{
	uint64_t value;

	if (stat_text_value(text, key, &value))
		series_put(values, measure, value);
}

static void take_cpuacct_usage(const char *text, struct series_values *values)
{
	take_number(text, SERIES_CPU_USAGE, values);
}

static void take_cpuacct_user(const char *text, struct series_values *values)
{
	take_number(text, SERIES_CPU_USER, values);
}

static void take_cpuacct_system(const char *text, struct series_values *values)
{
	take_number(text, SERIES_CPU_SYSTEM, values);
}

static void take_pressure(const char *text, enum series_measure some, struct series_values *values)
{
	uint64_t us;

	for (const char *line = text; line; line = stat_text_next(line)) {
		if (!strncmp(line, "some ", 5) && stat_text_field(line, "total", &us))
			series_put(values, some, us * NS_PER_US);
		else if (!strncmp(line, "full ", 5) && stat_text_field(line, "total", &us))
			series_put(values, some + 1, us * NS_PER_US);
	}
}

void stat_take_cpu_pressure(const char *text, struct series_values *values)
{
	take_pressure(text, SERIES_CPU_SOME, values);
}

void stat_take_memory_pressure(const char *text, struct series_values *values)
{
	take_pressure(text, SERIES_MEMORY_SOME, values);
}

void stat_take_io_pressure(const char *text, struct series_values *values)
{
	take_pressure(text, SERIES_IO_SOME, values);
}

static void take_memory_usage(const char *text, struct series_values *values)
{
	take_number(text, SERIES_MEMORY_USAGE, values);
}

static void take_memory_kernel(const char *text, struct series_values *values)
{
	take_number(text, SERIES_MEMORY_KERNEL, values);
}

static void take_memory_hits(const char *text, struct series_values *values)
{
	take_number(text, SERIES_MEMORY_LIMIT_HITS, values);
}

/* Since Linux 5.2. */
static void take_local_memory_events(const char *text, struct series_values *values)
{
	take_value(text, "max", SERIES_MEMORY_LIMIT_HITS, values);
}

/* Limits of cgroups below are hit in here, too: not what is asked for, where it is known without them. */
static void take_memory_events(const char *text, struct series_values *values)
{
	if (!(values->known & SERIES_BIT(SERIES_MEMORY_LIMIT_HITS)))
		take_value(text, "max", SERIES_MEMORY_LIMIT_HITS, values);
	take_value(text, "oom_kill", SERIES_MEMORY_OOM_KILLS, values);
}

static void take_memory_stat(const char *text, struct series_values *values)
{
	take_value(text, "anon", SERIES_MEMORY_ANONYMOUS, values);
	take_value(text, "kernel", SERIES_MEMORY_KERNEL, values);
	take_value(text, "slab", SERIES_MEMORY_SLAB, values);
	take_value(text, "pgmajfault", SERIES_MEMORY_MAJOR_FAULTS, values);
}

static void take_v1_memory_stat(const char *text, struct series_values *values)
{
	uint64_t limit;

	take_value(text, "total_rss", SERIES_MEMORY_ANONYMOUS, values);
	take_value(text, "total_pgmajfault", SERIES_MEMORY_MAJOR_FAULTS, values);
	/* All pages that a counter can count, PAGE_COUNTER_MAX in include/linux/page_counter.h, are no limit. */
	if (stat_text_value(text, "hierarchical_memory_limit", &limit))
		series_put(values, SERIES_MEMORY_LIMIT, limit > INT64_MAX - (1 << 20) ? 0 : limit);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …": a line for each disk. */
static void take_io_stat(const char *text, struct series_values *values)
{
	static const struct {
		const char *key;
		enum series_measure measure;
	} fields[] = {{"rbytes", SERIES_IO_READ},
		      {"wbytes", SERIES_IO_WRITTEN},
		      {"rios", SERIES_IO_READS},
		      {"wios", SERIES_IO_WRITES}};
	uint64_t one;

	for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
		uint64_t sum = 0;

		for (const char *line = text; line; line = stat_text_next(line))
			sum += stat_text_field(line, fields[i].key, &one) ? one : 0;
		series_put(values, fields[i].measure, sum);
	}
}

/*
 * "8:0 Read 1", "8:0 Write 2" … and more kinds of the same; "Total 3" in the end. Without a disk's line nobody knows: since
 * 6.10 only disks are counted that have a limit for some cgroup.
 */
static void take_blkio(const char *text, enum series_measure reads, enum series_measure writes,
		       struct series_values *values)
{
	uint64_t read_sum = 0, write_sum = 0;
	unsigned long long number;
	bool any = false;
	char kind[16];

	for (const char *line = text; line; line = stat_text_next(line)) {
		if (sscanf(line, "%*[0-9:] %15s %llu", kind, &number) != 2)
			continue;
		any = true;
		if (!strcmp(kind, "Read"))
			read_sum += number;
		else if (!strcmp(kind, "Write"))
			write_sum += number;
	}
	if (!any)
		return;
	series_put(values, reads, read_sum);
	series_put(values, writes, write_sum);
}

static void take_blkio_bytes(const char *text, struct series_values *values)
{
	take_blkio(text, SERIES_IO_READ, SERIES_IO_WRITTEN, values);
}

static void take_blkio_operations(const char *text, struct series_values *values)
{
	take_blkio(text, SERIES_IO_READS, SERIES_IO_WRITES, values);
}

const struct cgroup_stat_file cgroup_stat_files[CGROUP_STAT_FILES] = {
	{CGROUP_STAT_UNIFIED, "cpu.stat", SERIES_BIT(SERIES_CPU_USAGE), take_cpu_stat},
	{CGROUP_STAT_CPUACCT, "cpuacct.usage", SERIES_BIT(SERIES_CPU_USAGE), take_cpuacct_usage},
	{CGROUP_STAT_CPUACCT, "cpuacct.usage_user", SERIES_BIT(SERIES_CPU_USER), take_cpuacct_user},
	{CGROUP_STAT_CPUACCT, "cpuacct.usage_sys", SERIES_BIT(SERIES_CPU_SYSTEM), take_cpuacct_system},
	{CGROUP_STAT_UNIFIED, "cpu.pressure", SERIES_BIT(SERIES_CPU_SOME), stat_take_cpu_pressure},
	{CGROUP_STAT_UNIFIED, "memory.pressure", SERIES_BIT(SERIES_MEMORY_SOME), stat_take_memory_pressure},
	{CGROUP_STAT_UNIFIED, "io.pressure", SERIES_BIT(SERIES_IO_SOME), stat_take_io_pressure},
	{CGROUP_STAT_UNIFIED, "memory.current", SERIES_BIT(SERIES_MEMORY_USAGE), take_memory_usage},
	{CGROUP_STAT_UNIFIED, "memory.events.local", SERIES_BIT(SERIES_MEMORY_LIMIT_HITS), take_local_memory_events},
	{CGROUP_STAT_UNIFIED, "memory.events", SERIES_BIT(SERIES_MEMORY_OOM_KILLS), take_memory_events},
	{CGROUP_STAT_UNIFIED, "memory.stat", SERIES_BIT(SERIES_MEMORY_ANONYMOUS), take_memory_stat},
	{CGROUP_STAT_MEMORY, "memory.usage_in_bytes", SERIES_BIT(SERIES_MEMORY_USAGE), take_memory_usage},
	{CGROUP_STAT_MEMORY, "memory.kmem.usage_in_bytes", SERIES_BIT(SERIES_MEMORY_KERNEL), take_memory_kernel},
	{CGROUP_STAT_MEMORY, "memory.failcnt", SERIES_BIT(SERIES_MEMORY_LIMIT_HITS), take_memory_hits},
	{CGROUP_STAT_MEMORY, "memory.oom_control", SERIES_BIT(SERIES_MEMORY_OOM_KILLS), take_memory_events},
	{CGROUP_STAT_MEMORY, "memory.stat", SERIES_BIT(SERIES_MEMORY_ANONYMOUS), take_v1_memory_stat},
	{CGROUP_STAT_UNIFIED, "io.stat", SERIES_BIT(SERIES_IO_READ), take_io_stat},
	{CGROUP_STAT_BLKIO, "blkio.throttle.io_service_bytes_recursive", SERIES_BIT(SERIES_IO_READ), take_blkio_bytes},
	{CGROUP_STAT_BLKIO, "blkio.throttle.io_serviced_recursive", SERIES_BIT(SERIES_IO_READS), take_blkio_operations},
};
