/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ps_output: what `stoker ps` found, as tables and as JSON.
 */
#ifndef STOKER_PS_OUTPUT_H
#define STOKER_PS_OUTPUT_H

#include <stdio.h>

#include "profiler/containers/cgroup_cpu.h"
#include "profiler/containers/container.h"
#include "profiler/containers/container_processes.h"
#include "symbolizer/base/array.h"

struct ps_process {
	const struct host_process *process;
	struct container_info info;
	size_t id_length; /* bytes of its id to show (short_ids.h) */
};

/* Processes of one container, or of one part of the host, next to each other in ps_list.shown. */
struct ps_group {
	size_t first, count;
	char *cgroup;	       /* the container's own, above what it made inside; owned by the list */
	struct cgroup_cpu cpu; /* the later reading */
	struct cgroup_cpu_change change;
};

struct ps_list {
	struct host_process_array all;
	struct container_resolver *resolver;
	ARRAY(struct ps_process) shown;
	ARRAY(struct ps_group) groups;
	uint64_t interval_ms; /* of the groups' changes; 0: there was one reading alone */
};

/**
 * ps_print_containers() - a row for each group
 * @color: red for what is shared with the host
 * Each function here returns 0, -ENOMEM, or -EIO and the like where @out cannot be written.
 */
int ps_print_containers(const struct ps_list *list, bool color, FILE *out);
int ps_print_processes(const struct ps_list *list, bool color, FILE *out);

/* An array of the groups, each with its processes. */
int ps_print_json(const struct ps_list *list, FILE *out);

#endif
