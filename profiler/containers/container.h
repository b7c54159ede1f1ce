/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container: what a cgroup's path means on this host: path patterns and disk put together, and remembered.
 *
 * What is below a container's cgroup is that container. Where a path there looks like another container's, it is one inside
 * ("outer/inner"): it has no id and no names from disk, as whoever made the cgroup may have taken those of another.
 */
#ifndef STOKER_CONTAINER_H
#define STOKER_CONTAINER_H

#include <stdbool.h>

#include "profiler/recording/recording.h"

struct container_resolver;

/* Strings live until the next refresh; "" where nothing is known. */
struct container_info {
	enum container_kind kind;
	bool on_disk;	  /* its runtime's files were found; else all is from the path */
	const char *own;  /* the path up to the cgroup that says so: who is below it is it, too */
	const char *name; /* never empty */
	const char *id;
	const char *runtime;
	const char *image;
	const char *pod; /* name, else uid */
	const char *namespace;
	const char *unit; /* systemd unit inside the container */
};

/* @root: prefix of every path looked at, "" for the host. Returns 0 or -ENOMEM. */
int container_resolver_new(const char *root, struct container_resolver **ret_resolver);
void container_resolver_free(struct container_resolver *resolver);

/* Returns 0 or -ENOMEM. */
int container_resolver_describe(struct container_resolver *resolver, const char *path, struct container_info *ret_info);

/*
 * Forgets all that it has described: names that changed or came late on the disk are found by the next look. What runtimes
 * keep for all of their containers (runtime_places.h) stays.
 */
void container_resolver_refresh(struct container_resolver *resolver);

/* Does @wanted mean this container? Its name, a prefix of its id of at least three characters, or its cgroup's path. */
bool container_matches(const struct container_info *info, const char *path, const char *wanted);

#endif
