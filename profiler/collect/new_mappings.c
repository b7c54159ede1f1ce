/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/new_mappings.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "symbolizer/base/array.h"

#define PLACES 4096u

struct ranges {
	struct range {
		uint64_t start, end, time_ns;
	} items[NEW_MAPPINGS_RANGES_MAX]; /* [count] */
	uint32_t count;
};

struct followed {
	struct followed *next; /* in its place */
	uint32_t tgid, users;
	struct ranges ranges[2]; /* of files, of anonymous memory */
};

struct new_mappings {
	pthread_mutex_t lock;		 /* of the next three, and all that they lead to */
	struct followed *places[PLACES]; /* by tgid modulo PLACES */
	size_t noted;			 /* ranges, of all */
	uint64_t lost_ns;		 /* when records were lost that nobody was told of yet, or 0 */
	ARRAY(struct new_mapping) taken;
};

int new_mappings_new(struct new_mappings **ret_mappings)
{
	struct new_mappings *mappings = calloc(1, sizeof(*mappings));

	if (!mappings)
		return -ENOMEM;
	pthread_mutex_init(&mappings->lock, NULL);
	*ret_mappings = mappings;
	return 0;
}

void new_mappings_free(struct new_mappings *mappings)
{
	if (!mappings)
		return;
	for (uint32_t i = 0; i < PLACES; i++)
		for (struct followed *next; mappings->places[i]; mappings->places[i] = next) {
			next = mappings->places[i]->next;
			free(mappings->places[i]);
		}
	array_deinit(&mappings->taken);
	pthread_mutex_destroy(&mappings->lock);
	free(mappings);
}

/* What points to it, or to the NULL where it is not followed. */
static struct followed **place_of(struct new_mappings *mappings, uint32_t tgid)
{
	struct followed **place = &mappings->places[tgid % PLACES];

	while (*place && (*place)->tgid != tgid)
		place = &(*place)->next;
	return place;
}

int new_mappings_follow(struct new_mappings *mappings, uint32_t tgid)
{
	struct followed **place;
	int err = 0;

	pthread_mutex_lock(&mappings->lock);
	place = place_of(mappings, tgid);
	if (!*place)
		*place = calloc(1, sizeof(**place));
	if (*place) {
		(*place)->tgid = tgid;
		(*place)->users++;
	} else {
		err = -ENOMEM;
	}
	pthread_mutex_unlock(&mappings->lock);
	return err;
}

void new_mappings_unfollow(struct new_mappings *mappings, uint32_t tgid)
{
	struct followed **place, *followed;

	pthread_mutex_lock(&mappings->lock);
	place = place_of(mappings, tgid);
	followed = *place;
	if (followed && !--followed->users) {
		mappings->noted -= followed->ranges[false].count + followed->ranges[true].count;
		*place = followed->next;
		free(followed);
	}
	pthread_mutex_unlock(&mappings->lock);
}

/* How much more a range holds once it holds a mapping, too. */
static uint64_t growth_of(const struct range *range, const struct new_mapping *mapping)
{
	uint64_t start = range->start < mapping->start ? range->start : mapping->start;
	uint64_t end = range->end > mapping->end ? range->end : mapping->end;

	return end - start - (range->end - range->start);
}

static struct range *nearest(struct ranges *ranges, const struct new_mapping *mapping)
{
	struct range *found = ranges->items;

	for (uint32_t i = 1; i < ranges->count; i++)
		if (growth_of(&ranges->items[i], mapping) < growth_of(found, mapping))
			found = &ranges->items[i];
	return found;
}

/* Returns how many ranges there are more. */
static size_t note(struct ranges *ranges, const struct new_mapping *mapping)
{
	struct range *range = nearest(ranges, mapping);

	/* Nothing is between them where it grows by no more than the mapping. */
	if (!ranges->count ||
	    (ranges->count < NEW_MAPPINGS_RANGES_MAX && growth_of(range, mapping) > mapping->end - mapping->start)) {
		ranges->items[ranges->count++] = (struct range){mapping->start, mapping->end, mapping->time_ns};
		return 1;
	}
	range->start = range->start < mapping->start ? range->start : mapping->start;
	range->end = range->end > mapping->end ? range->end : mapping->end;
	range->time_ns = range->time_ns > mapping->time_ns ? range->time_ns : mapping->time_ns;
	return 0;
}

void new_mappings_add(struct new_mappings *mappings, const struct new_mapping *mapping)
{
	struct followed *followed;

	pthread_mutex_lock(&mappings->lock);
	followed = *place_of(mappings, mapping->tgid);
	if (followed)
		mappings->noted += note(&followed->ranges[mapping->anonymous], mapping);
	pthread_mutex_unlock(&mappings->lock);
}

void new_mappings_lost(struct new_mappings *mappings, uint64_t time_ns)
{
	pthread_mutex_lock(&mappings->lock);
	mappings->lost_ns = time_ns;
	pthread_mutex_unlock(&mappings->lock);
}

/* Here, once for however many times it happened, and not on the thread that empties the rings. */
static void note_lost(struct new_mappings *mappings)
{
	const struct new_mapping anything = {.end = UINT64_MAX, .time_ns = mappings->lost_ns};

	for (uint32_t i = 0; i < PLACES && mappings->lost_ns; i++)
		for (struct followed *followed = mappings->places[i]; followed; followed = followed->next)
			mappings->noted += note(&followed->ranges[false], &anything);
	mappings->lost_ns = 0;
}

static void take_ranges(struct new_mappings *mappings, struct followed *followed, bool anonymous)
{
	struct ranges *ranges = &followed->ranges[anonymous];

	for (uint32_t i = 0; i < ranges->count; i++)
		*array_add(&mappings->taken) = (struct new_mapping){
			.start = ranges->items[i].start,
			.end = ranges->items[i].end,
			.time_ns = ranges->items[i].time_ns,
			.tgid = followed->tgid,
			.anonymous = anonymous,
		};
	ranges->count = 0;
}

static int by_tgid(const void *left, const void *right)
{
	const struct new_mapping *a = left, *b = right;

	return (a->tgid > b->tgid) - (a->tgid < b->tgid);
}

int new_mappings_take(struct new_mappings *mappings, const struct new_mapping **ret_list, size_t *ret_count)
{
	int err;

	mappings->taken.count = 0;
	pthread_mutex_lock(&mappings->lock);
	note_lost(mappings);
	err = array_reserve(&mappings->taken, mappings->noted);
	for (uint32_t i = 0; i < PLACES && mappings->noted && !err; i++)
		for (struct followed *followed = mappings->places[i]; followed; followed = followed->next) {
			take_ranges(mappings, followed, false);
			take_ranges(mappings, followed, true);
		}
	if (!err)
		mappings->noted = 0;
	pthread_mutex_unlock(&mappings->lock);
	if (err)
		return err;
	if (mappings->taken.count)
		qsort(mappings->taken.items, mappings->taken.count, sizeof(*mappings->taken.items), by_tgid);
	*ret_list = mappings->taken.items;
	*ret_count = mappings->taken.count;
	return 0;
}
