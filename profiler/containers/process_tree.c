/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define PROCESSES_MAX 4194304 /* the kernel's own limit, PID_MAX_LIMIT */

struct parent_of {
	uint32_t pid, parent;
	enum { NOT_KNOWN, UNDER_WAY, BELOW, NOT_BELOW } state;
};

typedef ARRAY(struct parent_of) parent_array;

static void cleanup_parents(parent_array *parents)
{
	array_deinit(parents);
}

/* "7 (a) b) S 1 …": proc_pid_stat(5). The name may hold anything, so its last ')' counts. */
static bool read_parent(const char *root, const char *pid, uint32_t *ret_parent)
{
	_cleanup_close_ int fd = -1;
	char path[512], text[512], *end;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/proc/%s/stat", root, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return false;
	text[got] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %u", ret_parent) == 1;
}

uint32_t process_of_thread(const char *root, uint32_t tid)
{
	_cleanup_close_ int fd = -1;
	char path[512], text[4096], *line;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/proc/%u/status", root, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	/* The kernel writes a newline in a name as two characters: what begins a line is its own. */
	line = strstr(text, "\nTgid:\t");
	return line ? (uint32_t)strtoul(line + 7, NULL, 10) : 0;
}

static int read_all(const char *root, parent_array *parents)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct parent_of one = {0}, *added;
	struct dirent *entry;
	char path[512];
	uint64_t pid;

	snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	if (!dir)
		return -ENOENT;
	while (parents->count < PROCESSES_MAX && (entry = readdir(dir))) {
		if (!text_to_u64(entry->d_name, 10, &pid) || pid > INT32_MAX ||
		    !read_parent(root, entry->d_name, &one.parent))
			continue;
		added = array_add(parents);
		if (!added)
			return -ENOMEM;
		*added = (struct parent_of){(uint32_t)pid, one.parent, NOT_KNOWN};
	}
	return 0;
}

static int compare_pids(const void *left, const void *right)
{
	const struct parent_of *a = left, *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static struct parent_of *find(const parent_array *parents, uint32_t pid)
{
	struct parent_of key = {.pid = pid};

	return parents->count ? bsearch(&key, parents->items, parents->count, sizeof(key), compare_pids) : NULL;
}

static bool is_one_of(const uint32_t *pids, size_t count, uint32_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/*
 * Up to somebody who is known, and down again with the answer: each process is settled once. What was read while it
 * changed may form a circle, which ends at a process that is under way.
 */
static void settle(parent_array *parents, struct parent_of *one, const uint32_t *pids, size_t count)
{
	struct parent_of *at = one, *parent;
	bool below = false;

	while (at && at->state == NOT_KNOWN && !below) {
		at->state = UNDER_WAY;
		below = is_one_of(pids, count, at->parent);
		at = find(parents, at->parent);
	}
	if (at && at->state == BELOW)
		below = true;
	for (at = one; at && at->state == UNDER_WAY; at = parent) {
		parent = find(parents, at->parent);
		at->state = below ? BELOW : NOT_BELOW;
	}
}

int process_descendants(const char *root, const uint32_t *pids, size_t count, int (*each)(void *data, uint32_t pid),
			void *data)
{
	_cleanup_(cleanup_parents) parent_array parents = {0};
	int err = read_all(root, &parents);

	if (err)
		return err;
	if (parents.count)
		qsort(parents.items, parents.count, sizeof(*parents.items), compare_pids);
	for (size_t i = 0; i < parents.count; i++)
		settle(&parents, &parents.items[i], pids, count);
	for (size_t i = 0; i < parents.count && !err; i++)
		if (parents.items[i].state == BELOW)
			err = each(data, parents.items[i].pid);
	return err;
}
