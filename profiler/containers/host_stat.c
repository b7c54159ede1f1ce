/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/host_stat.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/containers/cgroup_stat_files.h"
#include "profiler/containers/stat_text.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define NS_PER_S 1000000000ull
#define KIB 1024ull

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice", in ticks; guests are in user and nice. */
static void take_cpu(const char *text, struct series_values *values)
{
	enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
	unsigned long long ticks[FIELDS];
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), user, kernel;

	if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[USER], &ticks[NICE], &ticks[SYSTEM],
		   &ticks[IDLE], &ticks[IOWAIT], &ticks[IRQ], &ticks[SOFTIRQ], &ticks[STEAL]) != FIELDS)
		return;
	user = ticks[USER] + ticks[NICE];
	kernel = ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ];
	series_put(values, SERIES_CPU_USER, user * tick_ns);
	series_put(values, SERIES_CPU_SYSTEM, kernel * tick_ns);
	series_put(values, SERIES_CPU_USAGE, (user + kernel) * tick_ns);
	series_put(values, SERIES_CPU_STEAL, ticks[STEAL] * tick_ns);
	series_put(values, SERIES_CPU_IOWAIT, ticks[IOWAIT] * tick_ns);
}

static void take_value(const char *text, const char *key, enum series_measure measure, uint64_t unit,
		       struct series_values *values)
{
	uint64_t value;

	if (stat_text_value(text, key, &value))
		series_put(values, measure, value * unit);
}

/* The lines of interrupts that /proc/stat may have in between are long: what is behind them is not always read. */
static void take_stat(const char *text, struct series_values *values)
{
	take_cpu(text, values);
	take_value(text, "procs_running", SERIES_TASKS_RUNNABLE, 1, values);
	take_value(text, "procs_blocked", SERIES_TASKS_BLOCKED, 1, values);
}

static void take_load(const char *text, struct series_values *values)
{
	unsigned int whole, hundredths;

	if (sscanf(text, "%u.%2u", &whole, &hundredths) == 2)
		series_put(values, SERIES_LOAD, whole * 1000ull + hundredths * 10);
}

static void take_memory(const char *text, struct series_values *values)
{
	uint64_t all, available;

	if (stat_text_value(text, "MemTotal", &all)) {
		series_put(values, SERIES_MEMORY_LIMIT, all * KIB);
		if (stat_text_value(text, "MemAvailable", &available) && available <= all)
			series_put(values, SERIES_MEMORY_USAGE, (all - available) * KIB);
	}
	take_value(text, "AnonPages", SERIES_MEMORY_ANONYMOUS, KIB, values);
	take_value(text, "Slab", SERIES_MEMORY_SLAB, KIB, values);
}

/* Block I/O as it was asked for, in KiB: what a layered device passes on to another one is counted once. */
static void take_events(const char *text, struct series_values *values)
{
	take_value(text, "oom_kill", SERIES_MEMORY_OOM_KILLS, 1, values);
	take_value(text, "pgmajfault", SERIES_MEMORY_MAJOR_FAULTS, 1, values);
	take_value(text, "pgpgin", SERIES_IO_READ, KIB, values);
	take_value(text, "pgpgout", SERIES_IO_WRITTEN, KIB, values);
}

/* "nr_dentry nr_unused age_limit want_pages nr_negative dummy"; before 5.0 the fifth was always 0. */
static void take_dentries(const char *text, struct series_values *values)
{
	unsigned long long all, unused, negative;

	if (sscanf(text, "%llu %llu %*d %*d %llu", &all, &unused, &negative) != 3)
		return;
	series_put(values, SERIES_DENTRIES, all);
	series_put(values, SERIES_DENTRIES_UNUSED, unused);
	series_put(values, SERIES_DENTRIES_NEGATIVE, negative);
}

void host_stat_read(const char *root, struct series_values *ret_values)
{
	static const struct {
		const char *name;
		void (*take)(const char *text, struct series_values *values);
	} files[] = {
		{"stat", take_stat},
		{"loadavg", take_load},
		{"meminfo", take_memory},
		{"vmstat", take_events},
		{"sys/fs/dentry-state", take_dentries},
		{"pressure/cpu", stat_take_cpu_pressure},
		{"pressure/memory", stat_take_memory_pressure},
		{"pressure/io", stat_take_io_pressure},
	};
	char path[PATH_MAX], text[65536];

	memset(ret_values, 0, sizeof(*ret_values));
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		_cleanup_close_ int fd = -1;

		snprintf(path, sizeof(path), "%s/proc/%s", root, files[i].name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && !stat_text_read(fd, text, sizeof(text)))
			files[i].take(text, ret_values);
	}
}
