/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/map_changes.h"

static struct map_changer *changer_of(struct map_changes *changes, uint32_t tgid)
{
	struct map_changer *changer = &changes->at[tgid % MAP_CHANGES_PROCESSES];

	if (changer->tgid != tgid)
		*changer = (struct map_changer){.tgid = tgid};
	return changer;
}

void map_changes_made(struct map_changes *changes, uint32_t tgid, uint32_t slots)
{
	changer_of(changes, tgid)->slots += slots;
}

bool map_changes_at_once(struct map_changes *changes, uint32_t tgid)
{
	struct map_changer *changer = changer_of(changes, tgid);

	changer->late |= changer->slots > MAP_CHANGES_SLOTS;
	return !changer->late;
}

void map_changes_forget(struct map_changes *changes, uint32_t tgid)
{
	*changer_of(changes, tgid) = (struct map_changer){.tgid = tgid};
}

static bool is_due(struct map_changer *changer)
{
	if (changer->waiting) {
		changer->waiting--;
		return false;
	}
	changer->slots = 0;
	if (!changer->late) {
		changer->wait = 0;
		return false;
	}
	changer->late = false;
	changer->wait = 2 * changer->wait + 1 < MAP_CHANGES_WAIT_MAX ? 2 * changer->wait + 1 : MAP_CHANGES_WAIT_MAX;
	changer->waiting = changer->wait;
	return true;
}

void map_changes_sweep(struct map_changes *changes, void (*read)(void *data, uint32_t tgid), void *data)
{
	for (uint32_t i = 0; i < MAP_CHANGES_PROCESSES; i++)
		if (changes->at[i].slots && is_due(&changes->at[i]))
			read(data, changes->at[i].tgid);
}
