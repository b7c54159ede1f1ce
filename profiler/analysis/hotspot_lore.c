/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/hotspot_lore.h"

#include <stddef.h>
#include <string.h>

#include "symbolizer/base/array.h"

/* The dentry cache's hash chains: fs/dcache.c. The look-up under RCU, the one that takes references, and the miss. */
static const char *const dentry_walks[] = {"__d_lookup_rcu", "__d_lookup", "d_alloc_parallel", "__d_lookup_unhash"};

static const char *const generic[] = {
	/* copies and clears */
	"copy_",
	"_copy_",
	"__copy_",
	"rep_",
	"clear_page",
	"clear_user",
	"memcpy",
	"memset",
	"__memcpy",
	"__memset",
	"memmove",
	/* a virtual machine's devices: the time is spent outside of it */
	"iowrite",
	"ioread",
	"mmio_",
	"pv_",
	"vmx_",
	"vp_notify",
	/* whose lock it is, the caller knows */
	"native_queued_spin_lock",
	"queued_spin_lock",
	"__pv_queued_spin_lock",
	"_raw_spin_lock",
	"_raw_read_lock",
	"_raw_write_lock",
	"osq_lock",
	"mutex_",
	"__mutex",
	"rwsem_",
	"down_",
	"up_",
	"queued_read_lock",
	"queued_write_lock",
	/* entry, exit, scheduling, memory of the kernel's own */
	"entry_",
	"do_syscall_64",
	"syscall_",
	"__schedule",
	"schedule",
	"finish_task_switch",
	"kmem_cache_",
	"kmalloc",
	"kfree",
	"slab_",
	"__kmalloc",
	"srso_",
	"__x86_",
	"lookup_fast",
	"[",
};

static const struct {
	const char *name;
	bool is_function;
	const char *what, *way_out;
} lore[] = {
	{"__d_lookup_rcu", true,
	 "Looking up a name walks a hash chain of the dentry cache, which all containers share: the longer its chains "
	 "(often through names that do not exist), the slower every path look-up on the host.",
	 "Find who makes so many names (stat() of files that are not there), and have it stop; until then, "
	 "'sysctl vm.drop_caches=2' shortens the chains, and limiting that container's memory keeps them short."},
	{"fadvise64", false,
	 "Dropping pages from the page cache flushes them first, and where pages cannot be dropped it drains the page "
	 "lists of every CPU, behind one lock for the whole host.",
	 "Have programs drop their log's pages rarely or not at all (glog: --drop_log_memory=false), not after each "
	 "line; or log to a tmpfs or to standard output."},
	{HOTSPOT_TRACING, false,
	 "The profiler's own cost, and that of other tools that trace: programs that run as calls begin and end, and "
	 "as "
	 "tasks leave their CPU. Not the containers' own work.",
	 "Record with no more than is asked for: --syscalls costs most, --syscall-counts less."},
	{"fsync", false, "Writing back waits for the file system's journal, which all its users share.",
	 "Sync less often, or give the container a file system of its own."},
	{"fdatasync", false, "Writing back waits for the file system's journal, which all its users share.",
	 "Sync less often, or give the container a file system of its own."},
};

const char *hotspot_lore_group(const char *function)
{
	for (size_t i = 0; i < ARRAY_LENGTH(dentry_walks); i++)
		if (!strcmp(function, dentry_walks[i]))
			return dentry_walks[0];
	return NULL;
}

bool hotspot_lore_is_generic(const char *function)
{
	for (size_t i = 0; i < ARRAY_LENGTH(generic); i++)
		if (!strncmp(function, generic[i], strlen(generic[i])))
			return true;
	return false;
}

void hotspot_lore_find(const char *name, bool is_function, const char **ret_what, const char **ret_way_out)
{
	const char *group = is_function ? hotspot_lore_group(name) : NULL;

	for (size_t i = 0; i < ARRAY_LENGTH(lore); i++) {
		if (lore[i].is_function != is_function || strcmp(lore[i].name, group ? group : name) != 0)
			continue;
		*ret_what = lore[i].what;
		*ret_way_out = lore[i].way_out;
		return;
	}
}
