/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/number_ranges.h"

#include "symbolizer/base/partition_point.h"

int number_ranges_init(struct number_ranges *ranges, uint32_t size)
{
	*ranges = (struct number_ranges){0};
	return number_ranges_grow(ranges, 0, size);
}

void number_ranges_deinit(struct number_ranges *ranges)
{
	array_deinit(&ranges->free);
}

/* There is room: one entry was reserved for each range that is taken. */
static void insert(struct number_ranges *ranges, uint32_t first, uint32_t count)
{
	struct number_range *items = ranges->free.items;
	size_t at = partition_point(i, ranges->free.count, items[i].first < first);

	ranges->free_count += count;
	if (at < ranges->free.count && first + count == items[at].first) {
		count += items[at].count;
		array_remove(&ranges->free, at);
	}
	if (at && items[at - 1].first + items[at - 1].count == first)
		items[at - 1].count += count;
	else
		*array_insert(&ranges->free, at) = (struct number_range){first, count};
}

int number_ranges_grow(struct number_ranges *ranges, uint32_t first, uint32_t count)
{
	if (array_reserve(&ranges->free, ranges->taken + 2))
		return -ENOMEM;
	insert(ranges, first, count);
	return 0;
}

int number_ranges_take(struct number_ranges *ranges, uint32_t count, uint32_t *ret_first)
{
	/* One for this range, one for its end if it is trimmed, one for what is free between. */
	if (array_reserve(&ranges->free, 2 * ranges->taken + 3))
		return -ENOMEM;
	for (size_t i = 0; i < ranges->free.count; i++) {
		struct number_range *range = &ranges->free.items[i];

		if (range->count < count)
			continue;
		*ret_first = range->first;
		range->first += count;
		range->count -= count;
		if (!range->count)
			array_remove(&ranges->free, i);
		ranges->taken++;
		ranges->free_count -= count;
		return 0;
	}
	return -ENOSPC;
}

void number_ranges_give(struct number_ranges *ranges, uint32_t first, uint32_t count)
{
	ranges->taken--;
	insert(ranges, first, count);
}

void number_ranges_trim(struct number_ranges *ranges, uint32_t first, uint32_t count, uint32_t kept)
{
	if (kept < count)
		insert(ranges, first + kept, count - kept);
}
