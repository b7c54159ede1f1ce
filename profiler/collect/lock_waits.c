/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/lock_waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/lock_holders.h"
#include "profiler/collect/lock_names.h"
#include "profiler/collect/map_pair.h"
#include "profiler/collect/spin_waits.h"
#include "symbolizer/base/cleanup.h"

#include "stoker.skel.h"

_Static_assert((int)LOCK_KINDS == LOCK_CLASSES && (int)LOCK_MUTEX == LOCK_CLASS_MUTEX &&
		       (int)LOCK_RWSEM_READ == LOCK_CLASS_RWSEM_READ &&
		       (int)LOCK_RWSEM_WRITE == LOCK_CLASS_RWSEM_WRITE && (int)LOCK_PERCPU == LOCK_CLASS_PERCPU_RWSEM &&
		       (int)LOCK_RT == LOCK_CLASS_RT_MUTEX && (int)LOCK_SPIN == LOCK_CLASS_SPINLOCK &&
		       (int)LOCK_RWLOCK_READ == LOCK_CLASS_RWLOCK_READ &&
		       (int)LOCK_RWLOCK_WRITE == LOCK_CLASS_RWLOCK_WRITE,
	       "the recording's values are the programs'");
_Static_assert((int)LOCK_STATIC == LOCK_PLACE_STATIC && (int)LOCK_IN_SLAB == LOCK_PLACE_SLAB &&
		       (int)LOCK_ELSEWHERE == LOCK_PLACE_ELSEWHERE && (int)LOCK_OWNER_NOBODY == LOCK_OWNER_IS_NOBODY &&
		       (int)LOCK_OWNER_READER == LOCK_OWNER_IS_READER && (int)LOCK_OWNER_RAN == LOCK_OWNER_IS_ON_CPU &&
		       (int)LOCK_OWNER_READY == LOCK_OWNER_IS_QUEUED && (int)LOCK_OWNER_ASLEEP == LOCK_OWNER_IS_ASLEEP,
	       "likewise");

struct fetched_lock {
	struct lock_key key;
	struct lock_sums sums;
};

struct lock_waits {
	struct stoker_bpf *skeleton;
	struct slots *slots;
	struct wait_stacks *wait_stacks;
	struct recording_writer *writer;
	struct lock_names *names;
	int cpus;
	struct map_pair maps; /* of struct fetched_lock */
	struct lock_holders holders;
	struct lock_tally tallies[SLOTS_MAX * LOCK_KINDS]; /* told */
	struct spin_waits spins;
};

int lock_waits_new(struct stoker_bpf *skeleton, struct slots *slots, struct wait_stacks *wait_stacks,
		   struct recording_writer *writer, struct owners *owners, struct stacks *stacks,
		   struct lock_waits **ret_locks)
{
	struct lock_waits *locks = calloc(1, sizeof(*locks));

	if (!locks)
		return -ENOMEM;
	locks->skeleton = skeleton;
	locks->slots = slots;
	locks->wait_stacks = wait_stacks;
	locks->writer = writer;
	map_pair_init(&locks->maps, skeleton->maps.locks_0, skeleton->maps.locks_1, &skeleton->bss->active_locks);
	lock_holders_init(&locks->holders, skeleton, slots, writer);
	spin_waits_init(&locks->spins, skeleton, writer, owners, stacks);
	locks->cpus = libbpf_num_possible_cpus();
	if (lock_names_new(skeleton, writer, &locks->names)) {
		free(locks);
		return -ENOMEM;
	}
	*ret_locks = locks;
	return 0;
}

void lock_waits_free(struct lock_waits *locks)
{
	if (!locks)
		return;
	map_pair_deinit(&locks->maps);
	lock_holders_deinit(&locks->holders);
	spin_waits_deinit(&locks->spins);
	lock_names_free(locks->names);
	free(locks);
}

int lock_waits_fetch(struct lock_waits *locks)
{
	int err = map_pair_fetch(&locks->maps);

	if (!err)
		err = lock_holders_fetch(&locks->holders);
	return err ? err : spin_waits_fetch(&locks->spins);
}

static int write_octaves(struct lock_waits *locks, const struct lock_sums *sums, uint32_t row)
{
	int err = 0;

	for (uint32_t i = 0; i < LOCK_OCTAVES && !err; i++) {
		struct recording_bucket bucket = {
			.kind = HISTOGRAM_LOCK, .row = row, .bucket = (uint8_t)(4 * i), .count = sums->octaves[i]};

		if (bucket.count)
			err = recording_writer_bucket(locks->writer, &bucket);
	}
	return err;
}

static int write_one(struct lock_waits *locks, const struct fetched_lock *lock, uint64_t time_ns)
{
	const struct lock_key *key = &lock->key;
	struct recording_lock row = {RECORDING_LOCK_ALONE};
	struct wait_stack_row end;
	uint32_t number;
	int err = slots_row(locks->slots, key->slot, &row.container);

	row.lock_class = (uint8_t)key->kind;
	row.time_ns = time_ns;
	row.count = lock->sums.count;
	row.total_ns = lock->sums.total_ns;
	row.max_ns = lock->sums.max_ns;
	row.handoff_ns = lock->sums.handoff_ns;
	row.waker_ns = lock->sums.waker_ns;
	row.seen = lock->sums.seen;
	if (wait_stacks_find(locks->wait_stacks, &key->stack, &end)) {
		row.thread = end.thread;
		row.stack = end.stack;
		row.stack_end = end.stack_end;
	}
	if (wait_stacks_find(locks->wait_stacks, &key->waker, &end)) {
		row.waker_thread = end.thread;
		row.waker_stack = end.stack;
	}
	if (wait_stacks_find(locks->wait_stacks, &key->owner, &end)) {
		row.owner_thread = end.thread;
		row.owner_stack = end.stack;
	}
	row.owner = (uint8_t)key->owner_state;
	row.place = (uint8_t)key->where;
	row.name = lock_names_find(locks->names, key->where, key->lock);
	if (!err && !SLOT_IS_UNWANTED(key->owner_slot))
		err = slots_row(locks->slots, key->owner_slot, &row.owner_container);
	if (!err && !SLOT_IS_UNWANTED(key->waker_slot))
		err = slots_row(locks->slots, key->waker_slot, &row.waker_container);
	if (!err)
		err = recording_writer_lock(locks->writer, &row, &number);
	return err ? err : write_octaves(locks, &lock->sums, number);
}

int lock_waits_write(struct lock_waits *locks, uint64_t time_ns)
{
	int err = 0;

	for (size_t i = 0; i < locks->maps.count && !err; i++) {
		const struct fetched_lock *lock = map_pair_entry(&locks->maps, i);

		err = lock_names_want(locks->names, lock->key.where, lock->key.lock);
	}
	if (!err)
		err = lock_holders_want_names(&locks->holders, locks->names);
	if (!err)
		err = spin_waits_want_names(&locks->spins, locks->names);
	if (!err)
		err = lock_names_look_up(locks->names);
	for (size_t i = 0; i < locks->maps.count && !err; i++)
		err = write_one(locks, map_pair_entry(&locks->maps, i), time_ns);
	if (!err)
		err = lock_holders_write(&locks->holders, locks->names, time_ns);
	if (!err)
		err = spin_waits_write(&locks->spins, locks->names, time_ns);
	map_pair_clear(&locks->maps);
	return err;
}

static int write_tally(struct lock_waits *locks, uint32_t slot, uint32_t kind, struct lock_tally *by_cpu,
		       uint64_t time_ns)
{
	uint32_t number = LOCK_TALLY(SLOT_PLACE(slot), kind);
	struct recording_lock row = {RECORDING_LOCK_ALONE};
	struct lock_tally *told = &locks->tallies[number], now = {0};
	uint32_t lock;
	int err;

	if (bpf_map_lookup_elem(bpf_map__fd(locks->skeleton->maps.lock_tallies), &number, by_cpu))
		return -errno;
	for (int i = 0; i < locks->cpus; i++) {
		now.count += by_cpu[i].count;
		now.total_ns += by_cpu[i].total_ns;
		now.max_ns = by_cpu[i].max_ns > now.max_ns ? by_cpu[i].max_ns : now.max_ns;
	}
	if (now.count == told->count)
		return 0;
	row.lock_class = (uint8_t)kind;
	row.flags = RECORDING_LOCK_SPUN;
	row.time_ns = time_ns;
	row.count = now.count - told->count;
	row.total_ns = now.total_ns - told->total_ns;
	row.max_ns = now.max_ns;
	err = slots_row(locks->slots, slot, &row.container);
	if (!err)
		err = recording_writer_lock(locks->writer, &row, &lock);
	if (!err)
		*told = now;
	return err;
}

int lock_waits_write_counters(struct lock_waits *locks, uint64_t time_ns)
{
	_cleanup_free_ struct lock_tally *by_cpu = calloc((size_t)locks->cpus, sizeof(*by_cpu));
	int err = by_cpu ? 0 : -ENOMEM;

	for (uint32_t place = SLOT_OTHERS; place < SLOTS_MAX && !err; place++) {
		uint32_t slot = slots_counted(locks->slots, place);

		for (uint32_t kind = 0; slot && kind < LOCK_KINDS && !err; kind++)
			err = write_tally(locks, slot, kind, by_cpu, time_ns);
	}
	return err;
}

int lock_waits_drop(struct lock_waits *locks, uint64_t time_ns)
{
	_cleanup_free_ struct lock_tally *by_cpu = calloc((size_t)locks->cpus, sizeof(*by_cpu));
	int fd = bpf_map__fd(locks->skeleton->maps.lock_tallies), err = by_cpu ? 0 : -ENOMEM;

	for (uint32_t number = LOCK_TALLY(SLOT_FIRST, 0); number < SLOTS_MAX * LOCK_KINDS && !err; number++) {
		uint32_t place = number / LOCK_KINDS;

		if (!locks->slots->due[place])
			continue;
		err = write_tally(locks, slots_counted(locks->slots, place), number % LOCK_KINDS, by_cpu, time_ns);
		memset(by_cpu, 0, (size_t)locks->cpus * sizeof(*by_cpu));
		memset(&locks->tallies[number], 0, sizeof(locks->tallies[number]));
		if (!err && bpf_map_update_elem(fd, &number, by_cpu, BPF_ANY))
			err = -errno;
	}
	return err;
}

int lock_waits_spins_lost(const struct lock_waits *locks, struct spin_losses *ret_losses)
{
	return spin_waits_lost(&locks->spins, ret_losses);
}
