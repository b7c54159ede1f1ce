/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_path: whose cgroup is this, by its path alone? docs/containers.md has the table.
 *
 * Segments are looked at from the leaf to the root; the first that means something decides. Below a container nothing is a
 * runtime's own: a container may name the cgroups that it makes as it likes. Text comes from whoever made the cgroup: it is
 * cut to fit and not otherwise changed.
 */
#ifndef STOKER_CGROUP_PATH_H
#define STOKER_CGROUP_PATH_H

#include "profiler/recording/recording.h"

struct cgroup_owner {
	enum container_kind kind;
	const char *runtime; /* static; "" where the path does not tell */
	char id[128];	     /* the runtime's id; "" where there is none */
	char name[128];	     /* where the path itself names it (LXC, nspawn, units, plain directories); or "" */
	char pod[64];	     /* Kubernetes pod uid, or "" */
	char namespace[64];  /* containerd namespace, or "" */
	char unit[128];	     /* systemd unit inside the container, or "" */
	size_t length;	     /* of the path, up to the cgroup that says so: what is below it is its owner's, too */
};

/* @path: below its hierarchy's root, "/" first. A plain directory is CONTAINER_HOST: the disk may know better. */
void cgroup_path_classify(const char *path, struct cgroup_owner *ret_owner);

#endif
