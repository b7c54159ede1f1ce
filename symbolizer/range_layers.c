/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/range_layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/partition_point.h"

/* A range on its way into a layer, with its place in time. */
struct ordered_range {
	struct range range;
	size_t order;
};

void range_layers_deinit(struct range_layers *layers)
{
	for (size_t i = 0; i < layers->layers.count; i++)
		array_deinit(&layers->layers.items[i].ranges);
	array_deinit(&layers->layers);
}

size_t range_layers_bytes(const struct range_layers *layers)
{
	size_t bytes = layers->layers.capacity * sizeof(*layers->layers.items);

	for (size_t i = 0; i < layers->layers.count; i++)
		bytes += layers->layers.items[i].ranges.capacity * sizeof(struct range);
	return bytes;
}

static void layer_deinit(struct range_layer *layer)
{
	array_deinit(&layer->ranges);
}

static int append(struct range_layer *layer, uint64_t start, uint64_t end, uint32_t value)
{
	struct range *last = layer->ranges.count ? &layer->ranges.items[layer->ranges.count - 1] : NULL;
	struct range *added;

	if (start >= end)
		return 0;
	if (last && last->end == start && last->value == value) {
		last->end = end;
		return 0;
	}
	added = array_add(&layer->ranges);
	if (!added)
		return -ENOMEM;
	*added = (struct range){start, end, value};
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct ordered_range *a = left, *b = right;

	return (a->range.start > b->range.start) - (a->range.start < b->range.start);
}

/* Max-heap by order of the ranges that are open at the sweep's place. */
static void heap_push(const struct ordered_range **heap, size_t *count, const struct ordered_range *range)
{
	size_t at = (*count)++;

	for (; at && heap[(at - 1) / 2]->order < range->order; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = range;
}

static void heap_pop(const struct ordered_range **heap, size_t *count)
{
	const struct ordered_range *moved = heap[--*count];
	size_t at = 0;

	for (size_t child; (child = 2 * at + 1) < *count; at = child) {
		if (child + 1 < *count && heap[child + 1]->order > heap[child]->order)
			child++;
		if (heap[child]->order <= moved->order)
			break;
		heap[at] = heap[child];
	}
	heap[at] = moved;
}

/* Sweeps sorted ranges from low to high; at each place the latest of those open wins. */
static int sweep(const struct ordered_range *ranges, size_t count, struct range_layer *layer)
{
	_cleanup_free_ const struct ordered_range **heap = malloc((count + 1) * sizeof(*heap));
	size_t open = 0, next = 0;
	uint64_t at = 0;

	if (!heap)
		return -ENOMEM;
	while (next < count || open) {
		uint64_t until = next < count ? ranges[next].range.start : UINT64_MAX;

		while (open && at < until) {
			const struct range *winner = &heap[0]->range;
			uint64_t end = winner->end < until ? winner->end : until;

			if (append(layer, at, end, winner->value))
				return -ENOMEM;
			at = end;
			while (open && heap[0]->range.end <= at)
				heap_pop(heap, &open);
		}
		if (next < count) {
			at = until;
			heap_push(heap, &open, &ranges[next++]);
		}
	}
	return 0;
}

static int make_layer(const struct range *ranges, size_t count, struct range_layer *layer)
{
	_cleanup_free_ struct ordered_range *ordered = malloc((count + 1) * sizeof(*ordered));
	size_t kept = 0;

	if (!ordered)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (ranges[i].start < ranges[i].end)
			ordered[kept++] = (struct ordered_range){ranges[i], i};
	qsort(ordered, kept, sizeof(*ordered), by_start);
	return sweep(ordered, kept, layer);
}

/* What @newer leaves of @older, and all of @newer. */
static int merge(const struct range_layer *older, const struct range_layer *newer, struct range_layer *merged)
{
	uint64_t covered = 0;
	size_t next = 0;
	int err = 0;

	for (size_t i = 0; i < older->ranges.count && !err; i++) {
		const struct range *old = &older->ranges.items[i];
		uint64_t at = old->start > covered ? old->start : covered;

		while (next < newer->ranges.count && newer->ranges.items[next].start < old->end && !err) {
			const struct range *new = &newer->ranges.items[next++];

			err = append(merged, at, new->start, old->value);
			if (!err)
				err = append(merged, new->start, new->end, new->value);
			covered = new->end;
			at = covered > at ? covered : at;
		}
		if (!err)
			err = append(merged, at, old->end, old->value);
	}
	for (; next < newer->ranges.count && !err; next++)
		err = append(merged, newer->ranges.items[next].start, newer->ranges.items[next].end,
			     newer->ranges.items[next].value);
	return err;
}

static int merge_last_two(struct range_layers *layers)
{
	struct range_layer *newer = &layers->layers.items[layers->layers.count - 1], *older = newer - 1;
	_cleanup_(layer_deinit) struct range_layer merged = {0};
	int err = merge(older, newer, &merged);

	if (err)
		return err;
	layer_deinit(older);
	layer_deinit(newer);
	*older = merged;
	merged = (struct range_layer){0};
	layers->layers.count--;
	return 0;
}

/* Each layer is at least twice as large as the next: so they are few, and a range is seldom moved. */
static bool last_two_are_alike(const struct range_layers *layers)
{
	size_t count = layers->layers.count;

	return count > 1 &&
	       layers->layers.items[count - 2].ranges.count < 2 * layers->layers.items[count - 1].ranges.count;
}

int range_layers_add(struct range_layers *layers, const struct range *ranges, size_t count)
{
	_cleanup_(layer_deinit) struct range_layer layer = {0};
	struct range_layer *added;
	int err = make_layer(ranges, count, &layer);

	if (err || !layer.ranges.count)
		return err;
	added = array_add(&layers->layers);
	if (!added)
		return -ENOMEM;
	*added = layer;
	layer = (struct range_layer){0};
	while (!err && last_two_are_alike(layers))
		err = merge_last_two(layers);
	/* Layers that could not be merged answer all the same. */
	return 0;
}

static const struct range *find(const struct range_layer *layer, uint64_t address)
{
	size_t at = partition_point(i, layer->ranges.count, layer->ranges.items[i].start <= address);

	return at && address < layer->ranges.items[at - 1].end ? &layer->ranges.items[at - 1] : NULL;
}

bool range_layers_find(const struct range_layers *layers, uint64_t address, uint32_t *ret_value)
{
	for (size_t i = layers->layers.count; i > 0; i--) {
		const struct range *found = find(&layers->layers.items[i - 1], address);

		if (found) {
			*ret_value = found->value;
			return true;
		}
	}
	return false;
}
