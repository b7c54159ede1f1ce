/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container_names: names, images and pods as the runtimes keep them on disk. No daemon is asked.
 *
 * The files' text is somebody else's choice (runtime_file.h).
 */
#ifndef STOKER_CONTAINER_NAMES_H
#define STOKER_CONTAINER_NAMES_H

#include <stdbool.h>

#include "profiler/containers/cgroup_path.h"
#include "profiler/containers/runtime_places.h"

struct container_names {
	char runtime[32]; /* "" where the path already told */
	char name[256];
	char image[256];
	char pod[256];
	char namespace[128];
};

/**
 * container_names_find() - what the disk says of a container
 * @root: prefix of every path: "" for the host
 * @places: of the same root; looked at as needed. May be NULL for a plain directory
 * @owner: what its path said; for a plain directory its name is tried as an id of runc and crun
 * Returns 0, or -ENOENT where nothing is known.
 */
int container_names_find(const char *root, struct runtime_places *places, const struct cgroup_owner *owner,
			 struct container_names *ret_names);

/* Is there a folder of runc's or crun's containers that may not be looked into? Then those are taken for plain directories. */
bool container_names_hidden(const char *root);

#endif
