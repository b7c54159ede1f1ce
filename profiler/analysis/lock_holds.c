/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/lock_holds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/parts_index.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/sums.h"

/* Rows of the same container and the same bit of the same kind of lock, added up; names in lock_sites.strings. */
struct sums {
	ARRAY(struct recording_hold) list;
	struct hash_index index;
};

#define TOTAL UINT32_MAX /* as a site's number: that of all */

struct adding {
	struct lock_sites *sites;
	struct hash_index site_index; /* of the sites, by kind of lock; several may be of one */
	struct parts_index holds;     /* of all sites */
};

static void adding_deinit(struct adding *adding)
{
	hash_index_deinit(&adding->site_index);
	parts_index_deinit(&adding->holds);
}

/* Who waits for an rwsem to read and who does to write are two lines, of one lock. */
static uint8_t type_of(uint8_t lock_class)
{
	return lock_class == LOCK_CLASS_RWSEM_READ ? LOCK_CLASS_RWSEM_WRITE : lock_class;
}

static int add_row(struct sums *sums, struct recording_hold row)
{
	uint64_t kind = (uint64_t)row.name << 32 | (uint64_t)row.lock_class << 16 | (uint64_t)row.place << 8 | row.bit;
	uint64_t hash = hash_words(kind, row.container);
	uint32_t number;

	for (size_t at = hash_index_first(&sums->index, hash); hash_index_next(&sums->index, hash, &at, &number);) {
		struct recording_hold *sum = &sums->list.items[number];

		if (sum->container == row.container && sum->name == row.name && sum->place == row.place &&
		    sum->lock_class == row.lock_class && sum->bit == row.bit) {
			sum->looks += row.looks;
			sum_add(&sum->ns, row.ns);
			sum_add(&sum->waited_ns, row.waited_ns);
			return 0;
		}
	}
	number = (uint32_t)sums->list.count;
	if (array_reserve(&sums->list, 1) || hash_index_insert(&sums->index, hash, number))
		return -ENOMEM;
	*array_add(&sums->list) = row;
	return 0;
}

static int add_all(struct sums *sums, struct lock_sites *sites, const struct profile *profile)
{
	int err = 0;

	for (size_t i = 0; i < profile->rows.holds.count && !err; i++) {
		struct recording_hold row = profile->rows.holds.items[i];
		const char *name = string_table_text(&profile->rows.strings, row.name);

		row.lock_class = type_of(row.lock_class);
		row.bit &= 63;
		err = string_table_add(&sites->strings, name, strlen(name), &row.name);
		if (!err)
			err = add_row(sums, row);
	}
	return err;
}

static int add_to_site(struct adding *adding, uint32_t number, const struct recording_hold *sum)
{
	struct lock_site *site = number == TOTAL ? &adding->sites->total : &adding->sites->list.items[number];
	uint64_t hash = hash_words(number, sum->container);
	uint32_t found;

	for (size_t at = parts_index_first(&adding->holds, hash);
	     parts_index_next(&adding->holds, hash, number, &at, &found);) {
		struct lock_hold *known = &site->holds.items[found];

		if (known->container == sum->container) {
			known->looks += sum->looks;
			sum_add(&known->ns, sum->ns);
			sum_add(&known->waited_ns, sum->waited_ns);
			return 0;
		}
	}
	if (array_reserve(&site->holds, 1) || parts_index_add(&adding->holds, hash, number, site->holds.count))
		return -ENOMEM;
	*array_add(&site->holds) = (struct lock_hold){sum->container, sum->looks, sum->ns, sum->waited_ns};
	return 0;
}

static uint64_t hash_of_kind(uint8_t lock_class, uint8_t place, string_id name)
{
	return hash_words((uint64_t)type_of(lock_class) << 8 | place, name);
}

static bool is_of(const struct lock_site *site, const struct recording_hold *sum)
{
	return type_of(site->lock_class) == sum->lock_class && site->place == sum->place && site->name == sum->name &&
	       site->seen >> sum->bit & 1;
}

static int longest_first(const void *left, const void *right)
{
	const struct lock_hold *a = left, *b = right;

	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	return a->container < b->container ? -1 : a->container > b->container;
}

static void sort(struct lock_site *site)
{
	if (site->holds.count)
		qsort(site->holds.items, site->holds.count, sizeof(*site->holds.items), longest_first);
}

static int index_sites(struct adding *adding)
{
	int err = 0;

	for (uint32_t i = 0; i < adding->sites->list.count && !err; i++) {
		const struct lock_site *site = &adding->sites->list.items[i];

		err = hash_index_insert(&adding->site_index, hash_of_kind(site->lock_class, site->place, site->name),
					i);
	}
	return err;
}

static int add_to_sites(struct adding *adding, const struct recording_hold *sum)
{
	uint64_t hash = hash_of_kind(sum->lock_class, sum->place, sum->name);
	uint32_t number;
	int err = 0;

	for (size_t at = hash_index_first(&adding->site_index, hash);
	     !err && hash_index_next(&adding->site_index, hash, &at, &number);)
		if (is_of(&adding->sites->list.items[number], sum))
			err = add_to_site(adding, number, sum);
	return err;
}

bool lock_holds_are_enough(const struct lock_site *site)
{
	uint64_t looks = 0, ns = 0, waited_ns = 0;

	for (size_t i = 0; i < site->holds.count; i++) {
		looks += site->holds.items[i].looks;
		sum_add(&ns, site->holds.items[i].ns);
		sum_add(&waited_ns, site->holds.items[i].waited_ns);
	}
	return looks && waited_ns >= LOOKS_ENOUGH * (ns / looks);
}

int lock_holds_add(struct lock_sites *sites, const struct profile *profile, bool each)
{
	_cleanup_(adding_deinit) struct adding adding = {.sites = sites};
	struct sums sums = {0};
	int err = add_all(&sums, sites, profile);

	if (!err && each)
		err = index_sites(&adding);
	for (size_t i = 0; i < sums.list.count && !err; i++) {
		err = add_to_site(&adding, TOTAL, &sums.list.items[i]);
		if (!err && each)
			err = add_to_sites(&adding, &sums.list.items[i]);
	}
	for (size_t i = 0; i < sites->list.count; i++)
		sort(&sites->list.items[i]);
	sort(&sites->total);
	array_deinit(&sums.list);
	hash_index_deinit(&sums.index);
	return err;
}
