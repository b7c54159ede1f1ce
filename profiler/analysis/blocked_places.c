/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/blocked_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/calls.h"
#include "profiler/profile/kernel_entry.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

#define FRAMES_MAX 256

/* Where a waker is kept. */
struct waker_at {
	uint32_t place, number; /* in blocked_places.list, in its wakers */
};

struct finding {
	const struct profile *profile;
	struct blocked_places *places;
	struct hash_index index;
	ARRAY(struct waker_at) wakers; /* of all places; many, where a pool's threads have a name each */
	struct hash_index waker_index;
};

/* The kernel's part of a stack. */
struct kernel_names {
	const char *names[FRAMES_MAX]; /* [count], leaf first */
	size_t count;
};

void blocked_places_deinit(struct blocked_places *places)
{
	for (size_t i = 0; i < places->list.count; i++)
		array_deinit(&places->list.items[i].wakers);
	array_deinit(&places->list);
	string_table_deinit(&places->strings);
}

/* Is it a function that any task goes through as it leaves its CPU? */
static bool is_scheduler(const char *function)
{
	static const char *const known[] = {
		"schedule",
		"__schedule",
		"preempt_schedule",
		"schedule_idle",
		"schedule_preempt_disabled",
		"schedule_timeout",
		"schedule_timeout_interruptible",
		"schedule_timeout_killable",
		"schedule_timeout_uninterruptible",
		"schedule_hrtimeout",
		"schedule_hrtimeout_range",
		"schedule_hrtimeout_range_clock",
		"io_schedule",
		"io_schedule_timeout",
		"__traceiter_sched_switch",
		"__bpf_trace_sched_switch",
	};
	size_t length = strcspn(function, ".");

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if (strlen(known[i]) == length && !strncmp(function, known[i], length))
			return true;
	return false;
}

static void collect(const struct profile *profile, uint32_t stack, struct kernel_names *kernel)
{
	kernel->count = kernel_entry_names(profile, stack, kernel->names, FRAMES_MAX);
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

/* __send_signal_locked() and its like: who was killed or stopped had not waited for whoever did it. */
static bool is_signal(const struct kernel_names *kernel)
{
	for (size_t i = 0; i < kernel->count; i++)
		if (strstr(kernel->names[i], "send_signal"))
			return true;
	return false;
}

static bool is_for_another(const struct finding *finding, const struct recording_wait *wait, uint32_t waker)
{
	struct kernel_names kernel;

	if (waker == RECORDING_NONE || waker == wait->container || is_nobodys(finding, wait->container) ||
	    is_nobodys(finding, waker))
		return false;
	collect(finding->profile, wait->waker_stack, &kernel);
	return !is_signal(&kernel);
}

/* @waker: the container that ended it, or RECORDING_NONE */
static int describe(struct finding *finding, const struct recording_wait *wait, uint32_t waker,
		    struct blocked_place *place)
{
	struct kernel_names kernel;
	struct kernel_entry entry;
	size_t leaf = 0;
	int err = 0;

	/* A kernel thread without work, and a stopped task, wait for nobody who could hurry. */
	place->by_design = wait->state == WAIT_STOPPED ||
			   (wait->state == WAIT_SLEEPING &&
			    finding->profile->rows.containers.items[wait->container].kind == CONTAINER_KERNEL);
	collect(finding->profile, wait->stack, &kernel);
	if (!kernel.count)
		return 0;
	kernel_entry_find(kernel.names, kernel.count, &entry);
	while (leaf + 1 < kernel.count && is_scheduler(kernel.names[leaf]))
		leaf++;
	if (entry.kind != KERNEL_ENTRY_NONE)
		err = add_text(finding->places, entry.name, &place->entry);
	if (!err)
		err = add_text(finding->places, kernel.names[leaf], &place->function);
	if (wait->state == WAIT_SLEEPING && entry.kind == KERNEL_ENTRY_SYSTEM_CALL &&
	    call_sleeps_by_design(entry.name) && !is_for_another(finding, wait, waker))
		place->by_design = true;
	return err;
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

static int name_waker(struct finding *finding, const struct recording_wait *wait, struct place_waker *waker)
{
	const struct recording_tables *rows = &finding->profile->rows;
	struct kernel_names kernel;
	struct kernel_entry entry;

	waker->container = RECORDING_NONE;
	if (wait->flags & RECORDING_WAIT_UNFINISHED)
		return add_text(finding->places, "[not woken yet]", &waker->name);
	if (wait->waker_container == RECORDING_NONE)
		return add_text(finding->places, "[waker not seen]", &waker->name);
	collect(finding->profile, wait->waker_stack, &kernel);
	if (kernel.count) {
		kernel_entry_find(kernel.names, kernel.count, &entry);
		if (entry.kind == KERNEL_ENTRY_INTERRUPT)
			return add_text(finding->places, "interrupt", &waker->name);
	}
	waker->container = wait->waker_container;
	if (wait->waker_thread == RECORDING_NONE)
		return add_text(finding->places, "[thread not known]", &waker->name);
	return add_text(finding->places,
			string_table_text(&rows->strings, rows->threads.items[wait->waker_thread].comm), &waker->name);
}

static int add_waker(struct finding *finding, uint32_t place, const struct place_waker *waker)
{
	struct blocked_place *places = finding->places->list.items;
	uint64_t hash = hash_words((uint64_t)place << 32 | waker->container, waker->name);
	uint32_t number;

	for (size_t at = hash_index_first(&finding->waker_index, hash);
	     hash_index_next(&finding->waker_index, hash, &at, &number);) {
		const struct waker_at *where = &finding->wakers.items[number];
		struct place_waker *known = &places[where->place].wakers.items[where->number];

		if (where->place == place && known->container == waker->container && known->name == waker->name) {
			sum_add(&known->ns, waker->ns);
			known->count += waker->count;
			return 0;
		}
	}
	number = (uint32_t)finding->wakers.count;
	if (array_reserve(&finding->wakers, 1) || array_reserve(&places[place].wakers, 1) ||
	    hash_index_insert(&finding->waker_index, hash, number))
		return -ENOMEM;
	*array_add(&finding->wakers) = (struct waker_at){place, (uint32_t)places[place].wakers.count};
	*array_add(&places[place].wakers) = *waker;
	return 0;
}

static int add_wait(struct finding *finding, const struct recording_wait *wait)
{
	struct blocked_place wanted = {.container = wait->container, .state = wait->state}, *place;
	struct place_waker waker = {.ns = wait->total_ns, .count = wait->count};
	uint32_t number;
	int err = name_waker(finding, wait, &waker);

	if (!err)
		err = describe(finding, wait, waker.container, &wanted);
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
	for (size_t i = 0; i < profile->rows.waits.count && !err; i++) {
		const struct recording_wait *wait = &profile->rows.waits.items[i];

		if (!states || (wait->state < 32 && states & 1u << wait->state))
			err = add_wait(&finding, wait);
	}
	hash_index_deinit(&finding.index);
	hash_index_deinit(&finding.waker_index);
	array_deinit(&finding.wakers);
	if (err || !places->list.count)
		return err;
	qsort(places->list.items, places->list.count, sizeof(*places->list.items), compare_places);
	for (size_t i = 0; i < places->list.count; i++)
		if (places->list.items[i].wakers.count)
			qsort(places->list.items[i].wakers.items, places->list.items[i].wakers.count,
			      sizeof(struct place_waker), compare_wakers);
	return 0;
}
