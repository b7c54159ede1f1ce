/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/cgroup_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/containers/cgroup_mount.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"

#define HIERARCHIES 4 /* v2, cpu, memory, pids: numbered as in the ids */
#define HIERARCHY_SHIFT 56
#define DEPTH_MAX 32
#define CGROUPS_MAX 65536
#define GONE_ROUNDS 12

struct known_cgroup {
	uint64_t id;
	char *path;
	uint8_t gone; /* rounds since it was removed, from 1 on; 0: it is there */
};

struct cgroup_tree {
	char *mounts[HIERARCHIES]; /* NULL: not mounted */
	uint64_t v2_root;
	ARRAY(struct known_cgroup) list;
	struct hash_index index;
};

void cgroup_tree_free(struct cgroup_tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < HIERARCHIES; i++)
		free(tree->mounts[i]);
	for (size_t i = 0; i < tree->list.count; i++)
		free(tree->list.items[i].path);
	array_deinit(&tree->list);
	hash_index_deinit(&tree->index);
	free(tree);
}

static void cleanup_tree(struct cgroup_tree **tree)
{
	cgroup_tree_free(*tree);
}

int cgroup_tree_new(const char *root, struct cgroup_tree **ret_tree)
{
	static const char *const controllers[HIERARCHIES] = {NULL, "cpu", "memory", "pids"};
	_cleanup_(cleanup_tree) struct cgroup_tree *tree = calloc(1, sizeof(*tree));
	struct stat status;
	bool any = false;

	if (!tree)
		return -ENOMEM;
	for (size_t i = 0; i < HIERARCHIES; i++) {
		int err = cgroup_mount_find(root, controllers[i], &tree->mounts[i]);

		if (err && err != -ENOENT)
			return err;
		any |= !err;
	}
	if (!any)
		return -ENOENT;
	if (tree->mounts[0] && !stat(tree->mounts[0], &status))
		tree->v2_root = status.st_ino;
	*ret_tree = take_ptr(tree);
	return 0;
}

const char *cgroup_tree_mode(const struct cgroup_tree *tree)
{
	if (!tree->mounts[0])
		return "v1";
	return cgroup_tree_v1_mask(tree) ? "hybrid" : "v2";
}

bool cgroup_tree_has_v2(const struct cgroup_tree *tree)
{
	return tree->mounts[0] != NULL;
}

uint64_t cgroup_tree_v2_root(const struct cgroup_tree *tree)
{
	return tree->v2_root;
}

uint32_t cgroup_tree_v1_mask(const struct cgroup_tree *tree)
{
	uint32_t mask = 0;

	for (uint32_t i = 1; i < HIERARCHIES; i++)
		if (tree->mounts[i])
			mask |= 1u << i;
	return mask;
}

static struct known_cgroup *find(const struct cgroup_tree *tree, uint64_t id)
{
	uint64_t hash = hash_words(id, 0);
	uint32_t number;

	for (size_t at = hash_index_first(&tree->index, hash); hash_index_next(&tree->index, hash, &at, &number);)
		if (tree->list.items[number].id == id)
			return &tree->list.items[number];
	return NULL;
}

/* Takes those out whose path is NULL. */
static void take_out(struct cgroup_tree *tree)
{
	size_t kept = 0;

	for (size_t i = 0; i < tree->list.count; i++)
		if (tree->list.items[i].path)
			tree->list.items[kept++] = tree->list.items[i];
	if (kept == tree->list.count)
		return;
	tree->list.count = kept;
	hash_index_clear(&tree->index);
	/* Fewer than before: the index does not grow and cannot fail. */
	for (size_t i = 0; i < kept; i++)
		hash_index_insert(&tree->index, hash_words(tree->list.items[i].id, 0), (uint32_t)i);
}

static void forget_path(struct known_cgroup *known)
{
	free(known->path);
	known->path = NULL;
}

static void forget_older_half(struct cgroup_tree *tree)
{
	for (size_t i = 0; i < tree->list.count / 2; i++)
		forget_path(&tree->list.items[i]);
	take_out(tree);
}

void cgroup_tree_gone(struct cgroup_tree *tree, uint64_t id)
{
	struct known_cgroup *known = find(tree, id);

	if (known && !known->gone)
		known->gone = 1;
}

bool cgroup_tree_is_gone(const struct cgroup_tree *tree, uint64_t id)
{
	const struct known_cgroup *known = find(tree, id);

	return known && known->gone;
}

void cgroup_tree_forget(struct cgroup_tree *tree)
{
	for (size_t i = 0; i < tree->list.count; i++)
		if (tree->list.items[i].gone && tree->list.items[i].gone++ > GONE_ROUNDS)
			forget_path(&tree->list.items[i]);
	take_out(tree);
}

/* What cannot be told is taken to be there. */
static bool is_there(const struct cgroup_tree *tree, const struct known_cgroup *known)
{
	uint64_t hierarchy = known->id >> HIERARCHY_SHIFT;
	const char *mount = hierarchy < HIERARCHIES ? tree->mounts[hierarchy] : NULL;
	char path[PATH_MAX];
	struct stat status;

	if (!mount || snprintf(path, sizeof(path), "%s%s", mount, known->path) >= (int)sizeof(path))
		return true;
	if (stat(path, &status))
		return errno != ENOENT;
	return (hierarchy << HIERARCHY_SHIFT | status.st_ino) == known->id;
}

void cgroup_tree_look(struct cgroup_tree *tree)
{
	for (size_t i = 0; i < tree->list.count; i++)
		if (!tree->list.items[i].gone && !is_there(tree, &tree->list.items[i]))
			tree->list.items[i].gone = 1;
}

int cgroup_tree_put(struct cgroup_tree *tree, uint64_t id, const char *path)
{
	struct known_cgroup *known = find(tree, id);
	char *copied = strdup(path);

	if (!copied)
		return -ENOMEM;
	if (known) {
		free(known->path);
		known->path = copied;
		known->gone = 0;
		return 0;
	}
	if (tree->list.count >= CGROUPS_MAX)
		forget_older_half(tree);
	if (array_reserve(&tree->list, 1) ||
	    hash_index_insert(&tree->index, hash_words(id, 0), (uint32_t)tree->list.count)) {
		free(copied);
		return -ENOMEM;
	}
	known = array_add(&tree->list);
	*known = (struct known_cgroup){.id = id, .path = copied};
	return 0;
}

const char *cgroup_tree_path(const struct cgroup_tree *tree, uint64_t id)
{
	const struct known_cgroup *known = find(tree, id);

	return known ? known->path : NULL;
}

/* @path has room for PATH_MAX; it is the path of the directory @fd, which is closed here. */
static int scan(struct cgroup_tree *tree, size_t hierarchy, int fd, char *path, size_t length, int depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;
	struct stat status;
	int err;

	if (!dir) {
		close(fd);
		return 0;
	}
	if (fstat(fd, &status))
		return 0;
	err = cgroup_tree_put(tree, (uint64_t)hierarchy << HIERARCHY_SHIFT | status.st_ino, length ? path : "/");
	while (!err && depth < DEPTH_MAX && (entry = readdir(dir))) {
		size_t added = strlen(entry->d_name) + 1;
		int child;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || length + added >= PATH_MAX)
			continue;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			continue;
		snprintf(path + length, PATH_MAX - length, "/%s", entry->d_name);
		err = scan(tree, hierarchy, child, path, length + added, depth + 1);
		path[length] = '\0';
	}
	return err;
}

int cgroup_tree_scan(struct cgroup_tree *tree)
{
	char path[PATH_MAX] = "";
	/* With v1 alone, id 0 is how the kernel side says that no controller has it anywhere but in the root. */
	int err = tree->mounts[0] ? 0 : cgroup_tree_put(tree, 0, "/");

	for (size_t i = 0; i < HIERARCHIES && !err; i++) {
		int fd = tree->mounts[i] ? open(tree->mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (fd >= 0)
			err = scan(tree, i, fd, path, 0, 0);
	}
	return err;
}

int cgroup_tree_each(const struct cgroup_tree *tree, int (*each)(void *data, uint64_t id, const char *path), void *data)
{
	int stop = 0;

	for (size_t i = 0; i < tree->list.count && !stop; i++)
		stop = each(data, tree->list.items[i].id, tree->list.items[i].path);
	return stop;
}

int cgroup_tree_below(const struct cgroup_tree *tree, const char *path,
		      int (*each)(void *data, uint64_t id, const char *path), void *data)
{
	size_t length = strlen(path);
	int stop = 0;

	while (length && path[length - 1] == '/')
		length--;
	for (size_t i = 0; i < tree->list.count && !stop; i++) {
		const char *known = tree->list.items[i].path;

		if (!strncmp(known, path, length) && (!known[length] || known[length] == '/'))
			stop = each(data, tree->list.items[i].id, known);
	}
	return stop;
}
