/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/parts_index.h"

void parts_index_deinit(struct parts_index *parts)
{
	array_deinit(&parts->list);
	hash_index_deinit(&parts->index);
}

int parts_index_add(struct parts_index *parts, uint64_t hash, uint32_t thing, size_t number)
{
	if (array_reserve(&parts->list, 1) || hash_index_insert(&parts->index, hash, (uint32_t)parts->list.count))
		return -ENOMEM;
	*array_add(&parts->list) = (struct part){thing, (uint32_t)number};
	return 0;
}

bool parts_index_next(const struct parts_index *parts, uint64_t hash, uint32_t thing, size_t *at, uint32_t *ret_number)
{
	uint32_t found;

	while (hash_index_next(&parts->index, hash, at, &found))
		if (parts->list.items[found].thing == thing) {
			*ret_number = parts->list.items[found].number;
			return true;
		}
	return false;
}
