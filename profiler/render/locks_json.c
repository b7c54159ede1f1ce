/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "profiler/analysis/lock_place.h"
#include "profiler/analysis/percentile.h"
#include "profiler/render/chosen.h"
#include "profiler/render/locks.h"
#include "symbolizer/base/cleanup.h"

#define FRAMES_MAX 256

static struct json_object *blame_json(const struct lock_site *site, const struct profile *profile)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < site->blame.count && !err; i++) {
		const struct lock_blame *pair = &site->blame.items[i];
		_cleanup_json_ struct json_object *one = json_object_new_object();

		err = one ? json_add(one, "waiter", json_container(profile, pair->container)) : -ENOMEM;
		if (!err && pair->culprit != RECORDING_NONE)
			err = json_add(one, "holder", json_container(profile, pair->culprit));
		if (!err)
			err = json_add_number(one, "ns", pair->ns);
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

static struct json_object *holds_json(const struct lock_site *site, const struct profile *profile)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < site->holds.count && !err; i++) {
		const struct lock_hold *hold = &site->holds.items[i];
		_cleanup_json_ struct json_object *one = json_object_new_object();

		err = one ? json_add_number(one, "looks", hold->looks) : -ENOMEM;
		if (!err && hold->container != RECORDING_NONE)
			err = json_add(one, "holder", json_container(profile, hold->container));
		if (!err)
			err = json_add_number(one, "ns", hold->ns);
		if (!err)
			err = json_add_number(one, "waited_ns", hold->waited_ns);
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

static struct json_object *holder_json(const struct lock_sites *sites, const struct profile *profile,
				       const struct lock_holder *holder)
{
	_cleanup_json_ struct json_object *one = json_object_new_object(), *stack = json_object_new_array();
	const char *names[FRAMES_MAX];
	size_t count = kernel_entry_names(profile, holder->stack, names, FRAMES_MAX);
	int err = one && stack ? json_add_text(one, "was", lock_holder_how(holder->how)) : -ENOMEM;

	if (!err && holder->function)
		err = json_add_text(one, "at", string_table_text(&sites->strings, holder->function));
	if (!err && holder->entry)
		err = json_add_text(one, "in", string_table_text(&sites->strings, holder->entry));
	if (!err)
		err = json_add_number(one, "ns", holder->ns);
	for (size_t i = 0; i < count && !err; i++)
		err = json_append_text(stack, names[i]);
	if (!err)
		err = json_add(one, "stack", take_ptr(stack));
	return err ? NULL : take_ptr(one);
}

static int add_holders(struct json_object *object, const struct lock_sites *sites, const struct profile *profile,
		       const struct lock_site *site)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < site->holders.count && !err; i++)
		err = json_append(array, holder_json(sites, profile, &site->holders.items[i]));
	return err ? err : json_add(object, "holding", take_ptr(array));
}

static int add_which(struct json_object *object, const struct lock_sites *sites, const struct lock_site *site)
{
	static const char *const keys[] = {
		[LOCK_PLACE_STATIC] = "symbol",
		[LOCK_PLACE_SLAB] = "slab",
	};
	static const char *const places[] = {"unknown", "static", "slab", "elsewhere"};
	int err = json_add_text(object, "lies", site->place < ARRAY_LENGTH(places) ? places[site->place] : "unknown");

	if (err || !site->name || site->place >= ARRAY_LENGTH(keys) || !keys[site->place])
		return err;
	return json_add_text(object, keys[site->place], string_table_text(&sites->strings, site->name));
}

static struct json_object *site_json(const struct lock_sites *sites, const struct profile *profile,
				     const struct lock_site *site, bool by_owner)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();
	bool unknown = by_owner || site->count == site->spun, no_percentiles = !percentile_count(site->histogram);
	const struct json_number numbers[] = {
		{"waits", site->count},
		{"did_not_sleep", site->spun},
		{"did_not_sleep_ns", site->spun_ns},
		{"ns", site->total_ns},
		{"max_ns", site->max_ns, !site->max_ns},
		{"p50_ns", percentile_octaves_ns(site->histogram, 0.5, site->max_ns), no_percentiles},
		{"p99_ns", percentile_octaves_ns(site->histogram, 0.99, site->max_ns), no_percentiles},
		{"handoff_ns", site->handoff_ns, unknown},
		{"different_locks", lock_sites_different(site->seen), !lock_sites_different(site->seen)},
		{"owner_asleep_ns", site->owner_ns[LOCK_OWNER_IS_ASLEEP], unknown},
		{"owner_queued_ns", site->owner_ns[LOCK_OWNER_IS_QUEUED], unknown},
		{"owner_on_cpu_ns", site->owner_ns[LOCK_OWNER_IS_ON_CPU], unknown},
		{"owner_reading_ns", site->owner_ns[LOCK_OWNER_IS_READER], unknown},
		{"owner_nobody_ns", site->owner_ns[LOCK_OWNER_IS_NOBODY], unknown},
		{"owner_untold_ns", site->owner_ns[LOCK_OWNER_IS_UNTOLD], unknown},
		{"owner_and_waker_known", site->both, unknown},
		{"owner_and_waker_agree", site->agreed, unknown},
	};
	int err = one ? json_add_text(one, "class", lock_class_name(site->lock_class)) : -ENOMEM;

	if (!err)
		err = add_which(one, sites, site);
	if (!err && site->function)
		err = json_add_text(one, "taken_by", string_table_text(&sites->strings, site->function));
	if (!err && site->entry)
		err = json_add_text(one, "in", string_table_text(&sites->strings, site->entry));
	if (!err && site->container != RECORDING_NONE)
		err = json_add(one, "container", json_container(profile, site->container));
	if (!err)
		err = json_add_numbers(one, numbers, ARRAY_LENGTH(numbers));
	if (!err)
		err = json_add(one, "blame", blame_json(site, profile));
	if (!err)
		err = json_add(one, "held", holds_json(site, profile));
	if (!err && site->holders.count)
		err = add_holders(one, sites, profile, site);
	return err ? NULL : take_ptr(one);
}

static struct json_object *spins_json(const struct lock_sites *sites, const struct profile *profile, const bool *wanted)
{
	uint64_t period_ns = profile_period_ns(profile);
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < sites->spins.count && !err; i++) {
		const struct lock_spin *spin = &sites->spins.items[i];
		const struct json_number numbers[] = {
			{"samples", spin->samples},
			{"ns", spin->samples * period_ns, !period_ns},
			{"own_samples", spin->own},
		};
		_cleanup_json_ struct json_object *one = NULL;

		if (!is_chosen(wanted, spin->container))
			continue;
		one = json_object_new_object();
		err = one ? json_add(one, "container", json_container(profile, spin->container)) : -ENOMEM;
		if (!err && spin->entry)
			err = json_add_text(one, "in", string_table_text(&sites->strings, spin->entry));
		if (!err)
			err = json_add_text(one, "taken_by", string_table_text(&sites->strings, spin->function));
		if (!err)
			err = json_add_numbers(one, numbers, ARRAY_LENGTH(numbers));
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

int render_locks_json(const struct lock_sites *sites, const struct profile *profile,
		      const struct locks_options *options, FILE *out)
{
	/* The last is of recordings from before the other spins_ were told apart. */
	static const char *const facts[] = {"locks.lost",	  "locks.lost_ns",	 "locks.spins_untraced",
					    "locks.spins_nested", "locks.spins_crowded", "waits.stacks_lost",
					    "waits.missed",	  "locks.looks_lost",	 "locks.looks_hz",
					    "locks.spins_lost"};
	static const char *const keys[] = {"lost",	  "lost_ns", "spins_untraced", "spins_nested", "spins_crowded",
					   "stacks_lost", "missed",  "looks_lost",     "looks_hz",     "spins_lost"};
	_cleanup_json_ struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	int err = top && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < sites->list.count && !err; i++)
		if (sites->list.items[i].concerned)
			err = json_append(
				list, site_json(sites, profile, &sites->list.items[i], options->by == LOCKS_BY_OWNER));
	if (!err)
		err = json_add(top, "locks", take_ptr(list));
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	if (!err)
		err = json_add(top, "spinning", spins_json(sites, profile, options->wanted));
	if (!err)
		err = json_add(top, "total", site_json(sites, profile, &sites->total, false));
	for (size_t i = 0; i < ARRAY_LENGTH(facts) && !err; i++)
		err = json_add_fact(top, keys[i], profile, facts[i]);
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
