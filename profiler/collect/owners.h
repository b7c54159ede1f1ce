/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owners: whose cgroup is it? From the kernel's id to a container row of the recording.
 *
 * Several cgroups of one container (systemd inside it, a v1 and a v2 id) share a row; a cgroup elsewhere that is named like it
 * has one of its own. A cgroup that is not known when its first sample comes, and a container whose name is not on disk yet,
 * are asked for again at every refresh.
 *
 * A host on which cgroups come and go for days must not fill the memory with those that are gone: what the recording has of
 * them is written, and nothing counts for them any more. Their rows are forgotten some time after their end; of containers,
 * which may be started again, the last thousand are kept.
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

/* The container row of a sample; @cgroup_id as shared.h has it; @kernel_thread goes before it. 0 or -ENOMEM. */
int owners_row(struct owners *owners, uint64_t cgroup_id, bool kernel_thread, uint32_t *ret_row);

/* The rows that are not forgotten: they ascend by place. */
size_t owners_count(const struct owners *owners);
uint32_t owners_at(const struct owners *owners, size_t place);
bool owners_holds(const struct owners *owners, uint32_t row);

/*
 * What a row is; @ret_cgroup: its path, "" where unknown, valid until a row is added or looked at again. A forgotten
 * one is unknown.
 */
enum container_kind owners_kind(const struct owners *owners, uint32_t row, const char **ret_cgroup);

/* A cgroup came, went or changed its name. 0 or -ENOMEM. */
int owners_cgroup(struct owners *owners, const struct cgroup_event *event);

/* False where nothing was told yet of a cgroup: it was made a moment ago, or what told of it was lost. */
bool owners_knows(const struct owners *owners, uint64_t cgroup_id);

/* Whether a cgroup was removed, so that no task is in it. */
bool owners_is_gone(const struct owners *owners, uint64_t cgroup_id);

/* Once in a while: finds the cgroups that came or went and of which what told was lost. 0 or -ENOMEM. */
int owners_look(struct owners *owners);

/* Looks for names that were not there, or have changed. 0 or -ENOMEM. */
int owners_refresh(struct owners *owners);

/* Once at every flush, the rows being on disk: forgets what was gone six calls ago and has had no sample since. */
void owners_forget(struct owners *owners);

#endif
