/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_index: finds the number of a thing that somebody else stores.
 *
 * An open-addressed table of 32-bit numbers (an index into the owner's array), each with 32 bits of its hash. The owner
 * hashes, compares and stores; the index only says "these are the candidates". Nothing is ever removed: owners that
 * forget, forget all of it (hash_index_clear).
 *
 *	for (at = hash_index_first(index, hash); hash_index_next(index, hash, &at, &id);)
 *		if (equal(owner[id], key))
 *			return id;
 *	... append the thing as number id ...
 *	err = hash_index_insert(index, hash, id);
 */
#ifndef STOKER_BASE_HASH_INDEX_H
#define STOKER_BASE_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_index_slot {
	uint32_t id_plus_1; /* 0: empty */
	uint32_t tag;	    /* upper half of the hash; its low bits are also the home position */
};

struct hash_index {
	struct hash_index_slot *slots; /* [mask + 1], NULL while empty */
	size_t mask;
	size_t count;
};

void hash_index_deinit(struct hash_index *index);

/* Forgets every number and keeps the memory. */
void hash_index_clear(struct hash_index *index);

/**
 * hash_index_insert() - add a number under a hash; the caller has looked first, equal hashes may repeat
 * Returns 0 or -ENOMEM, the index as it was. @id is at most UINT32_MAX - 1.
 */
int hash_index_insert(struct hash_index *index, uint64_t hash, uint32_t id);

/* 64-bit hashes (XXH3) of bytes, and of two words: for tables in memory, not for files. */
uint64_t hash_bytes(const void *bytes, size_t length);
static inline uint64_t hash_words(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xe7037ed1a0b428dbull);

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static inline size_t hash_index_first(const struct hash_index *index, uint64_t hash)
{
	return (hash >> 32) & index->mask;
}

static inline bool hash_index_next(const struct hash_index *index, uint64_t hash, size_t *at, uint32_t *ret_id)
{
	if (!index->slots)
		return false;
	while (index->slots[*at].id_plus_1) {
		const struct hash_index_slot *slot = &index->slots[*at];

		*at = (*at + 1) & index->mask;
		if (slot->tag == (uint32_t)(hash >> 32)) {
			*ret_id = slot->id_plus_1 - 1;
			return true;
		}
	}
	return false;
}

#endif
