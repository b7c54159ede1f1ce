/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/wait_programs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/shared_waits.h"
#include "profiler/collect/iterator.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"

#include "stoker.skel.h"

#define CALL_ROW_BYTES_MAX (64u << 20) /* of all CPUs */
#define CALL_ROWS_MIN 256u
#define TASKS_USUAL 32768u
#define TASKS_MAX 131072u /* 55 MB */

bool wait_settings_any(const struct wait_settings *settings)
{
	return settings->offcpu || settings->runq || settings->locks || settings->syscalls || settings->syscall_counts;
}

size_t wait_programs_list(struct stoker_bpf *skeleton, const struct wait_settings *settings,
			  struct bpf_program **programs)
{
	size_t count = 0;

	if (settings->offcpu || settings->runq || settings->syscalls)
		programs[count++] = skeleton->progs.task_switched;
	if (settings->offcpu || settings->runq || settings->syscalls || settings->locks)
		programs[count++] = skeleton->progs.task_woken;
	if (settings->locks) {
		programs[count++] = skeleton->progs.lock_got;
		programs[count++] = skeleton->progs.lock_contended;
	}
	if (settings->offcpu || settings->runq)
		programs[count++] = skeleton->progs.task_begun;
	if (settings->syscalls) {
		programs[count++] = skeleton->progs.call_entered;
		programs[count++] = skeleton->progs.call_returned;
	} else if (settings->syscall_counts) {
		programs[count++] = skeleton->progs.task_made;
		programs[count++] = skeleton->progs.call_tallied;
	}
	if (wait_settings_any(settings) && !skeleton->rodata->times_in_storage)
		programs[count++] = skeleton->progs.task_freed;
	return count;
}

static bool has_member(const struct btf *btf, const char *name, const char *member)
{
	int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (unsigned int i = 0; type && i < btf_vlen(type); i++) {
		const char *known = btf__name_by_offset(btf, btf_members(type)[i].name_off);

		if (known && !strcmp(known, member))
			return true;
	}
	return false;
}

static bool has(const struct btf *btf, const char *name, uint32_t kind)
{
	return btf && btf__find_by_name_kind(btf, name, kind) > 0;
}

/* Whether sched_switch gives the state that a task left with: three arguments or four, and the one of all of them. */
static bool switch_has_state(const struct btf *btf)
{
	int id = btf ? btf__find_by_name_kind(btf, "btf_trace_sched_switch", BTF_KIND_TYPEDEF) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	if (type)
		type = btf__type_by_id(btf, type->type);
	if (type && btf_is_ptr(type))
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) && btf_vlen(type) > 4;
}

bool wait_programs_have_locks(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	/* With PREEMPT_RT a mutex has no owner, and an rwsem's tracepoints are of another struct. */
	bool have = has(btf, "btf_trace_contention_begin", BTF_KIND_TYPEDEF) && has_member(btf, "mutex", "owner");

	btf__free(btf);
	return have;
}

/* The third number of /proc/self/schedstat: how often we came to a CPU. */
static bool keeps_times(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/schedstat", "re");
	unsigned long long ran, waited, arrivals = 0;

	return file && fscanf(file, "%llu %llu %llu", &ran, &waited, &arrivals) == 3 && arrivals;
}

bool wait_programs_have_times(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool have = has_member(btf, "cfs_rq", "rq") && keeps_times();

	btf__free(btf);
	return have;
}

static void probe(struct stoker_bpf *skeleton, const struct wait_settings *settings)
{
	struct btf *btf = btf__load_vmlinux_btf();

	/*
	 * Task storage may be made where its map has an allocator of its own: a program under a run-queue lock must not call
	 * the kernel's general one.
	 */
	skeleton->rodata->times_in_storage = has_member(btf, "bpf_local_storage_map", "selem_ma");
	skeleton->rodata->switch_has_state = switch_has_state(btf);
	skeleton->rodata->can_cast = (settings->syscalls || settings->syscall_counts || settings->offcpu) &&
				     has(btf, "bpf_rdonly_cast", BTF_KIND_FUNC);
	skeleton->rodata->have_task_from_pid = settings->locks && has(btf, "bpf_task_from_pid", BTF_KIND_FUNC);
	skeleton->rodata->have_slab_caches = settings->locks && has(btf, "bpf_get_kmem_cache", BTF_KIND_FUNC) &&
					     has(btf, "bpf_iter__kmem_cache", BTF_KIND_STRUCT);
	btf__free(btf);
}

static uint32_t call_rows(void)
{
	uint64_t rows = CALL_ROW_BYTES_MAX / sizeof(struct call_counts) / (uint64_t)libbpf_num_possible_cpus();

	if (rows < CALL_ROWS_MIN)
		return CALL_ROWS_MIN;
	return rows < CALL_ROWS_MAX ? (uint32_t)rows : CALL_ROWS_MAX;
}

/*
 * Room for all tasks that there can be at a time, on a host of a few GB; a larger one lets there be far more than it ever
 * has: an eighth of them.
 */
static uint32_t tasks_max(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/threads-max", "re");
	unsigned int most;

	if (!file || fscanf(file, "%u", &most) != 1)
		return TASKS_USUAL;
	if (most < TASKS_USUAL)
		return most;
	most /= 8;
	if (most < TASKS_USUAL)
		return TASKS_USUAL;
	return most < TASKS_MAX ? most : TASKS_MAX;
}

static void configure_maps(struct stoker_bpf *skeleton, const struct wait_settings *settings)
{
	bool any = wait_settings_any(settings), calls = settings->syscalls || settings->syscall_counts;
	bool storage = skeleton->rodata->times_in_storage, times = settings->offcpu || settings->runq;
	bool stacks = settings->offcpu || settings->locks;
	uint32_t rows = call_rows();

	skeleton->rodata->split_calls = settings->syscalls;
	skeleton->rodata->count_times = times;
	skeleton->rodata->want_blocked = settings->offcpu;
	skeleton->rodata->want_lock_wakers = settings->locks;
	skeleton->rodata->follow_tasks = times || settings->syscalls;
	skeleton->rodata->want_queued = settings->runq;
	skeleton->rodata->min_block_ns = settings->min_block_ns;
	bpf_map__set_max_entries(skeleton->maps.call_rows, rows);
	bpf_map__set_max_entries(skeleton->maps.call_tallies, rows);
	bpf_map__set_max_entries(skeleton->maps.task_hash, tasks_max());
	bpf_map__set_autocreate(skeleton->maps.task_storage, storage);
	bpf_map__set_autocreate(skeleton->maps.task_hash, any && !storage);
	bpf_map__set_autocreate(skeleton->maps.cgroup_slots, any);
	bpf_map__set_autocreate(skeleton->maps.cgroup_shares, any);
	bpf_map__set_autocreate(skeleton->maps.free_slots, any);
	bpf_map__set_autocreate(skeleton->maps.slot_rows, times);
	bpf_map__set_autocreate(skeleton->maps.cpu_stretches, settings->runq);
	bpf_map__set_autocreate(skeleton->maps.last_switch, times || settings->syscalls);
	bpf_map__set_autocreate(skeleton->maps.queue_0, settings->runq);
	bpf_map__set_autocreate(skeleton->maps.queue_1, settings->runq);
	bpf_map__set_autocreate(skeleton->maps.wait_events, stacks);
	bpf_map__set_autocreate(skeleton->maps.known_stacks, stacks);
	bpf_map__set_autocreate(skeleton->maps.wait_losses, any);
	/* Older kernels verify each global function of a program, called or not: take_user_stack() needs its map. */
	bpf_map__set_autocreate(skeleton->maps.wait_scratch, settings->syscalls || times || stacks);
	bpf_map__set_autocreate(skeleton->maps.locks_0, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.locks_1, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.holders_0, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.holders_1, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.lock_tallies, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.new_lock_sums, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.spins, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.spin_rows, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.spin_losses, settings->locks);
	bpf_map__set_autocreate(skeleton->maps.waits_0, settings->offcpu);
	bpf_map__set_autocreate(skeleton->maps.waits_1, settings->offcpu);
	bpf_map__set_autocreate(skeleton->maps.call_row_of, calls);
	bpf_map__set_autocreate(skeleton->maps.cpu_calls, calls);
	bpf_map__set_autocreate(skeleton->maps.free_call_rows, calls);
	bpf_map__set_autocreate(skeleton->maps.call_rows, settings->syscalls);
	bpf_map__set_autocreate(skeleton->maps.call_tallies, calls && !settings->syscalls);
}

void wait_programs_start(struct stoker_bpf *skeleton)
{
	skeleton->bss->tracing_start_ns = clock_now_ns();
}

/* Runs the iterator over all tasks. */
static int tell_until_end(struct stoker_bpf *skeleton)
{
	_cleanup_fclose_ FILE *file = NULL;
	int err = iterator_open(skeleton->progs.task_until_end, &file);

	while (!err && fgetc(file) != EOF)
		continue;
	return err;
}

void wait_programs_stop(struct stoker_bpf *skeleton)
{
	if (skeleton->bss->tracing_end_ns)
		return;
	skeleton->bss->tracing_end_ns = clock_now_ns();
	if (bpf_program__autoload(skeleton->progs.task_until_end) && tell_until_end(skeleton))
		log_debug("what was still blocked at the end is not in the recording: no task iterator");
}

void wait_programs_configure(struct stoker_bpf *skeleton, const struct wait_settings *settings)
{
	struct bpf_program *const all[] = {
		skeleton->progs.call_entered,	    skeleton->progs.call_returned,  skeleton->progs.call_tallied,
		skeleton->progs.task_made,	    skeleton->progs.task_switched,  skeleton->progs.task_woken,
		skeleton->progs.task_begun,	    skeleton->progs.task_until_end, skeleton->progs.lock_contended,
		skeleton->progs.lock_got,	    skeleton->progs.tell_slab_name, skeleton->progs.task_freed,
		skeleton->progs.tell_stacks_in_use,
	};
	struct bpf_program *wanted[WAIT_PROGRAMS_MAX];
	size_t count;

	if (wait_settings_any(settings))
		probe(skeleton, settings);
	count = wait_programs_list(skeleton, settings, wanted);
	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		bpf_program__set_autoload(all[i], false);
	for (size_t i = 0; i < count; i++)
		bpf_program__set_autoload(wanted[i], true);
	bpf_program__set_autoload(skeleton->progs.task_until_end, settings->offcpu || settings->runq);
	bpf_program__set_autoload(skeleton->progs.tell_stacks_in_use, settings->offcpu || settings->locks);
	bpf_program__set_autoload(skeleton->progs.look_at_holders, settings->locks);
	bpf_program__set_autoload(skeleton->progs.tell_slab_name, skeleton->rodata->have_slab_caches);
	configure_maps(skeleton, settings);
}
