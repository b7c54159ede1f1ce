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

/* The last number of the line "NSpid:\t123\t1". */
static uint32_t ns_pid_of(const char *status)
{
	const char *line = strstr(status, "\nNSpid:"), *last;
	size_t length;

	if (!line)
		return 0;
	line += 7;
	length = strcspn(line, "\n");
	for (last = line + length; last > line && last[-1] != '\t';)
		last--;
	return (uint32_t)strtoul(last, NULL, 10);
}

static bool read_namespace(const char *root, uint32_t pid, const char *name, char *link, size_t size)
{
	char path[512];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/proc/%u/ns/%s", root, pid, name);
	length = readlink(path, link, size - 1);
	if (length <= 0)
		return false;
	link[length] = '\0';
	return true;
}

/* The host's first process may hold more capabilities than we do, and then does not show its namespaces: ours stand in. */
static bool read_host_namespace(const char *root, const char *name, char *link, size_t size)
{
	return read_namespace(root, 1, name, link, size) || read_namespace(root, (uint32_t)getpid(), name, link, size);
}

static uint32_t shared_of(const char *root, uint32_t pid)
{
	char first[64], own[64];
	uint32_t shared = 0;

	for (uint32_t i = 0; i < CONTAINER_NAMESPACES; i++)
		if (read_host_namespace(root, container_namespace_names[i], first, sizeof(first)) &&
		    read_namespace(root, pid, container_namespace_names[i], own, sizeof(own)) && !strcmp(first, own))
			shared |= 1u << i;
	return shared;
}

static int add(const char *root, uint32_t pid, struct host_process_array *processes)
{
	char status[4096], cgroup[8192], comm[64], command[8];
	struct host_process *process;

	if (!read_text(root, pid, "status", status, sizeof(status)) ||
	    !read_text(root, pid, "comm", comm, sizeof(comm)) ||
	    !read_text(root, pid, "cgroup", cgroup, sizeof(cgroup)))
		return 0;
	/* Kernel threads have no memory of their own. */
	if (!strstr(status, "\nVmSize:") && (!read_text(root, pid, "cmdline", command, sizeof(command)) || !command[0]))
		return 0;
	process = array_add(&processes->list);
	if (!process)
		return -ENOMEM;
	process->pid = pid;
	process->ns_pid = ns_pid_of(status);
	process->shared = shared_of(root, pid);
	comm[strcspn(comm, "\n")] = '\0';
	snprintf(process->comm, sizeof(process->comm), "%.15s", comm);
	process->cgroup = cgroup_of(cgroup);
	return process->cgroup ? 0 : -ENOMEM;
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
