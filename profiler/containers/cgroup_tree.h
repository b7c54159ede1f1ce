/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_tree: the host's cgroup hierarchies, and which path each cgroup's id stands for.
 *
 * Ids are those of the kernel side: the directory's inode number, with the hierarchy in the top byte (0: v2, 1: v1 cpu,
 * 2: v1 memory, 3: v1 pids); where v1 is mounted alone, 0 stands for what sits in its roots. A cgroup that was removed
 * keeps its path for a while, so that late samples find it; past 65,536 the oldest are forgotten.
 */
#ifndef STOKER_CGROUP_TREE_H
#define STOKER_CGROUP_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup_tree;

/**
 * cgroup_tree_new() - find the hierarchies
 * @root: prefix of /proc and of the mount points: "" for the host, a fake root in tests
 * Returns 0, -ENOENT (no hierarchy is mounted), or -ENOMEM.
 */
int cgroup_tree_new(const char *root, struct cgroup_tree **ret_tree);
void cgroup_tree_free(struct cgroup_tree *tree);

/* "v2", "v1" or "hybrid". */
const char *cgroup_tree_mode(const struct cgroup_tree *tree);
bool cgroup_tree_has_v2(const struct cgroup_tree *tree);
/* The id of the unified hierarchy's root. */
uint64_t cgroup_tree_v2_root(const struct cgroup_tree *tree);
/* Bit 1 << hierarchy for each v1 controller that is mounted. */
uint32_t cgroup_tree_v1_mask(const struct cgroup_tree *tree);

/* Walks all directories, 32 deep at most. 0, or -ENOMEM. */
int cgroup_tree_scan(struct cgroup_tree *tree);

/* A cgroup was made or renamed: its path from now on. 0 or -ENOMEM. */
int cgroup_tree_put(struct cgroup_tree *tree, uint64_t id, const char *path);

/* A cgroup was removed: some calls of cgroup_tree_forget(), one every few seconds, later it is not known any more. */
void cgroup_tree_gone(struct cgroup_tree *tree, uint64_t id);
bool cgroup_tree_is_gone(const struct cgroup_tree *tree, uint64_t id);
void cgroup_tree_forget(struct cgroup_tree *tree);

/* Looks at the directories of all that are known: those that were removed and nobody told of it are gone from now on. */
void cgroup_tree_look(struct cgroup_tree *tree);

/* The path below the hierarchy's root, valid until the next put or forget; NULL for an id that is not known. */
const char *cgroup_tree_path(const struct cgroup_tree *tree, uint64_t id);

/* Calls @each for every known cgroup, or for those at and below @path, until it returns other than 0; returns that. */
int cgroup_tree_each(const struct cgroup_tree *tree, int (*each)(void *data, uint64_t id, const char *path),
		     void *data);
int cgroup_tree_below(const struct cgroup_tree *tree, const char *path,
		      int (*each)(void *data, uint64_t id, const char *path), void *data);

#endif
