/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/locks.h"

#include <errno.h>

#include "profiler/analysis/percentile.h"
#include "profiler/render/columns.h"
#include "profiler/render/duration.h"
#include "profiler/render/json.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define ROWS_SHOWN 20
#define CULPRITS_SHOWN 3
#define PAIRS_SHOWN 20

enum { LOCK, CLASS, WAITS, SPUN, TOTAL, MEAN, P99, MAX, HANDOFF, LOCKS, AGREE, CULPRITS, COLUMNS };

static const struct column columns[COLUMNS] = {
	[LOCK] = {"TAKEN BY", false, 44}, [CLASS] = {"LOCK", false, 16}, [WAITS] = {"WAITS", true, 27},
	[SPUN] = {"NO SLEEP", true, 27},  [TOTAL] = {"TOTAL", true, 12}, [MEAN] = {"MEAN", true, 12},
	[P99] = {"P99", true, 12},	  [MAX] = {"MAX", true, 12},	 [HANDOFF] = {"HANDOFF", true, 12},
	[LOCKS] = {"LOCKS", true, 8},	  [AGREE] = {"AGREE", true, 8},	 [CULPRITS] = {"HELD BY", false, 80},
};

static void container_name(const struct profile *profile, uint32_t container, char *text, size_t size)
{
	if (container == RECORDING_NONE)
		snprintf(text, size, "unknown");
	else
		text_printable(profile_container_label(profile, container), text, size);
	text_cut(text, size, 24);
}

static void site_name(const struct lock_sites *sites, const struct profile *profile, const struct lock_site *site,
		      enum locks_grouping by, char *text, size_t size)
{
	char function[120], entry[120];

	if (by == LOCKS_BY_CONTAINER || by == LOCKS_BY_OWNER) {
		container_name(profile, site->container, text, size);
		return;
	}
	text_printable(site->function ? string_table_text(&sites->strings, site->function) : "(no stack)", function,
		       sizeof(function));
	if (!site->entry) {
		snprintf(text, size, "%s", function);
		return;
	}
	text_printable(string_table_text(&sites->strings, site->entry), entry, sizeof(entry));
	snprintf(text, size, "%s: %s", entry, function);
}

/* Of all waiters together: who made them wait. */
static void put_culprits(const struct profile *profile, const struct lock_site *site, char *text, size_t size)
{
	uint32_t told[CULPRITS_SHOWN];
	uint64_t whole = 0;
	size_t count = 0, used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < site->blame.count; i++)
		whole += site->blame.items[i].ns;
	for (size_t i = 0; i < site->blame.count && count < CULPRITS_SHOWN && used < size; i++) {
		uint32_t culprit = site->blame.items[i].culprit;
		bool seen = false;
		uint64_t ns = 0;
		char name[64];

		for (size_t j = 0; j < count; j++)
			seen = seen || told[j] == culprit;
		if (seen)
			continue;
		told[count++] = culprit;
		for (size_t j = 0; j < site->blame.count; j++)
			ns += site->blame.items[j].culprit == culprit ? site->blame.items[j].ns : 0;
		container_name(profile, culprit, name, sizeof(name));
		used += (size_t)snprintf(text + used, size - used, "%s%s %.0f%%", used ? ", " : "", name,
					 100.0 * (double)ns / (double)whole);
	}
}

static int put_site(struct column_table *table, const struct lock_sites *sites, const struct profile *profile,
		    const struct lock_site *site, enum locks_grouping by)
{
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};
	unsigned int different = lock_sites_different(site->seen);
	uint64_t slept = site->count - site->spun;

	for (size_t i = SPUN; i < CULPRITS; i++)
		snprintf(cells[i], COLUMN_CELL_BYTES, "-");
	site_name(sites, profile, site, by, cells[LOCK], COLUMN_CELL_BYTES);
	snprintf(cells[CLASS], COLUMN_CELL_BYTES, "%s", lock_class_name(site->lock_class));
	text_grouped(site->count, cells[WAITS], COLUMN_CELL_BYTES);
	if (site->spun)
		text_grouped(site->spun, cells[SPUN], COLUMN_CELL_BYTES);
	duration_text(site->total_ns, cells[TOTAL], COLUMN_CELL_BYTES);
	if (site->count)
		duration_text(site->total_ns / site->count, cells[MEAN], COLUMN_CELL_BYTES);
	if (site->max_ns)
		duration_text(site->max_ns, cells[MAX], COLUMN_CELL_BYTES);
	if (slept && by != LOCKS_BY_OWNER) {
		duration_text(percentile_ns(site->histogram, 0.99, site->max_ns), cells[P99], COLUMN_CELL_BYTES);
		duration_text(site->handoff_ns, cells[HANDOFF], COLUMN_CELL_BYTES);
		if (different)
			snprintf(cells[LOCKS], COLUMN_CELL_BYTES, "%s%u", different > 3 ? "~" : "", different);
		else
			snprintf(cells[LOCKS], COLUMN_CELL_BYTES, "many");
	}
	if (site->both)
		snprintf(cells[AGREE], COLUMN_CELL_BYTES, "%.0f%%", 100.0 * (double)site->agreed / (double)site->both);
	if (slept && by != LOCKS_BY_OWNER)
		put_culprits(profile, site, cells[CULPRITS], COLUMN_CELL_BYTES);
	else if (site->lock_class >= LOCK_CLASS_SPINLOCK && site->lock_class < LOCK_CLASSES)
		snprintf(cells[CULPRITS], COLUMN_CELL_BYTES, "(spinlocks do not tell)");
	return column_table_add(table, cells, NULL);
}

static void put_pairs(const struct lock_sites *sites, const struct profile *profile, FILE *out)
{
	const struct lock_site *total = &sites->total;

	if (total->blame.count)
		fputs("\nWho waited for whom, the handoff left out:\n", out);
	for (size_t i = 0; i < total->blame.count && i < PAIRS_SHOWN; i++) {
		const struct lock_blame *pair = &total->blame.items[i];
		char waiter[64], culprit[64], text[16];

		container_name(profile, pair->container, waiter, sizeof(waiter));
		container_name(profile, pair->culprit, culprit, sizeof(culprit));
		fprintf(out, "   %s waited %s for %s\n", waiter, duration_text(pair->ns, text, sizeof(text)),
			pair->culprit == pair->container ? "itself" : culprit);
	}
	if (total->blame.count > PAIRS_SHOWN)
		fprintf(out, "   and %zu more pairs\n", total->blame.count - PAIRS_SHOWN);
}

static void put_account(const struct lock_sites *sites, const struct profile *profile, FILE *out)
{
	static const struct {
		const char *fact, *text;
	} losses[] = {
		{"locks.lost", "waits had no room: too many different ones in a second."},
		{"locks.spins_lost", "waits for spinlocks were not counted: nested too deep, or no room."},
		{"waits.stacks_lost",
		 "stacks were lost: the ring buffer was full. Their waits are there, without one."},
		{"waits.missed", "events were lost: the program for them was running on that CPU already."},
	};
	const struct lock_site *total = &sites->total;
	char all[32], slept[32], spun[32], time[16];

	fprintf(out, "%s waits = %s that slept + %s that did not, %s in all.\n",
		text_grouped(total->count, all, sizeof(all)),
		text_grouped(total->count - total->spun, slept, sizeof(slept)),
		text_grouped(total->spun, spun, sizeof(spun)), duration_text(total->total_ns, time, sizeof(time)));
	for (size_t i = 0; i < ARRAY_LENGTH(losses); i++) {
		uint64_t lost = profile_fact_number(profile, losses[i].fact);

		if (lost)
			fprintf(out, "%s %s\n", text_grouped(lost, all, sizeof(all)), losses[i].text);
	}
}

int render_locks_text(const struct lock_sites *sites, const struct profile *profile,
		      const struct locks_options *options, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {columns, COLUMNS, {0}};
	size_t max = options->max ? options->max : ROWS_SHOWN;
	int err = 0;

	for (size_t i = 0; i < sites->list.count && i < max && !err; i++)
		err = put_site(&table, sites, profile, &sites->list.items[i], options->by);
	if (err)
		return err;
	if (sites->list.count)
		column_table_print(&table, out);
	if (sites->list.count > max)
		fprintf(out, "(%zu more: -n shows them)\n", sites->list.count - max);
	put_pairs(sites, profile, out);
	fputc('\n', out);
	put_account(sites, profile, out);
	return render_accounting(profile, out);
}

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

static struct json_object *site_json(const struct lock_sites *sites, const struct profile *profile,
				     const struct lock_site *site)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();
	const struct {
		const char *key;
		uint64_t number;
	} numbers[] = {
		{"waits", site->count},
		{"did_not_sleep", site->spun},
		{"did_not_sleep_ns", site->spun_ns},
		{"ns", site->total_ns},
		{"max_ns", site->max_ns},
		{"p50_ns", percentile_ns(site->histogram, 0.5, site->max_ns)},
		{"p99_ns", percentile_ns(site->histogram, 0.99, site->max_ns)},
		{"handoff_ns", site->handoff_ns},
		{"different_locks", lock_sites_different(site->seen)},
		{"owner_and_waker_known", site->both},
		{"owner_and_waker_agree", site->agreed},
	};
	int err = one ? json_add_text(one, "class", lock_class_name(site->lock_class)) : -ENOMEM;

	if (!err && site->function)
		err = json_add_text(one, "taken_by", string_table_text(&sites->strings, site->function));
	if (!err && site->entry)
		err = json_add_text(one, "in", string_table_text(&sites->strings, site->entry));
	if (!err && site->container != RECORDING_NONE)
		err = json_add(one, "container", json_container(profile, site->container));
	for (size_t i = 0; i < ARRAY_LENGTH(numbers) && !err; i++)
		err = json_add_number(one, numbers[i].key, numbers[i].number);
	if (!err)
		err = json_add(one, "blame", blame_json(site, profile));
	return err ? NULL : take_ptr(one);
}

int render_locks_json(const struct lock_sites *sites, const struct profile *profile,
		      const struct locks_options *options, FILE *out)
{
	static const char *const facts[] = {"locks.lost", "locks.lost_ns", "locks.spins_lost", "waits.stacks_lost",
					    "waits.missed"};
	static const char *const keys[] = {"lost", "lost_ns", "spins_lost", "stacks_lost", "missed"};
	_cleanup_json_ struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	int err = top && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < sites->list.count && !err; i++)
		err = json_append(list, site_json(sites, profile, &sites->list.items[i]));
	if (!err)
		err = json_add(top, "locks", take_ptr(list));
	if (!err)
		err = json_add(top, "total", site_json(sites, profile, &sites->total));
	for (size_t i = 0; i < ARRAY_LENGTH(facts) && !err; i++)
		err = json_add_number(top, keys[i], profile_fact_number(profile, facts[i]));
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
