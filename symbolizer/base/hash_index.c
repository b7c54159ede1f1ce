/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/base/hash_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_MIN 64

uint64_t hash_bytes(const void *bytes, size_t length)
{
	return XXH3_64bits(bytes, length);
}

void hash_index_deinit(struct hash_index *index)
{
	free(index->slots);
	memset(index, 0, sizeof(*index));
}

void hash_index_clear(struct hash_index *index)
{
	if (index->slots)
		memset(index->slots, 0, (index->mask + 1) * sizeof(*index->slots));
	index->count = 0;
}

static void place(struct hash_index_slot *slots, size_t mask, size_t at, struct hash_index_slot slot)
{
	while (slots[at].id_plus_1)
		at = (at + 1) & mask;
	slots[at] = slot;
}

static int grow(struct hash_index *index)
{
	size_t old_size = index->slots ? index->mask + 1 : 0;
	size_t size = old_size ? old_size * 2 : SLOTS_MIN;
	struct hash_index_slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < old_size; i++)
		if (index->slots[i].id_plus_1)
			place(slots, size - 1, index->slots[i].tag & (size - 1), index->slots[i]);
	free(index->slots);
	index->slots = slots;
	index->mask = size - 1;
	return 0;
}

int hash_index_insert(struct hash_index *index, uint64_t hash, uint32_t id)
{
	struct hash_index_slot slot = {.id_plus_1 = id + 1, .tag = (uint32_t)(hash >> 32)};
	int err;

	if (!index->slots || index->count * 4 >= (index->mask + 1) * 3) {
		err = grow(index);
		if (err)
			return err;
	}
	place(index->slots, index->mask, slot.tag & index->mask, slot);
	index->count++;
	return 0;
}
