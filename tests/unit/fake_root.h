/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_root: for tests: a folder that stands for /, with files of /proc and of cgroup hierarchies. Include it after cmocka.h.
 */
#ifndef STOKER_TEST_FAKE_ROOT_H
#define STOKER_TEST_FAKE_ROOT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
#define V1_MOUNTS                                                                     \
	"31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" \
	"32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"           \
	"34 23 0:30 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
#define HYBRID_MOUNT "33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static inline void make_folders_above(char *full)
{
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
}

/* Makes the folders above it, and what is written ends the file. */
static inline void write_file(const char *root, const char *path, const char *text)
{
	char full[1024];
	FILE *file;

	assert_true((size_t)snprintf(full, sizeof(full), "%s%s", root, path) < sizeof(full));
	make_folders_above(full);
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* With those above it; returns its inode number: of a cgroup v2, the id. */
static inline uint64_t make_folder(const char *root, const char *path)
{
	struct stat status;
	char full[1024];

	assert_true((size_t)snprintf(full, sizeof(full), "%s%s/", root, path) < sizeof(full));
	make_folders_above(full);
	assert_int_equal(stat(full, &status), 0);
	return status.st_ino;
}

/* What Docker and runc write down of a container. */
static inline void write_docker(const char *root, const char *id, const char *name)
{
	char path[256], text[256];

	snprintf(path, sizeof(path), "/var/lib/docker/containers/%s/config.v2.json", id);
	snprintf(text, sizeof(text), "{\"Name\":\"/%s\"}", name);
	write_file(root, path, text);
}

static inline void write_runc(const char *root, const char *id)
{
	char path[256];

	snprintf(path, sizeof(path), "/run/runc/%s/state.json", id);
	write_file(root, path, "{}");
}

/* As setup and teardown: *state is the folder's name. */
static inline int make_root(void **state)
{
	char *root = strdup("/tmp/stoker-test-XXXXXX");

	*state = mkdtemp(root);
	return *state ? 0 : -1;
}

static inline int remove_root(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	return system(command);
}

#endif
