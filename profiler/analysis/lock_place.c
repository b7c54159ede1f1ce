/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/lock_place.h"

#include <stdio.h>
#include <string.h>

#define FRAMES_MAX 256

bool lock_place_is_locks_own(const char *function)
{
	static const char *const prefixes[] = {
		"mutex_lock",	    "__mutex_lock",   "ww_mutex_lock",	  "down_read",		"down_write",
		"__down_read",	    "__down_write",   "rwsem_",		  "percpu_down_",	"__percpu_down_",
		"percpu_rwsem_",    "rt_mutex_",      "__rt_mutex_",	  "_raw_spin_",		"_raw_read_lock",
		"_raw_write_lock",  "do_raw_spin_",   "queued_spin_",	  "native_queued_",	"__pv_queued_",
		"pv_queued_",	    "queued_read_",   "queued_write_",	  "down_interruptible", "down_killable",
		"__schedule",	    "schedule",	      "preempt_schedule", "__raw_callee_",	"osq_",
		"trace_contention", "__down_common",  "mm_lock_",	  "lock_mm_and_",	"resilient_",
		"mutex_unlock",	    "__mutex_unlock", "up_read",	  "up_write",		"percpu_up_",
		"wake_up_q",	    "try_to_wake_up", "wake_up_process",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

bool lock_place_find(const struct profile *profile, uint32_t stack, struct lock_place_names *ret_names)
{
	const char *names[FRAMES_MAX];
	size_t count = kernel_entry_names(profile, stack, names, FRAMES_MAX), own = 0;
	struct kernel_entry entry;

	if (!count)
		return false;
	while (own + 1 < count && lock_place_is_locks_own(names[own]))
		own++;
	/* "foo.isra.0" is foo to whoever reads its source. */
	snprintf(ret_names->function, sizeof(ret_names->function), "%.*s",
		 (int)strcspn(names[own], names[own][0] == '[' ? "" : "."), names[own]);
	kernel_entry_find(names, count, &entry);
	snprintf(ret_names->entry, sizeof(ret_names->entry), "%s", entry.kind == KERNEL_ENTRY_NONE ? "" : entry.name);
	return true;
}
