/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/cgroup_mount.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

static bool has_option(const char *options, const char *wanted)
{
	size_t length = strlen(wanted);

	for (const char *at = options; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (!strncmp(at, wanted, length) && (!at[length] || at[length] == ',' || at[length] == '\n'))
			return true;
	return false;
}

/* "36 35 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu": proc_pid_mountinfo(5). */
static bool is_mount_of(const char *line, const char *controller, char *point, size_t size)
{
	char within[256], found[512], type[32], options[512];
	const char *after = strstr(line, " - ");

	if (!after || sscanf(line, "%*d %*d %*s %255s %511s", within, found) != 2 ||
	    sscanf(after, " - %31s %*s %511s", type, options) != 2 || strcmp(within, "/") != 0)
		return false;
	if (strcmp(type, controller ? "cgroup" : "cgroup2") != 0 || (controller && !has_option(options, controller)))
		return false;
	snprintf(point, size, "%s", found);
	return true;
}

int cgroup_mount_find(const char *root, const char *controller, char **ret_directory)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	char path[512], point[512], *directory;
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0) {
		if (!is_mount_of(line, controller, point, sizeof(point)))
			continue;
		if (asprintf(&directory, "%s%s", root, point) < 0)
			return -ENOMEM;
		*ret_directory = directory;
		return 0;
	}
	return -ENOENT;
}
