/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/lock_spins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/lock_place.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"

#define FRAMES_MAX 256

enum verdict { UNKNOWN, SPINS, DOES_NOT };

static bool begins_with_one_of(const char *name, const char *const *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* @names: [count] leaf first. What an interrupt does meanwhile is no spinning, nor what is done with the list of waiters. */
static bool is_spinning(const char *const *names, size_t count)
{
	static const char *const spinners[] = {"rwsem_spin_on_owner", "rwsem_optimistic_spin", "mutex_spin_on_owner",
					       "mutex_optimistic_spin", "osq_lock"};
	static const char *const slow_paths[] = {"rwsem_down_read_slowpath", "rwsem_down_write_slowpath"};
	static const char *const below[] = {"__raw_callee_"};
	size_t leaf = 0;

	while (leaf < count && begins_with_one_of(names[leaf], below, ARRAY_LENGTH(below)))
		leaf++;
	if (leaf == count)
		return false;
	/* Those have parts of the spinning inlined. */
	return begins_with_one_of(names[leaf], spinners, ARRAY_LENGTH(spinners)) ||
	       begins_with_one_of(names[leaf], slow_paths, ARRAY_LENGTH(slow_paths));
}

static bool stack_spins(const struct profile *profile, uint8_t *verdicts, uint32_t stack)
{
	const char *names[FRAMES_MAX];

	if (verdicts[stack] == UNKNOWN)
		verdicts[stack] =
			is_spinning(names, kernel_entry_names(profile, stack, names, FRAMES_MAX)) ? SPINS : DOES_NOT;
	return verdicts[stack] == SPINS;
}

static int add_spin(struct lock_sites *sites, const struct profile *profile, struct hash_index *index,
		    const struct recording_sample *sample)
{
	struct lock_spin wanted = {.container = sample->container, .samples = sample->count};
	struct lock_place_names place;
	uint32_t number;
	uint64_t hash;
	int err;

	if (!lock_place_find(profile, sample->stack, &place))
		return 0;
	err = string_table_add(&sites->strings, place.function, strlen(place.function), &wanted.function);
	if (!err)
		err = string_table_add(&sites->strings, place.entry, strlen(place.entry), &wanted.entry);
	if (err)
		return err;
	hash = hash_words((uint64_t)wanted.function << 32 | wanted.entry, wanted.container);
	for (size_t at = hash_index_first(index, hash); hash_index_next(index, hash, &at, &number);) {
		struct lock_spin *known = &sites->spins.items[number];

		if (known->container == wanted.container && known->function == wanted.function &&
		    known->entry == wanted.entry) {
			known->samples += wanted.samples;
			return 0;
		}
	}
	if (array_reserve(&sites->spins, 1) || hash_index_insert(index, hash, (uint32_t)sites->spins.count))
		return -ENOMEM;
	*array_add(&sites->spins) = wanted;
	return 0;
}

static int most_first(const void *left, const void *right)
{
	const struct lock_spin *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return a->function < b->function ? -1 : a->function > b->function;
}

int lock_spins_add(struct lock_sites *sites, const struct profile *profile)
{
	_cleanup_free_ uint8_t *verdicts = calloc(profile->rows.stacks.count + 1, sizeof(*verdicts));
	_cleanup_free_ uint64_t *own = calloc(profile->rows.containers.count + 1, sizeof(*own));
	struct hash_index index = {0};
	int err = verdicts && own ? 0 : -ENOMEM;

	for (size_t i = 0; i < profile->rows.samples.count && !err; i++) {
		const struct recording_sample *sample = &profile->rows.samples.items[i];

		if (sample->kind != SAMPLE_ONCPU || !sample->count)
			continue;
		own[sample->container] += sample->count;
		if (sample->stack != RECORDING_STACK_ROOT && stack_spins(profile, verdicts, sample->stack))
			err = add_spin(sites, profile, &index, sample);
	}
	for (size_t i = 0; i < sites->spins.count && !err; i++)
		sites->spins.items[i].own = own[sites->spins.items[i].container];
	hash_index_deinit(&index);
	if (sites->spins.count)
		qsort(sites->spins.items, sites->spins.count, sizeof(*sites->spins.items), most_first);
	return err;
}
