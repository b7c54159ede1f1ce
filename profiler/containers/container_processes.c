/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/container_processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

const char *const container_namespace_names[CONTAINER_NAMESPACES] = {"cgroup", "ipc",  "mnt", "net",
								     "pid",    "user", "uts"};

void container_processes_deinit(struct host_process_array *processes)
{
	for (size_t i = 0; i < processes->list.count; i++)
		free(processes->list.items[i].cgroup);
	array_deinit(&processes->list);
}

static bool read_text(const char *root, uint32_t pid, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[512];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/proc/%u/%s", root, pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, size - 1);
	if (got < 0)
		return false;
	text[got] = '\0';
	return true;
}

/* Rank of a line of /proc/PID/cgroup: what is not the root of the unified hierarchy says most. */
static int rank_of(const char *controllers, const char *path)
{
	static const char *const known[] = {"memory", "cpu", "pids", "name=systemd"};

	if (!strcmp(path, "/"))
		return 0;
	if (!controllers[0])
		return 10;
	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if (!strncmp(controllers, known[i], strlen(known[i])))
			return 9 - (int)i;
	return 1;
}

/* "9:name=systemd:/docker/…" lines: cgroups(7). */
static char *cgroup_of(char *text)
{
	const char *best = "/";
	int best_rank = 0;

	for (char *line = text, *end; *line; line = end) {
		char *controllers, *path;

		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		controllers = strchr(line, ':');
		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (rank_of(controllers + 1, path) > best_rank) {
			best_rank = rank_of(controllers + 1, path);
			best = path;
		}
	}
	return strdup(best);
}

/* "NSpid:\t123\t45\t1": in the host's namespace, in the one just inside of it, and in the innermost. */
static void put_ns_pids(const char *status, struct host_process *process)
{
	const char *at = strstr(status, "\nNSpid:\t");
	char *end;

	process->outer_pid = process->pid;
	if (!at)
		return;
	at += 7;
	for (int level = 0; *at == '\t'; level++, at = end) {
		process->ns_pid = (uint32_t)strtoul(at, &end, 10);
		if (level == 1)
			process->outer_pid = process->ns_pid;
	}
}

/* The 22nd of "7 (a) b) S 1 …". The name, the second, may hold anything, so its last ')' counts. */
static bool read_start(const char *root, uint32_t pid, uint64_t *ret_ticks)
{
	char text[1024], *at;

	if (!read_text(root, pid, "stat", text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ret_ticks = strtoull(at, NULL, 10);
	return true;
}

/* Returns 0 or -errno. */
static int read_namespace(const char *root, uint32_t pid, const char *name, char *link, size_t size)
{
	char path[512];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/proc/%u/ns/%s", root, pid, name);
	length = readlink(path, link, size - 1);
	if (length < 0)
		return -errno;
	link[length] = '\0';
	return 0;
}

/* The host's first process may hold more capabilities than we do, and then does not show its namespaces: ours stand in. */
static int read_host_namespace(const char *root, const char *name, char *link, size_t size)
{
	int err = read_namespace(root, 1, name, link, size);

	return err ? read_namespace(root, (uint32_t)getpid(), name, link, size) : 0;
}

/* False where it is not known. What this kernel does not have (-ENOENT) is not shared. */
static bool read_shared(const char *root, uint32_t pid, uint32_t *ret_shared)
{
	char first[64], own[64];
	uint32_t shared = 0;

	for (uint32_t i = 0; i < CONTAINER_NAMESPACES; i++) {
		int err = read_host_namespace(root, container_namespace_names[i], first, sizeof(first));

		if (!err)
			err = read_namespace(root, pid, container_namespace_names[i], own, sizeof(own));
		if (err && err != -ENOENT)
			return false;
		if (!err && !strcmp(first, own))
			shared |= 1u << i;
	}
	*ret_shared = shared;
	return true;
}

static int add(const char *root, uint32_t pid, struct host_process_array *processes)
{
	char status[4096], cgroup[8192], comm[64], command[8];
	struct host_process *process;
	uint64_t start_ticks;

	if (!read_text(root, pid, "status", status, sizeof(status)) ||
	    !read_text(root, pid, "comm", comm, sizeof(comm)) ||
	    !read_text(root, pid, "cgroup", cgroup, sizeof(cgroup)) || !read_start(root, pid, &start_ticks))
		return 0;
	/* Kernel threads have no memory of their own. */
	if (!strstr(status, "\nVmSize:") && (!read_text(root, pid, "cmdline", command, sizeof(command)) || !command[0]))
		return 0;
	process = array_add(&processes->list);
	if (!process)
		return -ENOMEM;
	process->pid = pid;
	process->start_ticks = start_ticks;
	put_ns_pids(status, process);
	process->shared_known = read_shared(root, pid, &process->shared);
	comm[strcspn(comm, "\n")] = '\0';
	snprintf(process->comm, sizeof(process->comm), "%.15s", comm);
	process->cgroup = cgroup_of(cgroup);
	return process->cgroup ? 0 : -ENOMEM;
}

/* In one tick the lower pid is the older one: inside of a container, its first process is 1. */
int host_process_order(const struct host_process *a, const struct host_process *b)
{
	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks ? -1 : 1;
	if (a->outer_pid != b->outer_pid)
		return a->outer_pid < b->outer_pid ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

char *container_process_cgroup(const char *root, uint32_t pid)
{
	char text[8192];

	return read_text(root, pid, "cgroup", text, sizeof(text)) ? cgroup_of(text) : NULL;
}

int container_processes_read(const char *root, struct host_process_array *processes)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[512];
	uint64_t pid;
	int err = 0;

	snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	if (!dir)
		return -ENOENT;
	while (!err && (entry = readdir(dir)))
		if (text_to_u64(entry->d_name, 10, &pid) && pid && pid <= INT32_MAX)
			err = add(root, (uint32_t)pid, processes);
	return err;
}
