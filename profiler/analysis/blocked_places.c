/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/blocked_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/calls.h"
#include "profiler/analysis/parts_index.h"
#include "profiler/profile/kernel_stacks.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

struct finding {
	const struct profile *profile;
	struct blocked_places *places;
	struct kernel_stacks stacks;
	struct hash_index index;
	struct parts_index wakers; /* of all places; many, where a pool's threads have a name each */
};

void blocked_places_deinit(struct blocked_places *places)
{
	for (size_t i = 0; i < places->list.count; i++)
		array_deinit(&places->list.items[i].wakers);
	array_deinit(&places->list);
	string_table_deinit(&places->strings);
}

static int add_text(struct blocked_places *places, const char *text, string_id *ret_id)
{
	return string_table_add(&places->strings, text, strlen(text), ret_id);
}

/* For whom a kernel thread works is not known, and a shim's work is to wait for its container. */
static bool is_nobodys(const struct finding *finding, uint32_t container)
{
	uint8_t kind = finding->profile->rows.containers.items[container].kind;

	return kind == CONTAINER_KERNEL || kind == CONTAINER_OVERHEAD;
}

/* @waking: the stack that ended it. Who was killed or stopped had not waited for whoever did it. */
static bool is_for_another(const struct finding *finding, const struct recording_wait *wait, uint32_t waker,
			   const struct kernel_stack *waking)
{
	return waker != RECORDING_NONE && waker != wait->container && !is_nobodys(finding, wait->container) &&
	       !is_nobodys(finding, waker) && !waking->sends_signal;
}

/* @waker: the container that ended it, or RECORDING_NONE; @waking: its stack */
static int describe(struct finding *finding, const struct recording_wait *wait, uint32_t waker,
		    const struct kernel_stack *waking, struct blocked_place *place)
{
	const struct kernel_stack *stack;
	int err = kernel_stacks_find(&finding->stacks, wait->stack, &stack);

	/* A kernel thread without work, and a stopped task, wait for nobody who could hurry. */
	place->by_design = wait->state == WAIT_STOPPED ||
			   (wait->state == WAIT_SLEEPING &&
			    finding->profile->rows.containers.items[wait->container].kind == CONTAINER_KERNEL);
	if (err)
		return err;
	place->entry = stack->entry;
	place->function = stack->blocked;
	if (wait->state == WAIT_SLEEPING && stack->kind == KERNEL_ENTRY_SYSTEM_CALL &&
	    call_sleeps_by_design(string_table_text(&finding->places->strings, stack->entry)) &&
	    !is_for_another(finding, wait, waker, waking))
		place->by_design = true;
	return 0;
}

static int find_or_add(struct finding *finding, const struct blocked_place *wanted, uint32_t *ret_place)
{
	uint64_t hash = hash_words((uint64_t)wanted->container << 9 | (uint64_t)wanted->by_design << 8 | wanted->state,
				   (uint64_t)wanted->entry << 32 | wanted->function);
	uint32_t number;

	for (size_t at = hash_index_first(&finding->index, hash);
	     hash_index_next(&finding->index, hash, &at, &number);) {
		const struct blocked_place *place = &finding->places->list.items[number];

		if (place->container == wanted->container && place->state == wanted->state &&
		    place->by_design == wanted->by_design && place->entry == wanted->entry &&
		    place->function == wanted->function) {
			*ret_place = number;
			return 0;
		}
	}
	number = (uint32_t)finding->places->list.count;
	if (array_reserve(&finding->places->list, 1) || hash_index_insert(&finding->index, hash, number))
		return -ENOMEM;
	*array_add(&finding->places->list) = *wanted;
	*ret_place = number;
	return 0;
}

static int name_waker(struct finding *finding, const struct recording_wait *wait, const struct kernel_stack *waking,
		      struct place_waker *waker)
{
	const struct recording_tables *rows = &finding->profile->rows;

	waker->container = RECORDING_NONE;
	if (wait->flags & RECORDING_WAIT_UNFINISHED)
		return add_text(finding->places, "[not woken yet]", &waker->name);
	if (wait->waker_container == RECORDING_NONE)
		return add_text(finding->places, "[waker not seen]", &waker->name);
	if (waking->kind == KERNEL_ENTRY_INTERRUPT)
		return add_text(finding->places, "interrupt", &waker->name);
	waker->container = wait->waker_container;
	if (wait->waker_thread == RECORDING_NONE)
		return add_text(finding->places, "[thread not known]", &waker->name);
	return add_text(finding->places,
			string_table_text(&rows->strings, rows->threads.items[wait->waker_thread].comm), &waker->name);
}

static int add_waker(struct finding *finding, uint32_t number, const struct place_waker *waker)
{
	struct blocked_place *place = &finding->places->list.items[number];
	uint64_t hash = hash_words((uint64_t)number << 32 | waker->container, waker->name);
	uint32_t found;

	for (size_t at = parts_index_first(&finding->wakers, hash);
	     parts_index_next(&finding->wakers, hash, number, &at, &found);) {
		struct place_waker *known = &place->wakers.items[found];

		if (known->container == waker->container && known->name == waker->name) {
			sum_add(&known->ns, waker->ns);
			known->count += waker->count;
			return 0;
		}
	}
	if (array_reserve(&place->wakers, 1) || parts_index_add(&finding->wakers, hash, number, place->wakers.count))
		return -ENOMEM;
	*array_add(&place->wakers) = *waker;
	return 0;
}

static int add_wait(struct finding *finding, const struct recording_wait *wait)
{
	struct blocked_place wanted = {.container = wait->container, .state = wait->state}, *place;
	struct place_waker waker = {.ns = wait->total_ns, .count = wait->count};
	const struct kernel_stack *waking;
	uint32_t number;
	int err = kernel_stacks_find(&finding->stacks, wait->waker_stack, &waking);

	if (!err)
		err = name_waker(finding, wait, waking, &waker);
	if (!err)
		err = describe(finding, wait, waker.container, waking, &wanted);
	if (!err)
		err = find_or_add(finding, &wanted, &number);
	if (err)
		return err;
	place = &finding->places->list.items[number];
	place->count += wait->count;
	sum_add(&place->ns, wait->total_ns);
	if (wait->max_ns > place->max_ns)
		place->max_ns = wait->max_ns;
	if (wait->flags & RECORDING_WAIT_UNFINISHED)
		sum_add(&place->unfinished_ns, wait->total_ns);
	sum_add(&finding->places->ns, wait->total_ns);
	finding->places->count += wait->count;
	return add_waker(finding, number, &waker);
}

static int compare_places(const void *left, const void *right)
{
	const struct blocked_place *a = left, *b = right;

	if (a->by_design != b->by_design)
		return a->by_design ? 1 : -1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	return a->container < b->container ? -1 : a->container > b->container;
}

static int compare_wakers(const void *left, const void *right)
{
	const struct place_waker *a = left, *b = right;

	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	return a->container < b->container ? -1 : a->container > b->container;
}

int blocked_places_init(struct blocked_places *places, const struct profile *profile, uint32_t states)
{
	struct finding finding = {.profile = profile, .places = places};
	int err;

	memset(places, 0, sizeof(*places));
	err = string_table_init(&places->strings);
	if (!err)
		err = kernel_stacks_init(&finding.stacks, profile, &places->strings);
	for (size_t i = 0; i < profile->rows.waits.count && !err; i++) {
		const struct recording_wait *wait = &profile->rows.waits.items[i];

		if (!states || (wait->state < 32 && states & 1u << wait->state))
			err = add_wait(&finding, wait);
	}
	kernel_stacks_deinit(&finding.stacks);
	hash_index_deinit(&finding.index);
	parts_index_deinit(&finding.wakers);
	if (err || !places->list.count)
		return err;
	qsort(places->list.items, places->list.count, sizeof(*places->list.items), compare_places);
	for (size_t i = 0; i < places->list.count; i++)
		if (places->list.items[i].wakers.count)
			qsort(places->list.items[i].wakers.items, places->list.items[i].wakers.count,
			      sizeof(struct place_waker), compare_wakers);
	return 0;
}
