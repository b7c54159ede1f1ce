/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_mount: where the cgroup hierarchies are mounted, whole.
 */
#ifndef STOKER_CGROUP_MOUNT_H
#define STOKER_CGROUP_MOUNT_H

/**
 * cgroup_mount_find() - the directory of a hierarchy's root
 * @root: prefix of /proc and of the mount points: "" for the host, a fake root in tests
 * @controller: a v1 controller, mounted alone or with others; NULL for the unified hierarchy
 * @ret_directory: with @root in front; for the caller to free
 *
 * A mount of a part of a hierarchy, as in a container, does not count. Returns 0, -ENOENT, or -ENOMEM.
 */
int cgroup_mount_find(const char *root, const char *controller, char **ret_directory);

#endif
