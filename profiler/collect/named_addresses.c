/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/named_addresses.h"

#include <errno.h>

static void deinit_generation(struct named_generation *generation)
{
	array_deinit(&generation->list);
	array_deinit(&generation->frames);
	hash_index_deinit(&generation->index);
}

void named_addresses_deinit(struct named_addresses *names)
{
	deinit_generation(&names->young);
	deinit_generation(&names->old);
}

static struct named_address *find(const struct named_generation *generation, uint32_t owner, uint64_t address)
{
	uint64_t hash = hash_words(address, owner);
	uint32_t number;

	for (size_t at = hash_index_first(&generation->index, hash);
	     hash_index_next(&generation->index, hash, &at, &number);) {
		struct named_address *known = &generation->list.items[number];

		if (known->address == address && known->owner == owner && known->count)
			return known;
	}
	return NULL;
}

int named_addresses_add(struct named_addresses *names, uint32_t owner, uint64_t address, const uint32_t *frames,
			uint8_t count)
{
	struct named_generation *young = &names->young;
	struct named_address known = {address, owner, (uint32_t)young->frames.count, count};

	if (array_reserve(&young->frames, count) || array_reserve(&young->list, 1) ||
	    hash_index_insert(&young->index, hash_words(address, owner), (uint32_t)young->list.count))
		return -ENOMEM;
	for (uint8_t i = 0; i < count; i++)
		*array_add(&young->frames) = frames[i];
	*array_add(&young->list) = known;
	return 0;
}

bool named_addresses_find(struct named_addresses *names, uint32_t owner, uint64_t address, const uint32_t **ret_frames,
			  uint8_t *ret_count)
{
	const struct named_address *known = find(&names->young, owner, address);
	const uint32_t *frames = names->young.frames.items;

	if (!known) {
		known = find(&names->old, owner, address);
		if (!known)
			return false;
		frames = names->old.frames.items;
		/* Without memory it stays where it is, and is forgotten sooner. */
		named_addresses_add(names, owner, address, frames + known->first, known->count);
	}
	*ret_frames = frames + known->first;
	*ret_count = known->count;
	return true;
}

void named_addresses_forget(struct named_addresses *names, uint32_t owner, uint64_t address)
{
	struct named_address *young = find(&names->young, owner, address), *old = find(&names->old, owner, address);

	if (young)
		young->count = 0;
	if (old)
		old->count = 0;
}

static void clear_generation(struct named_generation *generation)
{
	/* Its memory is used again. */
	generation->list.count = generation->frames.count = 0;
	hash_index_clear(&generation->index);
}

void named_addresses_clear(struct named_addresses *names)
{
	clear_generation(&names->young);
	clear_generation(&names->old);
}

void named_addresses_age(struct named_addresses *names)
{
	struct named_generation forgotten = names->old;

	if (names->young.list.count < NAMED_ADDRESSES_MAX)
		return;
	names->old = names->young;
	clear_generation(&forgotten);
	names->young = forgotten;
}
