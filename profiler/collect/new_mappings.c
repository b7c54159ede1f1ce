/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/new_mappings.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOWED 65536u
#define PLACES 1024u

struct mapping_list {
	struct new_mapping items[NEW_MAPPINGS_MAX]; /* [count] */
	size_t count;
	bool lost;
	/* How much is of whom, by tgid modulo PLACES: of two that share a place the later one begins again. */
	struct {
		uint32_t tgid, count;
	} noted[PLACES];
};

struct new_mappings {
	pthread_mutex_t lock; /* of all below */
	uint64_t followed[FOLLOWED / 64];
	struct mapping_list lists[2], *added, *taken;
};

int new_mappings_new(struct new_mappings **ret_mappings)
{
	struct new_mappings *mappings = calloc(1, sizeof(*mappings));

	if (!mappings)
		return -ENOMEM;
	pthread_mutex_init(&mappings->lock, NULL);
	mappings->added = &mappings->lists[0];
	mappings->taken = &mappings->lists[1];
	*ret_mappings = mappings;
	return 0;
}

void new_mappings_free(struct new_mappings *mappings)
{
	if (!mappings)
		return;
	pthread_mutex_destroy(&mappings->lock);
	free(mappings);
}

void new_mappings_follow(struct new_mappings *mappings, uint32_t tgid)
{
	pthread_mutex_lock(&mappings->lock);
	mappings->followed[tgid % FOLLOWED / 64] |= 1ull << tgid % 64;
	pthread_mutex_unlock(&mappings->lock);
}

static uint32_t count_of(struct mapping_list *list, uint32_t tgid)
{
	if (list->noted[tgid % PLACES].tgid != tgid)
		list->noted[tgid % PLACES].count = 0;
	list->noted[tgid % PLACES].tgid = tgid;
	return ++list->noted[tgid % PLACES].count;
}

static void add(struct mapping_list *list, const struct new_mapping *mapping)
{
	uint32_t count = count_of(list, mapping->tgid);

	if (count > NEW_MAPPINGS_OF_ONE_MAX)
		return;
	if (list->count == NEW_MAPPINGS_MAX) {
		list->lost = true;
		return;
	}
	list->items[list->count] = *mapping;
	/* It stands for all that are to come. */
	if (count == NEW_MAPPINGS_OF_ONE_MAX)
		list->items[list->count] = (struct new_mapping){0, UINT64_MAX, UINT64_MAX, mapping->tgid, false};
	list->count++;
}

void new_mappings_add(struct new_mappings *mappings, const struct new_mapping *mapping)
{
	pthread_mutex_lock(&mappings->lock);
	if (mappings->followed[mapping->tgid % FOLLOWED / 64] >> mapping->tgid % 64 & 1)
		add(mappings->added, mapping);
	pthread_mutex_unlock(&mappings->lock);
}

static int by_tgid(const void *left, const void *right)
{
	const struct new_mapping *a = left, *b = right;

	return (a->tgid > b->tgid) - (a->tgid < b->tgid);
}

size_t new_mappings_take(struct new_mappings *mappings, const struct new_mapping **ret_list, bool *ret_lost)
{
	struct mapping_list *taken = mappings->taken;

	taken->count = 0;
	taken->lost = false;
	memset(taken->noted, 0, sizeof(taken->noted));
	pthread_mutex_lock(&mappings->lock);
	mappings->taken = mappings->added;
	mappings->added = taken;
	pthread_mutex_unlock(&mappings->lock);
	taken = mappings->taken;
	qsort(taken->items, taken->count, sizeof(*taken->items), by_tgid);
	*ret_list = taken->items;
	*ret_lost = taken->lost;
	return taken->count;
}
