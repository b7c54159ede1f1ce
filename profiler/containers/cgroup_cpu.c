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

static bool read_file(const char *mount, const char *path, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char file[2 * PATH_MAX];
	ssize_t got;

	if (!mount)
		return false;
	snprintf(file, sizeof(file), "%s%s/%s", mount, path, name);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	got = fd < 0 ? -1 : read(fd, text, size - 1);
	if (got < 0)
		return false;
	text[got] = '\0';
	return true;
}

/* The number in a line "key 123"; false where there is no such line. */
static bool value_of(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ' ')
			continue;
		*ret = strtoull(line + length, NULL, 10);
		return true;
	}
	return false;
}

static void read_usage(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *cpu)
{
	char text[1024];
	uint64_t used_us;

	if (read_file(reader->unified, path, "cpu.stat", text, sizeof(text)) &&
	    value_of(text, "usage_usec", &used_us)) {
		cpu->usage_ns = used_us * NS_PER_US;
		cpu->usage_known = true;
	} else if (read_file(reader->cpuacct, path, "cpuacct.usage", text, sizeof(text))) {
		cpu->usage_ns = strtoull(text, NULL, 10);
		cpu->usage_known = true;
	}
}

/* "max 100000" or "50000 100000". */
static bool read_unified_limit(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *limit)
{
	unsigned long long quota_us, period_us;
	uint64_t throttled_us = 0;
	char text[1024];

	if (!read_file(reader->unified, path, "cpu.max", text, sizeof(text)) ||
	    sscanf(text, "%llu %llu", &quota_us, &period_us) != 2)
		return false;
	limit->quota_us = quota_us;
	limit->period_us = period_us;
	if (!read_file(reader->unified, path, "cpu.stat", text, sizeof(text)))
		return true;
	value_of(text, "nr_periods", &limit->periods);
	value_of(text, "nr_throttled", &limit->throttled_periods);
	value_of(text, "throttled_usec", &throttled_us);
	limit->throttled_ns = throttled_us * NS_PER_US;
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
	if (!read_file(reader->cpu, path, "cpu.stat", text, sizeof(text)))
		return true;
	value_of(text, "nr_periods", &limit->periods);
	value_of(text, "nr_throttled", &limit->throttled_periods);
	value_of(text, "throttled_time", &limit->throttled_ns);
	return true;
}

static bool is_tighter(const struct cgroup_cpu *limit, const struct cgroup_cpu *than)
{
	if (!limit->quota_us || !limit->period_us)
		return false;
	return !than->quota_us ||
	       (double)limit->quota_us / (double)limit->period_us < (double)than->quota_us / (double)than->period_us;
}

/* @path is cut at its end, directory by directory. The hierarchies' roots have no limits. */
static void read_limit(const struct cgroup_cpu_reader *reader, char *path, struct cgroup_cpu *cpu)
{
	for (int depth = 0; depth < DEPTH_MAX && path[0]; depth++) {
		struct cgroup_cpu limit = {0};

		if ((read_unified_limit(reader, path, &limit) || read_v1_limit(reader, path, &limit)) &&
		    is_tighter(&limit, cpu)) {
			cpu->quota_us = limit.quota_us;
			cpu->period_us = limit.period_us;
			cpu->periods = limit.periods;
			cpu->throttled_periods = limit.throttled_periods;
			cpu->throttled_ns = limit.throttled_ns;
		}
		*strrchr(path, '/') = '\0';
	}
}

void cgroup_cpu_read(const struct cgroup_cpu_reader *reader, const char *path, struct cgroup_cpu *ret_cpu)
{
	struct cgroup_cpu cpu = {0};
	char own[PATH_MAX];

	cpu.read_ns = clock_now_ns();
	/* The kernel shows "/../…" for what is outside of our cgroup namespace. */
	if (path[0] == '/' && path[1] && strlen(path) < sizeof(own) && !strstr(path, "/..")) {
		snprintf(own, sizeof(own), "%s", path);
		read_usage(reader, own, &cpu);
		read_limit(reader, own, &cpu);
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
