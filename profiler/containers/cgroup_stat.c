/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/cgroup_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/containers/cgroup_cpu.h"
#include "profiler/containers/cgroup_mount.h"
#include "profiler/containers/cgroup_stat_files.h"
#include "profiler/containers/stat_text.h"
#include "symbolizer/base/cleanup.h"

#define TEXT_BYTES 65536 /* some hundred disks */
#define DEPTH_MAX 32
#define NOT_OPEN (-1)
#define NOT_THERE (-2)
#define YOUNG_READINGS \
	4 /* a runtime makes its cgroups one after the other: missing files are looked for again at once … */
#define LOOK_AGAIN_READINGS 16 /* … and every so often, as limits are */

struct cgroup_stat_reader {
	char *mounts[CGROUP_STAT_HIERARCHIES]; /* NULL: not mounted */
	struct cgroup_cpu_reader *limits;
	bool blkio_counts; /* a cgroup without any disk's counts has used none */
	size_t files_open, files_max;
};

struct cgroup_stat {
	struct cgroup_stat_reader *reader;
	char *path;
	char *throttling;	   /* file of the cgroup that has the tightest limit; NULL: there is none */
	bool throttling_read;	   /* of this file or of one before it */
	bool throttling_unrelated; /* its first counts are not to be compared (cgroup_stat_read()) */
	uint64_t cpu_limit, memory_limit;
	bool memory_limited; /* the unified hierarchy tells of memory limits */
	uint64_t readings;
	bool limits_due;
	int throttling_fd, fds[CGROUP_STAT_FILES]; /* NOT_OPEN, NOT_THERE */
};

void cgroup_stat_reader_free(struct cgroup_stat_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < CGROUP_STAT_HIERARCHIES; i++)
		free(reader->mounts[i]);
	cgroup_cpu_reader_free(reader->limits);
	free(reader);
}

/* Every host has read from its disks: where the root's file has no line for one, the kernel does not count (see take_blkio()). */
static bool root_counts_blkio(const char *mount)
{
	_cleanup_close_ int fd = -1;
	char file[PATH_MAX], text[TEXT_BYTES];

	if (!mount)
		return false;
	snprintf(file, sizeof(file), "%s/blkio.throttle.io_service_bytes_recursive", mount);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && !stat_text_read(fd, text, sizeof(text)) && text[0] >= '0' && text[0] <= '9';
}

int cgroup_stat_reader_new(const char *root, size_t files_max, struct cgroup_stat_reader **ret_reader)
{
	struct cgroup_stat_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? cgroup_cpu_reader_new(root, &reader->limits) : -ENOMEM;

	for (size_t i = 0; i < CGROUP_STAT_HIERARCHIES && !err; i++)
		if (cgroup_mount_find(root, cgroup_stat_controllers[i], &reader->mounts[i]) == -ENOMEM)
			err = -ENOMEM;
	if (err) {
		cgroup_stat_reader_free(reader);
		return err;
	}
	reader->blkio_counts = root_counts_blkio(reader->mounts[CGROUP_STAT_BLKIO]);
	reader->files_max = files_max;
	*ret_reader = reader;
	return 0;
}

int cgroup_stat_new(struct cgroup_stat_reader *reader, const char *path, struct cgroup_stat **ret_stat)
{
	struct cgroup_stat *stat;

	if (path[0] != '/' || strlen(path) >= PATH_MAX || strstr(path, "/.."))
		return -EINVAL;
	stat = calloc(1, sizeof(*stat));
	if (stat)
		stat->path = strdup(path);
	if (!stat || !stat->path) {
		free(stat);
		return -ENOMEM;
	}
	stat->reader = reader;
	stat->throttling_fd = NOT_OPEN;
	for (size_t i = 0; i < CGROUP_STAT_FILES; i++)
		stat->fds[i] = NOT_OPEN;
	*ret_stat = stat;
	return 0;
}

static void close_file(struct cgroup_stat_reader *reader, int *fd)
{
	if (*fd >= 0) {
		close(*fd);
		reader->files_open--;
	}
	*fd = NOT_OPEN;
}

void cgroup_stat_free(struct cgroup_stat *stat)
{
	if (!stat)
		return;
	close_file(stat->reader, &stat->throttling_fd);
	for (size_t i = 0; i < CGROUP_STAT_FILES; i++)
		close_file(stat->reader, &stat->fds[i]);
	free(stat->throttling);
	free(stat->path);
	free(stat);
}

static bool is_gone(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ELOOP;
}

/* 0, -ENOENT where there is no such file or cgroup, or why it could not be read this time. */
static int read_file(struct cgroup_stat_reader *reader, const char *file, int *fd, char *text)
{
	int err;

	if (*fd == NOT_THERE)
		return -ENOENT;
	if (*fd == NOT_OPEN) {
		*fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
		if (*fd < 0) {
			err = is_gone(-errno) ? -ENOENT : -errno;
			*fd = err == -ENOENT ? NOT_THERE : NOT_OPEN;
			return err;
		}
		reader->files_open++;
	}
	err = stat_text_read(*fd, text, TEXT_BYTES);
	if (err || reader->files_open > reader->files_max)
		close_file(reader, fd);
	return is_gone(err) ? -ENOENT : err;
}

/* The least of memory.max from here to the root; v1 has it in its memory.stat. */
static void find_memory_limit(struct cgroup_stat *stat)
{
	const char *mount = stat->reader->mounts[CGROUP_STAT_UNIFIED];
	char file[2 * PATH_MAX], above[PATH_MAX], text[TEXT_BYTES];

	stat->memory_limit = 0;
	stat->memory_limited = false;
	snprintf(above, sizeof(above), "%s", stat->path);
	for (int depth = 0; mount && depth < DEPTH_MAX && above[0] && above[1]; depth++) {
		_cleanup_close_ int fd = -1;
		uint64_t limit;

		snprintf(file, sizeof(file), "%s%s/memory.max", mount, above);
		*strrchr(above, '/') = '\0';
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
		if (fd < 0 || stat_text_read(fd, text, sizeof(text)))
			continue;
		stat->memory_limited = true;
		limit = strtoull(text, NULL, 10);
		/* "max" is 0 here; a limit of 0 bytes lets nothing live. */
		if (limit && (!stat->memory_limit || limit < stat->memory_limit))
			stat->memory_limit = limit;
	}
}

/* Its own counts began with it; those of a cgroup above it may be as old as the host. */
static bool is_own(const struct cgroup_stat *stat, const char *file)
{
	char own[PATH_MAX + sizeof("/cpu.stat")];
	size_t length = (size_t)snprintf(own, sizeof(own), "%s/cpu.stat", stat->path);

	return strlen(file) >= length && !strcmp(file + strlen(file) - length, own);
}

static void find_cpu_limit(struct cgroup_stat *stat)
{
	struct cgroup_cpu limit = {0};
	char file[2 * PATH_MAX];
	bool limited = cgroup_cpu_limit(stat->reader->limits, stat->path, &limit, file, sizeof(file));

	stat->cpu_limit = limited ? limit.quota_us * 1000 / limit.period_us : 0;
	if (limited && stat->throttling && !strcmp(stat->throttling, file))
		return;
	close_file(stat->reader, &stat->throttling_fd);
	free(stat->throttling);
	stat->throttling = limited ? strdup(file) : NULL;
	stat->throttling_unrelated = limited && (stat->throttling_read || !is_own(stat, file));
}

/* A limit's file that cannot be opened must not pass for no limit: without a descriptor to spare those of before stay. */
static void find_limits(struct cgroup_stat *stat)
{
	int spare = open("/", O_PATH | O_CLOEXEC);

	if (spare < 0)
		return;
	close(spare);
	find_cpu_limit(stat);
	find_memory_limit(stat);
	stat->limits_due = false;
}

static void look_again(struct cgroup_stat *stat)
{
	for (size_t i = 0; i < CGROUP_STAT_FILES; i++)
		if (stat->fds[i] == NOT_THERE)
			stat->fds[i] = NOT_OPEN;
	if (stat->throttling_fd == NOT_THERE)
		stat->throttling_fd = NOT_OPEN;
	stat->limits_due = true;
}

/* Returns what of it is unrelated. */
static uint64_t read_throttling(struct cgroup_stat *stat, char *text, struct series_values *values)
{
	uint64_t unrelated = 0;
	struct cgroup_cpu cpu = {0};

	series_put(values, SERIES_CPU_LIMIT, stat->cpu_limit);
	if (!stat->throttling || read_file(stat->reader, stat->throttling, &stat->throttling_fd, text))
		return 0;
	cgroup_cpu_take_throttling(text, &cpu);
	series_put(values, SERIES_CPU_PERIODS, cpu.periods);
	series_put(values, SERIES_CPU_THROTTLED_PERIODS, cpu.throttled_periods);
	series_put(values, SERIES_CPU_THROTTLED, cpu.throttled_ns);
	if (stat->throttling_unrelated)
		unrelated = SERIES_BIT(SERIES_CPU_PERIODS) | SERIES_BIT(SERIES_CPU_THROTTLED_PERIODS) |
			    SERIES_BIT(SERIES_CPU_THROTTLED);
	stat->throttling_read = true;
	stat->throttling_unrelated = false;
	return unrelated;
}

int cgroup_stat_read(struct cgroup_stat *stat, struct series_values *ret_values, uint64_t *ret_unrelated)
{
	struct series_values values = {0};
	char file[2 * PATH_MAX], text[TEXT_BYTES];
	int missed = -ENOENT, err;

	if (stat->readings < YOUNG_READINGS || !(stat->readings % LOOK_AGAIN_READINGS))
		look_again(stat);
	if (stat->limits_due)
		find_limits(stat);
	stat->readings++;
	for (size_t i = 0; i < CGROUP_STAT_FILES; i++) {
		const char *mount = stat->reader->mounts[cgroup_stat_files[i].hierarchy];

		if (!mount || (values.known & cgroup_stat_files[i].gives) == cgroup_stat_files[i].gives)
			continue;
		snprintf(file, sizeof(file), "%s%s/%s", mount, stat->path, cgroup_stat_files[i].name);
		err = read_file(stat->reader, file, &stat->fds[i], text);
		if (!err)
			cgroup_stat_files[i].take(text, &values);
		else if (err != -ENOENT)
			missed = err;
	}
	if (!values.known)
		return missed;
	for (unsigned int i = SERIES_IO_READ; stat->reader->blkio_counts && i <= SERIES_IO_WRITES; i++)
		if (!(values.known & SERIES_BIT(i)))
			series_put(&values, (enum series_measure)i, 0);
	if (stat->memory_limited)
		series_put(&values, SERIES_MEMORY_LIMIT, stat->memory_limit);
	*ret_unrelated = read_throttling(stat, text, &values);
	*ret_values = values;
	return 0;
}
