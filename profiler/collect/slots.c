/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/slots.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/count_set.h"

#include "stoker.skel.h"

#define TICKS_TO_END 1 /* tasks have left a cgroup that is gone, and are off their CPUs by then */

int slots_init(struct slots *slots, struct stoker_bpf *skeleton, struct owners *owners)
{
	memset(slots, 0, sizeof(*slots));
	slots->owners = owners;
	slots->keys_fd = bpf_map__fd(skeleton->maps.cgroup_slots);
	slots->shares_fd = bpf_map__fd(skeleton->maps.cgroup_shares);
	slots->free_fd = bpf_map__fd(skeleton->maps.free_slots);
	slots->valid = skeleton->bss->slots_valid;
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		slots->at[slot].slot = slot;
		slots->valid[slot] = slot;
		if (slot >= SLOT_FIRST && bpf_map_update_elem(slots->free_fd, NULL, &slot, BPF_ANY))
			return -errno;
	}
	slots->valid[SLOT_OTHERS] = SLOT_NOBODYS;
	return 0;
}

static int give(struct slots *slots, const struct slot_key *key, uint32_t slot)
{
	struct slot_place *place = &slots->at[SLOT_PLACE(slot)];
	int err;

	if (place->given || place->slot != slot)
		return 0;
	/* What tells of its cgroup lies in a ring: nothing that was fetched before that was read can name the slot. */
	if (!place->awaited && !owners_knows(slots->owners, key->cgroup_id)) {
		place->awaited = true;
		return 0;
	}
	err = owners_row(slots->owners, key->cgroup_id, false, &place->row);
	place->key = *key;
	place->gone_since = 0;
	place->given = !err;
	return err;
}

int slots_refresh(struct slots *slots)
{
	struct slot_key key, *previous = NULL;
	uint32_t slot;
	int err = 0;

	/* At most as many as the map holds; nobody else takes keys out, so the walk ends. */
	for (uint32_t i = 0; i < SLOTS_MAX && !err && !bpf_map_get_next_key(slots->keys_fd, previous, &key); i++) {
		previous = &key;
		if (!bpf_map_lookup_elem(slots->keys_fd, &key, &slot))
			err = give(slots, &key, slot);
	}
	return err;
}

static void store_valid(struct slots *slots, uint32_t place, uint32_t slot)
{
	__atomic_store_n(&slots->valid[place], slot, __ATOMIC_SEQ_CST);
}

static bool is_to_end(const struct slots *slots, struct slot_place *place)
{
	if (!place->given)
		return false;
	if (!place->gone_since && owners_is_gone(slots->owners, place->key.cgroup_id))
		place->gone_since = slots->tick;
	return place->gone_since && slots->tick - place->gone_since >= TICKS_TO_END;
}

bool slots_end(struct slots *slots)
{
	bool any = false;

	slots->tick++;
	for (uint32_t i = SLOT_FIRST; i < SLOTS_MAX; i++) {
		slots->due[i] = is_to_end(slots, &slots->at[i]);
		if (!slots->due[i])
			continue;
		/* First the key: who sees that the slot is not valid asks for another one. */
		bpf_map_delete_elem(slots->keys_fd, &slots->at[i].key);
		bpf_map_delete_elem(slots->shares_fd, &slots->at[i].key.cgroup_id);
		store_valid(slots, i, SLOT_NOBODYS);
		any = true;
	}
	if (any)
		count_set_wait_for_programs();
	return any;
}

int slots_return(struct slots *slots)
{
	for (uint32_t i = SLOT_FIRST; i < SLOTS_MAX; i++) {
		struct slot_place *place = &slots->at[i];
		uint32_t number = place->slot / SLOTS_MAX;

		if (!slots->due[i])
			continue;
		slots->past[i][number % PAST_SLOTS].slot = place->slot;
		slots->past[i][number % PAST_SLOTS].row = place->row;
		/* Some millions of times later numbers begin anew; what is special to shared_waits.h is never reached. */
		place->slot = number + 2 < UINT32_MAX / SLOTS_MAX ? place->slot + SLOTS_MAX : i;
		place->given = place->awaited = slots->due[i] = false;
		store_valid(slots, i, place->slot);
		if (bpf_map_update_elem(slots->free_fd, NULL, &place->slot, BPF_ANY))
			return -errno;
	}
	store_valid(slots, SLOT_OTHERS, SLOT_NOBODYS);
	return 0;
}

uint32_t slots_counted(const struct slots *slots, uint32_t place)
{
	if (place < SLOT_FIRST)
		return place;
	return slots->at[place].given ? slots->at[place].slot : 0;
}

bool slots_known(const struct slots *slots, uint32_t slot)
{
	const struct slot_place *place = &slots->at[SLOT_PLACE(slot)];

	return slot < SLOT_FIRST || place->given || place->slot != slot;
}

bool slots_over(const struct slots *slots, uint32_t slot)
{
	uint32_t place = SLOT_PLACE(slot);

	return slot >= SLOT_FIRST && (slots->at[place].slot != slot || slots->due[place]);
}

static bool is_given(const struct slots *slots, uint32_t slot)
{
	const struct slot_place *place = &slots->at[SLOT_PLACE(slot)];

	return slot >= SLOT_FIRST && place->given && place->slot == slot;
}

int slots_row(struct slots *slots, uint32_t slot, uint32_t *ret_row)
{
	uint32_t place = SLOT_PLACE(slot), number = slot / SLOTS_MAX;

	if (slot == SLOT_KERNEL)
		return owners_row(slots->owners, 0, true, ret_row);
	if (is_given(slots, slot))
		*ret_row = slots->at[place].row;
	else if (slot >= SLOT_FIRST && slots->past[place][number % PAST_SLOTS].slot == slot)
		*ret_row = slots->past[place][number % PAST_SLOTS].row;
	else
		return owners_row(slots->owners, CGROUP_OTHERS, false, ret_row);
	return 0;
}

uint64_t slots_pid_namespace(const struct slots *slots, uint32_t slot)
{
	return is_given(slots, slot) ? slots->at[SLOT_PLACE(slot)].key.pid_namespace : 0;
}
