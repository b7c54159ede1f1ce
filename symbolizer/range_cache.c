/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/range_cache.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/partition_point.h"

#define RANGES_MAX (1u << 19)

void range_cache_deinit(struct range_cache *cache)
{
	array_deinit(&cache->ranges);
	cache->sorted = 0;
}

int range_cache_add(struct range_cache *cache, uint64_t start, uint64_t end, string_id name)
{
	struct named_range *added;

	if (start >= end || cache->ranges.count >= RANGES_MAX)
		return 0;
	added = array_add(&cache->ranges);
	if (!added)
		return -ENOMEM;
	*added = (struct named_range){start, end, name};
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct named_range *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* Of two that overlap the first stays: what was found before goes on being found. */
static size_t merge(const struct named_range *old, size_t old_count, const struct named_range *added,
		    size_t added_count, struct named_range *merged)
{
	size_t i = 0, j = 0, count = 0;

	while (i < old_count || j < added_count) {
		bool take_old = j == added_count || (i < old_count && old[i].start <= added[j].start);
		const struct named_range *next = take_old ? &old[i++] : &added[j++];

		if (count && next->start < merged[count - 1].end)
			continue;
		if (!take_old && i < old_count && next->end > old[i].start)
			continue;
		merged[count++] = *next;
	}
	return count;
}

int range_cache_settle(struct range_cache *cache)
{
	size_t added = cache->ranges.count - cache->sorted;
	struct named_range *merged;

	if (!added)
		return 0;
	merged = malloc(cache->ranges.count * sizeof(*merged));
	if (!merged) {
		cache->ranges.count = cache->sorted;
		return -ENOMEM;
	}
	qsort(cache->ranges.items + cache->sorted, added, sizeof(*merged), by_start);
	cache->sorted = merge(cache->ranges.items, cache->sorted, cache->ranges.items + cache->sorted, added, merged);
	cache->ranges.capacity = cache->ranges.count;
	cache->ranges.count = cache->sorted;
	free(cache->ranges.items);
	cache->ranges.items = merged;
	return 0;
}

bool range_cache_find(const struct range_cache *cache, uint64_t at, string_id *ret_name)
{
	size_t count = partition_point(i, cache->sorted, cache->ranges.items[i].start <= at);

	if (!count || at >= cache->ranges.items[count - 1].end)
		return false;
	*ret_name = cache->ranges.items[count - 1].name;
	return true;
}
