/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/cgroup_cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/containers/cgroup_mount.h"
#include "profiler/containers/stat_text.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"

#define DEPTH_MAX 32
#define NS_PER_US 1000ull

/* Directories, NULL where not mounted. */
struct cgroup_cpu_reader {
	char *unified, *cpu, *cpuacct;
};

void cgroup_cpu_reader_free(struct cgroup_cpu_reader *reader)
{
	if (!reader)
		return;
	free(reader->unified);
	free(reader->cpu);
	free(reader->cpuacct);
	free(reader);
}

int cgroup_cpu_reader_new(const char *root, struct cgroup_cpu_reader **ret_reader)
{
	struct cgroup_cpu_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	if (cgroup_mount_find(root, NULL, &reader->unified) == -ENOMEM ||
	    cgroup_mount_find(root, "cpu", &reader->cpu) == -ENOMEM ||
	    cgroup_mount_find(root, "cpuacct", &reader->cpuacct) == -ENOMEM) {
		cgroup_cpu_reader_free(reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

static bool read_whole(const char *file, char *text, size_t size)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && !stat_text_read(fd, text, size);
}

static bool read_file(const char *mount, const char *path, const char *name, char *text, size_t size)
{
	char file[2 * PATH_MAX];

	if (!mount)
		return false;
	snprintf(file, sizeof(file), "%s%s/%s", mount, path, name);
	return read_whole(file, text, size);
}

static void read_usage(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *cpu)
{
	char text[1024];
	uint64_t used_us;

	if (read_file(reader->unified, path, "cpu.stat", text, sizeof(text)) &&
	    stat_text_value(text, "usage_usec", &used_us)) {
		cpu->usage_ns = used_us * NS_PER_US;
		cpu->usage_known = true;
	} else if (read_file(reader->cpuacct, path, "cpuacct.usage", text, sizeof(text))) {
		cpu->usage_ns = strtoull(text, NULL, 10);
		cpu->usage_known = true;
	}
}

void cgroup_cpu_take_throttling(const char *text, struct cgroup_cpu *cpu)
{
	uint64_t throttled_us;

	stat_text_value(text, "nr_periods", &cpu->periods);
	stat_text_value(text, "nr_throttled", &cpu->throttled_periods);
	if (stat_text_value(text, "throttled_usec", &throttled_us))
		cpu->throttled_ns = throttled_us * NS_PER_US;
	else
		stat_text_value(text, "throttled_time", &cpu->throttled_ns);
}

/* "max 100000" or "50000 100000". */
static bool read_unified_limit(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *limit)
{
	unsigned long long quota_us, period_us;
	char text[1024];

	if (!read_file(reader->unified, path, "cpu.max", text, sizeof(text)) ||
	    sscanf(text, "%llu %llu", &quota_us, &period_us) != 2)
		return false;
	limit->quota_us = quota_us;
	limit->period_us = period_us;
	return true;
}

static bool read_v1_limit(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *limit)
{
	char text[1024];
	long long quota_us;

	if (!read_file(reader->cpu, path, "cpu.cfs_quota_us", text, sizeof(text)))
		return false;
	/* -1: none */
	quota_us = strtoll(text, NULL, 10);
	if (quota_us <= 0 || !read_file(reader->cpu, path, "cpu.cfs_period_us", text, sizeof(text)))
		return false;
	limit->quota_us = (uint64_t)quota_us;
	limit->period_us = strtoull(text, NULL, 10);
	return true;
}

static bool is_tighter(const struct cgroup_cpu *limit, const struct cgroup_cpu *than)
{
	if (!limit->quota_us || !limit->period_us)
		return false;
	return !than->quota_us ||
	       (double)limit->quota_us / (double)limit->period_us < (double)than->quota_us / (double)than->period_us;
}

/* The kernel shows "/../…" for what is outside of our cgroup namespace. The hierarchies' roots have no limits. */
static bool is_readable_path(const char *path)
{
	return path[0] == '/' && path[1] && strlen(path) < PATH_MAX && !strstr(path, "/..");
}

bool cgroup_cpu_limit(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *limit, char *file,
		      size_t size)
{
	struct cgroup_cpu tightest = {0};
	char above[PATH_MAX];

	if (!is_readable_path(path))
		return false;
	snprintf(above, sizeof(above), "%s", path);
	for (int depth = 0; depth < DEPTH_MAX && above[0]; depth++) {
		struct cgroup_cpu found = {0};
		bool unified = read_unified_limit(reader, above, &found);

		if ((unified || read_v1_limit(reader, above, &found)) && is_tighter(&found, &tightest)) {
			tightest = found;
			snprintf(file, size, "%s%s/cpu.stat", unified ? reader->unified : reader->cpu, above);
		}
		*strrchr(above, '/') = '\0';
	}
	limit->quota_us = tightest.quota_us;
	limit->period_us = tightest.period_us;
	return tightest.quota_us != 0;
}

void cgroup_cpu_read(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *ret_cpu)
{
	struct cgroup_cpu cpu = {0};
	char file[2 * PATH_MAX], text[1024];

	cpu.read_ns = clock_now_ns();
	if (is_readable_path(path)) {
		read_usage(reader, path, &cpu);
		if (cgroup_cpu_limit(reader, path, &cpu, file, sizeof(file)) && read_whole(file, text, sizeof(text)))
			cgroup_cpu_take_throttling(text, &cpu);
	}
	*ret_cpu = cpu;
}

struct cgroup_cpu_change cgroup_cpu_between(const struct cgroup_cpu *before, const struct cgroup_cpu *after)
{
	struct cgroup_cpu_change change = {0};
	bool same_limit = before->quota_us && before->quota_us == after->quota_us &&
			  before->period_us == after->period_us && before->periods <= after->periods &&
			  before->throttled_periods <= after->throttled_periods;

	/* A cgroup that was made again under its name counts from zero. */
	change.usage_known = before->usage_known && after->usage_known && before->usage_ns <= after->usage_ns &&
			     before->read_ns < after->read_ns;
	if (change.usage_known)
		change.cpus = (double)(after->usage_ns - before->usage_ns) / (double)(after->read_ns - before->read_ns);
	change.throttled_known = same_limit;
	if (same_limit && before->periods < after->periods)
		change.throttled = (double)(after->throttled_periods - before->throttled_periods) /
				   (double)(after->periods - before->periods);
	return change;
}
