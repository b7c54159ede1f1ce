/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/file_tenants.h"

#include <string.h>

#include "profiler/containers/container_names.h"
#include "profiler/containers/container_processes.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"

#define FILES_MIN 128
#define COST_STEP_NS 100000000ull
#define DEPTH_MAX 64 /* as deep as cgroup_path looks */

void file_tenants_deinit(struct file_tenants *tenants)
{
	array_deinit(&tenants->list);
}

static bool is_nobody(const struct file_tenants *tenants, struct file_tenant *tenant, uint64_t now_ns)
{
	time_share_left(&tenant->parsing, tenants->limit, now_ns);
	return !tenant->files && !tenant->parsing.debt_ns;
}

uint32_t file_tenants_find(struct file_tenants *tenants, uint64_t number, uint64_t now_ns)
{
	uint32_t free = FILE_TENANTS_NONE;

	for (uint32_t i = 0; i < tenants->list.count; i++) {
		if (tenants->list.items[i].number == number)
			return i;
		if (free == FILE_TENANTS_NONE && is_nobody(tenants, &tenants->list.items[i], now_ns))
			free = i;
	}
	if (free == FILE_TENANTS_NONE) {
		if (!array_add(&tenants->list))
			return FILE_TENANTS_NONE;
		free = (uint32_t)tenants->list.count - 1;
	}
	tenants->list.items[free] = (struct file_tenant){.number = number};
	return free;
}

bool file_tenants_may_parse(struct file_tenants *tenants, uint32_t number, uint64_t now_ns)
{
	struct file_tenant *tenant = &tenants->list.items[number];
	bool left = time_share_left(&tenant->parsing, tenants->limit, now_ns);

	if (!left && !tenant->over) {
		tenant->over = true;
		tenants->over++;
	}
	return left;
}

bool file_tenants_may_add(const struct file_tenants *tenants, uint32_t tenant, uint32_t free)
{
	uint32_t files = tenants->list.items[tenant].files;

	return free && (files < FILES_MIN || files < free);
}

uint64_t file_tenants_cost(const struct file_tenants *tenants, uint32_t tenant)
{
	return tenants->list.items[tenant].parsing.debt_ns / COST_STEP_NS;
}

void file_tenants_spend(struct file_tenants *tenants, uint32_t tenant, uint64_t ns)
{
	time_share_spend(&tenants->list.items[tenant].parsing, ns);
}

static bool is_container(const char *root, const struct cgroup_owner *owner)
{
	struct container_names names;

	return owner->kind == CONTAINER_CONTAINER ||
	       (owner->kind == CONTAINER_HOST && !container_names_find(root, NULL, owner, &names));
}

/* A slice holds the units of many. */
static bool is_unit(const struct cgroup_owner *owner)
{
	return owner->kind == CONTAINER_HOST_UNIT && !strstr(owner->name, ".slice");
}

/*
 * Whoever may make cgroups below its own may give them any name: only the outermost container counts, and the outermost
 * unit where there is none.
 */
uint64_t file_tenants_number(const char *root, uint32_t pid)
{
	_cleanup_free_ char *path = container_process_cgroup(root, pid);
	size_t container = 0, unit = 0, at = 0;

	if (!path)
		return 0;
	for (size_t depth = 0; !container && path[at] && depth < DEPTH_MAX; depth++) {
		struct cgroup_owner owner;
		char next;

		at += 1 + strcspn(path + at + 1, "/");
		next = path[at];
		path[at] = '\0';
		cgroup_path_classify(path, &owner);
		if (is_container(root, &owner))
			container = at;
		else if (!unit && is_unit(&owner))
			unit = at;
		path[at] = next;
	}
	return hash_bytes(path, container ? container : unit ? unit : strlen(path));
}
