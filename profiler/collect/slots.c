/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/slots.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

/* No cgroup has this id: the resolver will call it unknown. */
#define OTHERS_ID (UINT64_MAX - 1)

void slots_init(struct slots *slots, int map_fd, struct owners *owners)
{
	memset(slots, 0, sizeof(*slots));
	slots->map_fd = map_fd;
	slots->owners = owners;
}

int slots_refresh(struct slots *slots)
{
	struct slot_key key, *previous = NULL;
	uint32_t slot;

	/* At most as many as the map holds: keys are never taken out, so the walk ends. */
	for (uint32_t i = 0; i < SLOTS_MAX && !bpf_map_get_next_key(slots->map_fd, previous, &key); i++) {
		previous = &key;
		if (bpf_map_lookup_elem(slots->map_fd, &key, &slot) || slot >= SLOTS_MAX)
			continue;
		slots->known[slot] = true;
		slots->keys[slot] = key;
	}
	return 0;
}

bool slots_known(const struct slots *slots, uint32_t slot)
{
	return slot < SLOT_FIRST || (slot < SLOTS_MAX && slots->known[slot]);
}

int slots_row(struct slots *slots, uint32_t slot, uint32_t *ret_row)
{
	if (slot == SLOT_KERNEL)
		return owners_row(slots->owners, 0, true, ret_row);
	if (slot >= SLOTS_MAX || !slots->known[slot])
		return owners_row(slots->owners, OTHERS_ID, false, ret_row);
	return owners_row(slots->owners, slots->keys[slot].cgroup_id, false, ret_row);
}

uint64_t slots_pid_namespace(const struct slots *slots, uint32_t slot)
{
	return slot < SLOTS_MAX && slots->known[slot] ? slots->keys[slot].pid_namespace : 0;
}
