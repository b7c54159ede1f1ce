/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/process_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"

#define DESCRIPTORS_LOOKED_AT_MAX 4096
/* Files have the time of the last tick, or even second, and /proc tells when a process began to 10 ms. */
#define FILE_TIME_NS 2000000000ll

int process_files_stat(int path_fd, struct stat *ret_stat)
{
	struct statx got;

	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &got))
		return -errno;
	*ret_stat = (struct stat){
		.st_dev = makedev(got.stx_dev_major, got.stx_dev_minor),
		.st_ino = got.stx_ino,
		.st_mode = got.stx_mode,
		.st_nlink = got.stx_nlink,
		.st_uid = got.stx_uid,
		.st_gid = got.stx_gid,
		.st_size = (off_t)got.stx_size,
		.st_mtim = {got.stx_mtime.tv_sec, got.stx_mtime.tv_nsec},
	};
	return 0;
}

/* @opened: as open(2) gave it; closed on failure. */
static int stat_opened(int opened, int *ret_path_fd, struct stat *ret_stat)
{
	_cleanup_close_ int fd = opened;
	struct stat status;
	int err = fd < 0 ? -errno : process_files_stat(fd, &status);

	if (err)
		return err;
	*ret_stat = status;
	*ret_path_fd = take_fd(&fd);
	return 0;
}

int process_files_mapped(pid_t pid, uint64_t start, uint64_t end, int *ret_path_fd, struct stat *ret_stat)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, start, end);
	return stat_opened(open(path, O_PATH | O_CLOEXEC), ret_path_fd, ret_stat);
}

/* @flags: O_NOFOLLOW opens a link that stands last itself. */
static int open_below(int root_fd, const char *path, uint64_t flags, int *ret_path_fd, struct stat *ret_stat)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return stat_opened((int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how)), ret_path_fd, ret_stat);
}

static int open_inside(pid_t pid, const char *path, uint64_t flags, int *ret_path_fd, struct stat *ret_stat)
{
	_cleanup_close_ int root = -1;
	char root_path[32];

	snprintf(root_path, sizeof(root_path), "/proc/%d/root", pid);
	root = open(root_path, O_PATH | O_CLOEXEC);
	return root < 0 ? -errno : open_below(root, path, flags, ret_path_fd, ret_stat);
}

int process_files_below(int root_fd, const char *path, int *ret_path_fd, struct stat *ret_stat)
{
	return open_below(root_fd, path, 0, ret_path_fd, ret_stat);
}

int process_files_inside(pid_t pid, const char *path, int *ret_path_fd, struct stat *ret_stat)
{
	return open_inside(pid, path, 0, ret_path_fd, ret_stat);
}

/* Files that are no files: to read /proc/kmsg takes messages from others, /proc/kcore is the kernel's memory. */
static bool is_of_kernel(int path_fd)
{
	struct statfs system;

	if (fstatfs(path_fd, &system))
		return true;
	switch (system.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
		return true;
	default:
		return false;
	}
}

int process_files_reopen(int path_fd)
{
	struct stat status;
	char path[48];
	int fd;

	if (fstat(path_fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode) || is_of_kernel(path_fd))
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int process_files_read(pid_t pid, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	return 0;
}

char process_files_state(pid_t pid)
{
	char text[512], *at;

	if (process_files_read(pid, "stat", text, sizeof(text)))
		return 0;
	at = strrchr(text, ')');
	return at && at[1] == ' ' ? at[2] : 0;
}

uint64_t process_files_cpu_ns(pid_t pid)
{
	uint64_t user, system, children_user, children_system;
	char text[1024], *at;

	/* Fields 14 to 17 of proc(5)'s stat; the comm before them may hold anything. */
	if (process_files_read(pid, "stat", text, sizeof(text)))
		return 0;
	at = strrchr(text, ')');
	if (!at ||
	    sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &user, &system, &children_user, &children_system) != 4)
		return 0;
	return (user + system + children_user + children_system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The host's user that a process's user namespace calls root. */
static bool is_namespace_root(pid_t pid, uid_t uid)
{
	unsigned int inside, outside, count;
	char map[256];

	return !process_files_read(pid, "uid_map", map, sizeof(map)) &&
	       sscanf(map, " %u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == uid;
}

static bool owner_is_plausible(pid_t pid, uid_t uid)
{
	unsigned int real, effective;
	char status[2048], *line;

	if (uid == 0)
		return true;
	if (process_files_read(pid, "status", status, sizeof(status)))
		return false;
	line = strstr(status, "\nUid:");
	if (line && sscanf(line, "\nUid: %u %u", &real, &effective) == 2 && effective == uid)
		return true;
	return is_namespace_root(pid, uid);
}

/* Files have times of the clock that can be set: where it stands now tells when the process began by it. */
static bool is_older(const struct stat *status, uint64_t start_ns)
{
	int64_t set_ns = (int64_t)(clock_read_ns(CLOCK_REALTIME) - clock_read_ns(CLOCK_BOOTTIME));
	int64_t changed_ns = (int64_t)status->st_mtim.tv_sec * 1000000000ll + status->st_mtim.tv_nsec;

	return changed_ns + FILE_TIME_NS < set_ns + (int64_t)start_ns;
}

static int take_perf_map(pid_t pid, int *path_fd, const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return -EINVAL;
	if (!owner_is_plausible(pid, status->st_uid))
		return -EPERM;
	return take_fd(path_fd);
}

/* Of a descriptor's target, which says so where the file is gone. */
static bool is_named(const char *target, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(target, name, length) && (!target[length] || !strcmp(target + length, " (deleted)"));
}

/* V8 keeps its map open: found here when it is deleted, or in a directory that nobody told us. */
static int perf_map_of_descriptors(pid_t pid, const char *name)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[64], target[512];
	struct dirent *entry;
	int looked_at = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -ENOENT;
	while ((entry = readdir(dir)) && looked_at++ < DESCRIPTORS_LOOKED_AT_MAX) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		_cleanup_close_ int fd = -1;
		struct stat status;
		char *base;

		if (length <= 0)
			continue;
		target[length] = '\0';
		base = strrchr(target, '/');
		if (!base || !is_named(base + 1, name))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_PATH | O_CLOEXEC);
		if (fd >= 0 && !process_files_stat(fd, &status))
			return take_perf_map(pid, &fd, &status);
	}
	return -ENOENT;
}

/* The same, and -ENOENT where it is an earlier process's. @found is taken. */
static int take_recent(pid_t pid, int found, const struct stat *status, uint64_t start_ns)
{
	_cleanup_close_ int path_fd = found;

	return is_older(status, start_ns) ? -ENOENT : take_perf_map(pid, &path_fd, status);
}

int process_files_perf_map(pid_t pid, uint32_t ns_pid, uint64_t start_ns)
{
	struct stat status;
	char path[64];
	int err, fd;

	snprintf(path, sizeof(path), "/tmp/perf-%u.map", ns_pid);
	err = open_inside(pid, path, O_NOFOLLOW, &fd, &status);
	if (!err) {
		err = take_recent(pid, fd, &status, start_ns);
		if (err != -ENOENT)
			return err;
	}
	/* What it holds open it has opened itself, whatever the clock was when it last wrote. */
	err = perf_map_of_descriptors(pid, strrchr(path, '/') + 1);
	if (err != -ENOENT)
		return err;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	err = stat_opened(open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW), &fd, &status);
	return err ? err : take_recent(pid, fd, &status, start_ns);
}
