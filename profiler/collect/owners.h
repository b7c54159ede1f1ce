/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owners: whose cgroup is it? From the kernel's id to a container row of the recording.
 *
 * Several cgroups of one container (systemd inside it, a v1 and a v2 id) share a row. A cgroup that is not known when
 * its first sample comes, and a container whose name is not on disk yet, are asked for again at every refresh.
 */
#ifndef STOKER_OWNERS_H
#define STOKER_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared.h"
#include "profiler/containers/cgroup_tree.h"
#include "profiler/containers/container.h"
#include "profiler/recording/recording_writer.h"

struct owners;

/* @tree, @resolver and @writer stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int owners_new(struct cgroup_tree *tree, struct container_resolver *resolver, struct recording_writer *writer,
	       struct owners **ret_owners);
void owners_free(struct owners *owners);

/* The container row of a sample; @kernel_thread goes before the cgroup. 0 or -ENOMEM. */
int owners_row(struct owners *owners, uint64_t cgroup_id, bool kernel_thread, uint32_t *ret_row);

/* The container rows so far, and what one is; @ret_cgroup: its path, "" where unknown, valid until the next row. */
uint32_t owners_count(const struct owners *owners);
enum container_kind owners_kind(const struct owners *owners, uint32_t row, const char **ret_cgroup);

/* A cgroup came, went or changed its name. 0 or -ENOMEM. */
int owners_cgroup(struct owners *owners, const struct cgroup_event *event);

/* Looks for names that were not there, or have changed. 0 or -ENOMEM. */
int owners_refresh(struct owners *owners);

#endif
