/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/lock_sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/lock_holds.h"
#include "profiler/analysis/lock_place.h"
#include "profiler/analysis/lock_spins.h"
#include "profiler/analysis/parts_index.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

#define TOTAL UINT32_MAX /* as a site's number: that of all */

struct finding {
	const struct profile *profile;
	struct lock_sites *sites;
	struct parts_index blame, holders; /* of all sites: each may have as many as there are pairs of containers */
	enum locks_grouping by;
	const bool *wanted; /* [containers]; NULL: all */
	struct hash_index index;
	uint32_t *place; /* [recorded locks]: the site that each is part of */
};

void lock_sites_deinit(struct lock_sites *sites)
{
	for (size_t i = 0; i < sites->list.count; i++) {
		array_deinit(&sites->list.items[i].blame);
		array_deinit(&sites->list.items[i].holders);
		array_deinit(&sites->list.items[i].holds);
	}
	array_deinit(&sites->list);
	array_deinit(&sites->total.blame);
	array_deinit(&sites->total.holds);
	array_deinit(&sites->spins);
	string_table_deinit(&sites->strings);
}

bool lock_sites_recorded(const struct profile *profile)
{
	/* One that was cut has no facts of its end; an older one has all uncounted waits in one. */
	return profile->rows.locks.count || profile_fact(profile, "locks.spins_untraced") ||
	       profile_fact(profile, "locks.spins_lost");
}

const char *lock_class_name(uint8_t lock_class)
{
	static const char *const names[LOCK_CLASSES + 1] = {
		[LOCK_CLASS_MUTEX] = "mutex",
		[LOCK_CLASS_RWSEM_READ] = "rwsem, reading",
		[LOCK_CLASS_RWSEM_WRITE] = "rwsem, writing",
		[LOCK_CLASS_PERCPU_RWSEM] = "percpu rwsem",
		[LOCK_CLASS_RT_MUTEX] = "rt mutex",
		[LOCK_CLASS_SPINLOCK] = "spinlock",
		[LOCK_CLASS_RWLOCK_READ] = "rwlock, reading",
		[LOCK_CLASS_RWLOCK_WRITE] = "rwlock, writing",
		[LOCK_CLASSES] = "several",
	};

	return lock_class <= LOCK_CLASSES ? names[lock_class] : "unknown";
}

const char *lock_holder_how(uint8_t how)
{
	static const char *const names[] = {
		[LOCK_OWNER_IS_UNTOLD] = "unknown",	      [LOCK_OWNER_IS_NOBODY] = "just gone",
		[LOCK_OWNER_IS_READER] = "reading",	      [LOCK_OWNER_IS_ON_CPU] = "on a CPU",
		[LOCK_OWNER_IS_QUEUED] = "waiting for a CPU", [LOCK_OWNER_IS_ASLEEP] = "asleep",
		[LOCK_HOLDER_LET_GO] = "letting go",
	};

	return how < ARRAY_LENGTH(names) ? names[how] : "unknown";
}

/* 64 bits, of which each lock sets one: with so many still 0, so many locks are the likeliest (-64 ln(zeros / 64)). */
unsigned int lock_sites_different(uint64_t seen)
{
	static const uint16_t guesses[] = {
		0,  266, 222, 196, 177, 163, 151, 142, 133, 126, 119, 113, 107, 102, 97, 93, 89, 85, 81, 78, 74, 71,
		68, 65,	 63,  60,  58,	55,  53,  51,  48,  46,	 44,  42,  40,	39,  37, 35, 33, 32, 30, 28, 27, 25,
		24, 23,	 21,  20,  18,	17,  16,  15,  13,  12,	 11,  10,  9,	7,   6,	 5,  4,	 3,  2,	 1,  0};

	return guesses[64 - __builtin_popcountll(seen)];
}

static bool is_wanted(const struct finding *finding, uint32_t container)
{
	return !finding->wanted || (container != RECORDING_NONE && finding->wanted[container]);
}

static int add_text(struct lock_sites *sites, const char *text, string_id *ret_id)
{
	return string_table_add(&sites->strings, text, strlen(text), ret_id);
}

static int describe(struct finding *finding, const struct recording_lock *lock, struct lock_site *site)
{
	const char *name = string_table_text(&finding->profile->rows.strings, lock->name);
	struct lock_place_names place;
	int err = add_text(finding->sites, name, &site->name);

	site->place = lock->place;
	if (err || !lock_place_find(finding->profile, lock->stack, &place))
		return err;
	err = add_text(finding->sites, place.function, &site->function);
	return err || finding->by != LOCKS_BY_STACK ? err : add_text(finding->sites, place.entry, &site->entry);
}

static int find_or_add(struct finding *finding, const struct lock_site *wanted, uint32_t *ret_number)
{
	uint64_t hash = hash_words(hash_words((uint64_t)wanted->container << 8 | wanted->lock_class,
					      (uint64_t)wanted->entry << 32 | wanted->function),
				   (uint64_t)wanted->place << 32 | wanted->name);
	uint32_t number;

	for (size_t at = hash_index_first(&finding->index, hash);
	     hash_index_next(&finding->index, hash, &at, &number);) {
		const struct lock_site *site = &finding->sites->list.items[number];

		if (site->container == wanted->container && site->lock_class == wanted->lock_class &&
		    site->entry == wanted->entry && site->function == wanted->function &&
		    site->place == wanted->place && site->name == wanted->name) {
			*ret_number = number;
			return 0;
		}
	}
	number = (uint32_t)finding->sites->list.count;
	if (array_reserve(&finding->sites->list, 1) || hash_index_insert(&finding->index, hash, number))
		return -ENOMEM;
	*array_add(&finding->sites->list) = *wanted;
	*ret_number = number;
	return 0;
}

static struct lock_site *site_of(const struct finding *finding, uint32_t number)
{
	return number == TOTAL ? &finding->sites->total : &finding->sites->list.items[number];
}

static int blame(struct finding *finding, uint32_t number, uint32_t container, uint32_t culprit, uint64_t ns)
{
	uint64_t hash = hash_words((uint64_t)container << 32 | culprit, number);
	struct lock_site *site = site_of(finding, number);
	uint32_t found;

	if (!ns)
		return 0;
	for (size_t at = parts_index_first(&finding->blame, hash);
	     parts_index_next(&finding->blame, hash, number, &at, &found);) {
		struct lock_blame *known = &site->blame.items[found];

		if (known->container == container && known->culprit == culprit) {
			sum_add(&known->ns, ns);
			return 0;
		}
	}
	if (array_reserve(&site->blame, 1) || parts_index_add(&finding->blame, hash, number, site->blame.count))
		return -ENOMEM;
	*array_add(&site->blame) = (struct lock_blame){container, culprit, ns};
	return 0;
}

static uint64_t held_ns(const struct recording_lock *lock)
{
	return lock->total_ns > lock->handoff_ns ? lock->total_ns - lock->handoff_ns : 0;
}

/* Who held it, one after the other: the owner as the wait began, and in the end the waker. */
struct shares {
	uint32_t owner, waker; /* the same where only one of them is known */
	uint64_t owner_ns, waker_ns;
};

static struct shares shares_of(const struct recording_lock *lock)
{
	uint64_t held = held_ns(lock), waker = lock->waker_ns ? lock->waker_ns : held - held / 2;
	struct shares shares = {lock->owner_container, lock->waker_container, 0, waker < held ? waker : held};

	if (shares.owner == RECORDING_NONE) {
		shares.owner = shares.waker;
		shares.waker_ns = held;
	} else if (shares.waker == RECORDING_NONE) {
		shares.waker = shares.owner;
		shares.waker_ns = 0;
	}
	shares.owner_ns = held - shares.waker_ns;
	return shares;
}

static int blame_both(struct finding *finding, uint32_t number, const struct recording_lock *lock)
{
	struct shares shares = shares_of(lock);
	int err = blame(finding, number, lock->container, shares.owner, shares.owner_ns);

	return err ? err : blame(finding, number, lock->container, shares.waker, shares.waker_ns);
}

static int add_to(struct finding *finding, uint32_t number, const struct recording_lock *lock)
{
	struct lock_site *site = site_of(finding, number);
	bool both = lock->owner_container != RECORDING_NONE && lock->waker_container != RECORDING_NONE;

	site->count += lock->count;
	sum_add(&site->total_ns, lock->total_ns);
	if (lock->max_ns > site->max_ns)
		site->max_ns = lock->max_ns;
	if (lock->flags & RECORDING_LOCK_SPUN) {
		site->spun += lock->count;
		sum_add(&site->spun_ns, lock->total_ns);
		return 0;
	}
	sum_add(&site->handoff_ns, lock->handoff_ns);
	site->seen |= lock->seen;
	if (lock->owner < LOCK_OWNERS)
		sum_add(&site->owner_ns[lock->owner], held_ns(lock));
	site->both += both ? lock->count : 0;
	site->agreed += both && lock->owner_container == lock->waker_container ? lock->count : 0;
	return blame_both(finding, number, lock);
}

/* Where the culprit was: its stack @stack, or none that is known. */
static int add_holder(struct finding *finding, uint32_t number, uint8_t how, uint32_t stack, uint64_t ns)
{
	struct lock_holder wanted = {.how = how, .stack = stack, .ns = ns};
	struct lock_site *site = site_of(finding, number);
	struct lock_place_names place;
	uint32_t found;
	uint64_t hash;
	int err = 0;

	if (!ns)
		return 0;
	if (lock_place_find(finding->profile, stack, &place)) {
		err = add_text(finding->sites, place.function, &wanted.function);
		if (!err)
			err = add_text(finding->sites, place.entry, &wanted.entry);
	}
	if (err)
		return err;
	hash = hash_words((uint64_t)wanted.function << 32 | wanted.entry, (uint64_t)number << 8 | how);
	for (size_t at = parts_index_first(&finding->holders, hash);
	     parts_index_next(&finding->holders, hash, number, &at, &found);) {
		struct lock_holder *known = &site->holders.items[found];

		if (known->how == how && known->function == wanted.function && known->entry == wanted.entry) {
			sum_add(&known->ns, ns);
			return 0;
		}
	}
	if (array_reserve(&site->holders, 1) || parts_index_add(&finding->holders, hash, number, site->holders.count))
		return -ENOMEM;
	*array_add(&site->holders) = wanted;
	return 0;
}

/* By owner: a site for each culprit, which only has the time that is blamed on it. */
static int add_owner(struct finding *finding, const struct recording_lock *lock, uint32_t culprit, uint64_t ns,
		     bool count, uint32_t *ret_number)
{
	struct lock_site wanted = {.lock_class = LOCK_CLASSES, .container = culprit}, *site;
	int err = find_or_add(finding, &wanted, ret_number);

	if (err)
		return err;
	site = site_of(finding, *ret_number);
	site->count += count ? lock->count : 0;
	sum_add(&site->total_ns, ns);
	site->concerned |= is_wanted(finding, lock->container);
	return blame(finding, *ret_number, lock->container, culprit, ns);
}

/* A wait that two made long counts for both. */
static int add_owners(struct finding *finding, const struct recording_lock *lock)
{
	struct shares shares = shares_of(lock);
	bool one = shares.owner == shares.waker;
	uint32_t site;
	int err = 0;

	if (lock->flags & RECORDING_LOCK_SPUN)
		return 0;
	if (one || shares.owner_ns) {
		err = add_owner(finding, lock, shares.owner, shares.owner_ns, true, &site);
		if (!err)
			err = add_holder(finding, site, lock->owner, lock->owner_stack, shares.owner_ns);
	}
	if (!one && shares.owner_ns)
		finding->sites->counted_twice += lock->count;
	if (!err)
		err = add_owner(finding, lock, shares.waker, shares.waker_ns, !one, &site);
	return err ? err : add_holder(finding, site, LOCK_HOLDER_LET_GO, lock->waker_stack, shares.waker_ns);
}

static int add_lock(struct finding *finding, uint32_t recorded)
{
	const struct recording_lock *lock = &finding->profile->rows.locks.items[recorded];
	struct lock_site wanted = {.lock_class = lock->lock_class, .container = RECORDING_NONE};
	int err = add_to(finding, TOTAL, lock);

	if (!err && finding->by == LOCKS_BY_OWNER)
		return add_owners(finding, lock);
	if (finding->by == LOCKS_BY_CONTAINER) {
		wanted.lock_class = LOCK_CLASSES;
		wanted.container = lock->container;
	} else if (!err) {
		err = describe(finding, lock, &wanted);
	}
	if (!err)
		err = find_or_add(finding, &wanted, &finding->place[recorded]);
	if (err)
		return err;
	finding->sites->list.items[finding->place[recorded]].concerned |= is_wanted(finding, lock->container);
	return add_to(finding, finding->place[recorded], lock);
}

/* The file is not to be trusted: its histograms may name rows and buckets that are not there. */
static void add_buckets(struct finding *finding)
{
	for (size_t i = 0; i < finding->profile->rows.buckets.count; i++) {
		const struct recording_bucket *bucket = &finding->profile->rows.buckets.items[i];

		if (bucket->kind != HISTOGRAM_LOCK || bucket->row >= finding->profile->rows.locks.count ||
		    bucket->bucket >= RECORDING_BUCKETS)
			continue;
		finding->sites->total.histogram[bucket->bucket] += bucket->count;
		if (finding->by != LOCKS_BY_OWNER)
			finding->sites->list.items[finding->place[bucket->row]].histogram[bucket->bucket] +=
				bucket->count;
	}
}

static int longest_first(const void *left, const void *right)
{
	const struct lock_site *a = left, *b = right;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return a->count < b->count ? 1 : a->count > b->count ? -1 : 0;
}

static int worst_first(const void *left, const void *right)
{
	const struct lock_blame *a = left, *b = right;

	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return a->culprit < b->culprit ? -1 : a->culprit > b->culprit;
}

static int longest_held_first(const void *left, const void *right)
{
	const struct lock_holder *a = left, *b = right;

	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	if (a->how != b->how)
		return a->how < b->how ? -1 : 1;
	return a->function < b->function ? -1 : a->function > b->function;
}

static void sort(struct lock_site *site)
{
	if (site->holders.count)
		qsort(site->holders.items, site->holders.count, sizeof(*site->holders.items), longest_held_first);
	if (site->blame.count)
		qsort(site->blame.items, site->blame.count, sizeof(*site->blame.items), worst_first);
}

/* Who waits is known by now; this is who held it. */
static void look_for_holders(const struct finding *finding, struct lock_site *site)
{
	site->concerned |= is_wanted(finding, site->container);
	for (size_t i = 0; i < site->blame.count; i++)
		site->concerned |= is_wanted(finding, site->blame.items[i].culprit);
	for (size_t i = 0; i < site->holds.count; i++)
		site->concerned |= is_wanted(finding, site->holds.items[i].container);
}

int lock_sites_init(struct lock_sites *sites, const struct profile *profile, enum locks_grouping by, const bool *wanted)
{
	struct finding finding = {.profile = profile, .sites = sites, .by = by, .wanted = wanted};
	int err;

	memset(sites, 0, sizeof(*sites));
	sites->total.lock_class = LOCK_CLASSES;
	sites->total.container = RECORDING_NONE;
	finding.place = calloc(profile->rows.locks.count + 1, sizeof(*finding.place));
	err = finding.place ? string_table_init(&sites->strings) : -ENOMEM;
	for (uint32_t i = 0; i < profile->rows.locks.count && !err; i++)
		err = add_lock(&finding, i);
	if (!err)
		add_buckets(&finding);
	if (!err)
		err = lock_holds_add(sites, profile, by == LOCKS_BY_LOCK || by == LOCKS_BY_STACK);
	if (!err)
		err = lock_spins_add(sites, profile);
	hash_index_deinit(&finding.index);
	parts_index_deinit(&finding.blame);
	parts_index_deinit(&finding.holders);
	free(finding.place);
	if (err)
		return err;
	if (sites->list.count)
		qsort(sites->list.items, sites->list.count, sizeof(*sites->list.items), longest_first);
	for (size_t i = 0; i < sites->list.count; i++) {
		look_for_holders(&finding, &sites->list.items[i]);
		sort(&sites->list.items[i]);
	}
	sort(&sites->total);
	return 0;
}
