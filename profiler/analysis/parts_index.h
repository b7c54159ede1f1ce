/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts_index: finds an element of a list that each of many things has: the pairs of a lock's site, the wakers of a place.
 *
 * One index for the lists of all; as with hash_index.h, the owner hashes (the thing's number, too), compares and stores.
 */
#ifndef STOKER_PARTS_INDEX_H
#define STOKER_PARTS_INDEX_H

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

struct part {
	uint32_t thing, number; /* in the thing's list */
};

struct parts_index {
	ARRAY(struct part) list;
	struct hash_index index;
};

void parts_index_deinit(struct parts_index *parts);

/* Element @number of @thing's list has that hash. Returns 0, or -ENOMEM. */
int parts_index_add(struct parts_index *parts, uint64_t hash, uint32_t thing, size_t number);

static inline size_t parts_index_first(const struct parts_index *parts, uint64_t hash)
{
	return hash_index_first(&parts->index, hash);
}

/* The next one of @thing's list that may be meant. */
bool parts_index_next(const struct parts_index *parts, uint64_t hash, uint32_t thing, size_t *at, uint32_t *ret_number);

#endif
