/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/lock_holders.h"

#include "stoker.skel.h"

#define LOOK_NS (1000000000ull / HOLDER_HZ)

struct fetched_holder {
	struct holder_key key;
	struct holder_sums sums;
};

void lock_holders_init(struct lock_holders *holders, struct stoker_bpf *skeleton, struct slots *slots,
		       struct recording_writer *writer)
{
	map_pair_init(&holders->maps, skeleton->maps.holders_0, skeleton->maps.holders_1,
		      &skeleton->bss->active_holders);
	holders->slots = slots;
	holders->writer = writer;
}

void lock_holders_deinit(struct lock_holders *holders)
{
	map_pair_deinit(&holders->maps);
}

int lock_holders_fetch(struct lock_holders *holders)
{
	return map_pair_fetch(&holders->maps);
}

int lock_holders_want_names(struct lock_holders *holders, struct lock_names *names)
{
	int err = 0;

	for (size_t i = 0; i < holders->maps.count && !err; i++) {
		const struct fetched_holder *holder = map_pair_entry(&holders->maps, i);

		err = lock_names_want(names, holder->key.where, holder->key.lock);
	}
	return err;
}

static int write_one(struct lock_holders *holders, const struct lock_names *names, const struct fetched_holder *holder,
		     uint64_t time_ns)
{
	const struct holder_key *key = &holder->key;
	struct recording_hold row = {
		.lock_class = (uint8_t)key->kind,
		.place = (uint8_t)key->where,
		.name = lock_names_find(names, key->where, key->lock),
		.bit = (uint8_t)key->bit,
		.container = RECORDING_NONE,
		.time_ns = time_ns,
		.looks = holder->sums.looks,
		.ns = holder->sums.looks * LOOK_NS,
		.waited_ns = holder->sums.waiters * LOOK_NS,
	};
	int err = SLOT_IS_UNWANTED(key->slot) ? 0 : slots_row(holders->slots, key->slot, &row.container);

	return err ? err : recording_writer_hold(holders->writer, &row);
}

int lock_holders_write(struct lock_holders *holders, const struct lock_names *names, uint64_t time_ns)
{
	int err = 0;

	for (size_t i = 0; i < holders->maps.count && !err; i++)
		err = write_one(holders, names, map_pair_entry(&holders->maps, i), time_ns);
	map_pair_clear(&holders->maps);
	return err;
}
