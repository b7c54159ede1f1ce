/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/blocked.h"
#include "profiler/collect/call_counter.h"
#include "profiler/collect/cpu_counters.h"
#include "profiler/collect/iterator.h"
#include "profiler/collect/lock_waits.h"
#include "profiler/collect/slot_times.h"
#include "profiler/collect/slots.h"
#include "profiler/collect/wait_stacks.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"

#include "stoker.skel.h"

struct waits {
	struct waits_parts parts;
	struct wait_settings settings;
	struct stoker_bpf *skeleton;
	struct slots slots;
	/* NULL: not asked for */
	struct call_counter *calls;
	struct slot_time_counter *times;
	struct wait_stacks *stacks;
	struct blocked *blocked;
	struct lock_waits *locks;
	uint64_t tick;
};

static uint64_t time_now(const struct waits *waits)
{
	return clock_now_ns() - waits->parts.start_ns;
}

static int take_stack(void *data, void *bytes, size_t size)
{
	struct waits *waits = data;

	return wait_stacks_take(waits->stacks, bytes, size, waits->tick, time_now(waits));
}

static int stacks_in_use(void *data, int (*each)(void *each_data, const struct count_key *key), void *each_data)
{
	struct waits *waits = data;
	_cleanup_fclose_ FILE *file = NULL;
	struct count_key keys[STACKS_IN_USE];
	int err = iterator_open(waits->skeleton->progs.tell_stacks_in_use, &file);

	while (!err && fread(keys, sizeof(keys), 1, file) == 1)
		for (size_t i = 0; i < ARRAY_LENGTH(keys) && !err; i++)
			err = each(each_data, &keys[i]);
	return err;
}

static int add_stacks(struct waits *waits)
{
	struct wait_stacks_parts parts = {
		.owners = waits->parts.owners,
		.processes = waits->parts.processes,
		.stacks = waits->parts.stacks,
		.writer = waits->parts.writer,
		.known_fd = bpf_map__fd(waits->skeleton->maps.known_stacks),
		.in_use = stacks_in_use,
		.in_use_data = waits,
	};
	int err = wait_stacks_new(&parts, &waits->stacks);

	if (err)
		return err;
	return sampler_add_ring(waits->parts.sampler, bpf_map__fd(waits->skeleton->maps.wait_events), take_stack,
				waits);
}

static int add_all(struct waits *waits)
{
	const struct wait_settings *settings = &waits->settings;
	int err = 0;

	if (settings->syscalls || settings->syscall_counts)
		err = call_counter_new(waits->skeleton, &waits->slots, waits->parts.writer, &waits->calls);
	if (!err && (settings->offcpu || settings->runq))
		err = slot_times_new(waits->skeleton, &waits->slots, waits->parts.writer, settings->runq,
				     &waits->times);
	if (!err && (settings->offcpu || settings->locks))
		err = add_stacks(waits);
	if (!err && settings->locks)
		err = lock_waits_new(waits->skeleton, &waits->slots, waits->stacks, waits->parts.writer,
				     waits->parts.owners, waits->parts.stacks, &waits->locks);
	if (!err && settings->offcpu)
		err = blocked_new(waits->skeleton, &waits->slots, waits->stacks, waits->parts.writer, &waits->blocked);
	return err;
}

int waits_new(const struct waits_parts *parts, struct waits **ret_waits)
{
	struct waits *waits = calloc(1, sizeof(*waits));
	int err;

	if (!waits)
		return -ENOMEM;
	waits->parts = *parts;
	waits->settings = *sampler_wait_settings(parts->sampler);
	waits->skeleton = sampler_skeleton(parts->sampler);
	err = slots_init(&waits->slots, waits->skeleton, parts->owners);
	if (!err)
		err = add_all(waits);
	if (err) {
		waits_free(waits);
		return err;
	}
	*ret_waits = waits;
	return 0;
}

void waits_free(struct waits *waits)
{
	if (!waits)
		return;
	call_counter_free(waits->calls);
	slot_times_free(waits->times);
	blocked_free(waits->blocked);
	lock_waits_free(waits->locks);
	wait_stacks_free(waits->stacks);
	free(waits);
}

int waits_fetch(struct waits *waits, uint64_t tick, bool counters)
{
	int err = waits->blocked ? blocked_fetch(waits->blocked) : 0;

	waits->tick = tick;
	if (!err && waits->locks)
		err = lock_waits_fetch(waits->locks);
	return !err && counters && waits->times ? slot_times_fetch(waits->times) : err;
}

/* Slots of cgroups that are gone: what was counted last is written, and the counters are emptied for the next ones. */
static int give_back(struct waits *waits)
{
	uint64_t time_ns = time_now(waits);
	int err = 0;

	if (!slots_end(&waits->slots))
		return 0;
	if (waits->calls)
		err = call_counter_drop(waits->calls, time_ns);
	if (!err && waits->times)
		err = slot_times_drop(waits->times, time_ns);
	if (!err && waits->locks)
		err = lock_waits_drop(waits->locks, time_ns);
	return err ? err : slots_return(&waits->slots);
}

int waits_write(struct waits *waits, bool all)
{
	int err = waits->stacks ? wait_stacks_name(waits->stacks, waits->tick, all) : 0;

	if (!err)
		err = slots_refresh(&waits->slots);
	if (!err && waits->blocked)
		err = blocked_write(waits->blocked, time_now(waits));
	if (!err && waits->locks)
		err = lock_waits_write(waits->locks, time_now(waits));
	return err ? err : give_back(waits);
}

int waits_flush(struct waits *waits)
{
	uint64_t time_ns = time_now(waits);
	int err = slots_refresh(&waits->slots);

	if (!err && waits->calls)
		err = call_counter_write(waits->calls, time_ns);
	if (!err && waits->times)
		err = slot_times_write(waits->times, time_ns);
	if (!err && waits->locks)
		err = lock_waits_write_counters(waits->locks, time_ns);
	return err;
}

static int fact_number(struct waits *waits, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return recording_writer_fact(waits->parts.writer, key, text);
}

/* Runs of our programs that the kernel left out, as the same program was running on that CPU already. */
static uint64_t runs_missed(const struct waits *waits)
{
	struct bpf_program *programs[WAIT_PROGRAMS_MAX];
	size_t count = wait_programs_list(waits->skeleton, &waits->settings, programs);
	uint64_t missed = 0;

	for (size_t i = 0; i < count; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(programs[i]), &info, &size))
			missed += info.recursion_misses;
	}
	return missed;
}

static int losses_to_facts(struct waits *waits)
{
	struct wait_losses sum;
	int err = cpu_counters_sum(waits->skeleton->maps.wait_losses, sizeof(sum), &sum);

	if (err)
		return err;
	err = fact_number(waits, "waits.tasks_lost", sum.tasks);
	if (!err)
		err = fact_number(waits, "waits.unseen", sum.switches);
	if (err || (!waits->times && !waits->locks))
		return err;
	err = fact_number(waits, "locks.lost", sum.locks);
	if (!err)
		err = fact_number(waits, "locks.lost_ns", sum.locks_ns);
	if (!err)
		err = fact_number(waits, "locks.looks_lost", sum.looks);
	if (!err)
		err = fact_number(waits, "waits.lost", sum.waits);
	if (!err)
		err = fact_number(waits, "waits.lost_ns", sum.waits_ns);
	if (!err)
		err = fact_number(waits, "waits.stacks_lost",
				  sum.stacks + (waits->stacks ? wait_stacks_lost(waits->stacks) : 0));
	return err ? err : fact_number(waits, "queue.lost_ns", sum.queue_ns);
}

static int spin_losses_to_facts(struct waits *waits)
{
	struct spin_losses losses;
	int err = lock_waits_spins_lost(waits->locks, &losses);

	if (!err)
		err = fact_number(waits, "locks.spins_untraced", losses.untraced);
	if (!err)
		err = fact_number(waits, "locks.spins_nested", losses.nested);
	return err ? err : fact_number(waits, "locks.spins_crowded", losses.crowded);
}

int waits_account(struct waits *waits)
{
	int err = fact_number(waits, "waits.missed", runs_missed(waits));

	if (!err)
		err = losses_to_facts(waits);
	if (!err && waits->locks)
		err = spin_losses_to_facts(waits);
	if (!err && waits->locks)
		err = fact_number(waits, "locks.looks_hz", HOLDER_HZ);
	if (!err && waits->calls)
		err = fact_number(waits, "calls.others", call_counter_others(waits->calls));
	return err;
}
