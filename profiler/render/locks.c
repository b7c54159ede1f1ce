/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/locks.h"

#include <inttypes.h>

#include "profiler/analysis/lock_place.h"
#include "profiler/analysis/percentile.h"
#include "profiler/render/chosen.h"
#include "profiler/render/columns.h"
#include "profiler/render/duration.h"
#include "profiler/render/lock_shares.h"
#include "profiler/render/table.h"
#include "profiler/render/waits_account.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"
#include "symbolizer/base/text.h"

#define ROWS_SHOWN 20
#define PAIRS_SHOWN 20
#define HOLDERS_SHOWN 10
#define SPINS_SHOWN 10
#define PLACES_SHOWN 5
#define FRAMES_SHOWN 4
#define LOCKS_OWN_FRAMES 16

enum { LOCK, CLASS, WHICH, WAITS, SPUN, TOTAL, MEAN, P99, MAX, HANDOFF, LOCKS, AGREE, CULPRITS, HOLDERS, COLUMNS };

static const struct column columns[COLUMNS] = {
	[LOCK] = {"TAKEN BY", false, 44},
	[CLASS] = {"LOCK", false, 16},
	[WHICH] = {"WHICH", false, 32},
	[WAITS] = {"WAITS", true, 27},
	[SPUN] = {"NO SLEEP", true, 27},
	[TOTAL] = {"TOTAL", true, 12},
	[MEAN] = {"MEAN", true, 12},
	[P99] = {"P99", true, 12},
	[MAX] = {"MAX", true, 12},
	[HANDOFF] = {"HANDOFF", true, 12},
	[LOCKS] = {"LOCKS", true, 8},
	[AGREE] = {"AGREE", true, 8},
	[CULPRITS] = {"WAITED FOR", false, 88},
	[HOLDERS] = {"HELD BY", false, 88},
};

static void site_name(const struct lock_sites *sites, const struct profile *profile, const struct lock_site *site,
		      enum locks_grouping by, char *text, size_t size)
{
	char function[120], entry[120];

	if (by == LOCKS_BY_CONTAINER || by == LOCKS_BY_OWNER) {
		lock_container_name(profile, site->container, text, size);
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

/* What is known of the lock itself. */
static void which_lock(const struct lock_sites *sites, const struct lock_site *site, char *text, size_t size)
{
	static const char *const unnamed[] = {
		[LOCK_PLACE_UNTOLD] = "-",
		[LOCK_PLACE_STATIC] = "(static)",
		[LOCK_PLACE_SLAB] = "(in a slab)",
		[LOCK_PLACE_ELSEWHERE] = "(unknown)",
	};
	const char *name = string_table_text(&sites->strings, site->name);
	char safe[120];

	text_printable(name, safe, sizeof(safe));
	if (*name)
		snprintf(text, size, "%s%s", site->place == LOCK_PLACE_SLAB ? "in " : "", safe);
	else
		snprintf(text, size, "%s",
			 site->place < ARRAY_LENGTH(unnamed) ? unnamed[site->place] : unnamed[LOCK_PLACE_ELSEWHERE]);
}

static int put_site(struct column_table *table, const struct lock_sites *sites, const struct profile *profile,
		    const struct lock_site *site, enum locks_grouping by)
{
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {""};
	unsigned int different = lock_sites_different(site->seen);
	uint64_t slept = site->count - site->spun;

	for (size_t i = SPUN; i < COLUMNS; i++)
		snprintf(cells[i], COLUMN_CELL_BYTES, "-");
	site_name(sites, profile, site, by, cells[LOCK], COLUMN_CELL_BYTES);
	snprintf(cells[CLASS], COLUMN_CELL_BYTES, "%s", lock_class_name(site->lock_class));
	which_lock(sites, site, cells[WHICH], COLUMN_CELL_BYTES);
	text_grouped(site->count, cells[WAITS], COLUMN_CELL_BYTES);
	if (site->spun)
		text_grouped(site->spun, cells[SPUN], COLUMN_CELL_BYTES);
	duration_text(site->total_ns, cells[TOTAL], COLUMN_CELL_BYTES);
	if (site->count)
		duration_text(site->total_ns / site->count, cells[MEAN], COLUMN_CELL_BYTES);
	if (site->max_ns)
		duration_text(site->max_ns, cells[MAX], COLUMN_CELL_BYTES);
	if (slept && by != LOCKS_BY_OWNER) {
		duration_text(percentile_octaves_ns(site->histogram, 0.99, site->max_ns), cells[P99],
			      COLUMN_CELL_BYTES);
		duration_text(site->handoff_ns, cells[HANDOFF], COLUMN_CELL_BYTES);
		if (different)
			snprintf(cells[LOCKS], COLUMN_CELL_BYTES, "%s%u", different > 3 ? "~" : "", different);
		else
			snprintf(cells[LOCKS], COLUMN_CELL_BYTES, "many");
	}
	if (site->both)
		snprintf(cells[AGREE], COLUMN_CELL_BYTES, "%.0f%%", 100.0 * (double)site->agreed / (double)site->both);
	lock_waited_for_text(profile, site, cells[CULPRITS], COLUMN_CELL_BYTES);
	if (site->lock_class >= LOCK_CLASS_SPINLOCK && site->lock_class < LOCK_CLASSES)
		snprintf(cells[CULPRITS], COLUMN_CELL_BYTES, "(spinlocks do not tell)");
	lock_held_by_text(profile, site, cells[HOLDERS], COLUMN_CELL_BYTES);
	return column_table_add(table, cells, NULL);
}

static void put_pairs(const struct lock_sites *sites, const struct profile *profile, const bool *wanted, FILE *out)
{
	const struct lock_site *total = &sites->total;
	size_t pairs = 0;

	for (size_t i = 0; i < total->blame.count; i++) {
		const struct lock_blame *pair = &total->blame.items[i];
		char waiter[LOCK_NAME_BYTES], culprit[LOCK_NAME_BYTES], text[16];

		if ((!is_chosen(wanted, pair->container) && !is_chosen(wanted, pair->culprit)) ||
		    pairs++ >= PAIRS_SHOWN)
			continue;
		if (pairs == 1)
			fputs("\nWho waited for whom, the handoff left out:\n", out);

		lock_container_name(profile, pair->container, waiter, sizeof(waiter));
		lock_container_name(profile, pair->culprit, culprit, sizeof(culprit));
		fprintf(out, "   %s waited %s for %s\n", waiter, duration_text(pair->ns, text, sizeof(text)),
			pair->culprit == pair->container ? "itself" : culprit);
	}
	if (pairs > PAIRS_SHOWN)
		fprintf(out, "   and %zu more pair%s\n", pairs - PAIRS_SHOWN, pairs == PAIRS_SHOWN + 1 ? "" : "s");
}

static void put_spins(const struct lock_sites *sites, const struct profile *profile, const bool *wanted, FILE *out)
{
	uint64_t period_ns = profile_period_ns(profile);
	size_t spins = 0;

	for (size_t i = 0; i < sites->spins.count; i++) {
		const struct lock_spin *spin = &sites->spins.items[i];
		const char *entry = string_table_text(&sites->strings, spin->entry);
		char name[LOCK_NAME_BYTES], place[120], function[120], text[16];

		if (!is_chosen(wanted, spin->container) || spins++ >= SPINS_SHOWN)
			continue;
		if (spins == 1)
			fputs("\nCPU burned spinning for a mutex or rwsem whose holder ran, as the samples tell:\n",
			      out);
		lock_container_name(profile, spin->container, name, sizeof(name));
		text_printable(*entry ? entry : "the kernel", place, sizeof(place));
		text_printable(string_table_text(&sites->strings, spin->function), function, sizeof(function));
		fprintf(out, "   %s spun %s in %s: %s, %.0f%% of what it was on a CPU\n", name,
			duration_text(spin->samples * period_ns, text, sizeof(text)), place, function,
			100.0 * (double)spin->samples / (double)spin->own);
	}
	if (spins > SPINS_SHOWN)
		fprintf(out, "   (%zu more)\n", spins - SPINS_SHOWN);
}

static void put_holder(const struct lock_sites *sites, const struct profile *profile, const struct lock_holder *holder,
		       uint64_t whole, FILE *out)
{
	const char *names[FRAMES_SHOWN + LOCKS_OWN_FRAMES], *entry = string_table_text(&sites->strings, holder->entry);
	size_t count = kernel_entry_names(profile, holder->stack, names, ARRAY_LENGTH(names)), first = 0;
	char safe[120];

	while (first + 1 < count && lock_place_is_locks_own(names[first]))
		first++;
	text_printable(*entry ? entry : "the kernel", safe, sizeof(safe));
	fprintf(out, "   %3.0f%%  %s", 100.0 * (double)holder->ns / (double)whole, lock_holder_how(holder->how));
	if (holder->function)
		fprintf(out, " in %s:", safe);
	else if (holder->how >= LOCK_OWNER_IS_READER && holder->how <= LOCK_OWNER_IS_ASLEEP)
		fputs(", its stack cannot be read", out);
	for (size_t i = first; i < count && i < first + FRAMES_SHOWN; i++) {
		text_printable(names[i], safe, sizeof(safe));
		fprintf(out, "%s %s", i > first ? " <-" : "", safe);
	}
	fputc('\n', out);
}

static void put_holders(const struct lock_sites *sites, const struct profile *profile, size_t max, FILE *out)
{
	size_t owners = 0;

	for (size_t i = 0; i < sites->list.count; i++) {
		const struct lock_site *site = &sites->list.items[i];
		char name[LOCK_NAME_BYTES], text[16];

		if (!site->concerned || owners++ >= max)
			continue;
		if (owners == 1)
			fputs("\nWhere they were while they made others wait: as the wait began, and as they let go:\n",
			      out);

		lock_container_name(profile, site->container, name, sizeof(name));
		fprintf(out, "%s, %s:\n", name, duration_text(site->total_ns, text, sizeof(text)));
		for (size_t j = 0; j < site->holders.count && j < PLACES_SHOWN; j++)
			put_holder(sites, profile, &site->holders.items[j], site->total_ns, out);
		if (site->holders.count > PLACES_SHOWN)
			fprintf(out, "   (%zu more)\n", site->holders.count - PLACES_SHOWN);
	}
	if (owners > max)
		fprintf(out, "(%zu more owners: -n shows them)\n", owners - max);
}

static void put_counts_account(const struct lock_sites *sites, FILE *out)
{
	char twice[32];

	fprintf(out,
		"WAITS: those that slept; %s count twice, for who held the lock as they began and for who let "
		"go of it. TOTAL: without the handoff.\n",
		text_grouped(sites->counted_twice, twice, sizeof(twice)));
}

/* How much of the time the owner's own place is known, and why not. */
static void put_owners_account(const struct lock_site *total, FILE *out)
{
	uint64_t whole = 0;
	const char *comma = "";

	for (size_t i = 0; i < LOCK_OWNERS; i++)
		sum_add(&whole, total->owner_ns[i]);
	if (!whole)
		return;
	fputs("The owner, as waits that slept began:", out);
	for (size_t i = LOCK_OWNERS; i-- > 0;) {
		if (!total->owner_ns[i])
			continue;
		fprintf(out, "%s %s %.0f%%", comma, lock_holder_how((uint8_t)i),
			100.0 * (double)total->owner_ns[i] / (double)whole);
		comma = ",";
	}
	fputs(" of the time.\n", out);
}

/* Counters of waits without sleep have no histogram. */
static void put_percentiles_account(const struct lock_sites *sites, FILE *out)
{
	for (size_t i = 0; i < sites->list.count; i++) {
		const struct lock_site *site = &sites->list.items[i];

		if (site->concerned && site->spun && site->spun < site->count) {
			fputs("P99: of the waits that slept. WAITS, TOTAL, MEAN and MAX: of all.\n", out);
			return;
		}
	}
}

static void put_looks_account(const struct profile *profile, FILE *out)
{
	uint64_t hz = profile_fact_number(profile, "locks.looks_hz");

	if (hz)
		fprintf(out,
			"WAITED FOR: shares of the waiting. HELD BY: of the time, at %" PRIu64 " looks a second.\n",
			hz);
}

static void put_places_account(const struct lock_sites *sites, FILE *out)
{
	bool nameless[LOCK_PLACE_ELSEWHERE + 1] = {false};

	for (size_t i = 0; i < sites->list.count; i++) {
		const struct lock_site *site = &sites->list.items[i];

		if (site->place <= LOCK_PLACE_ELSEWHERE && !site->name)
			nameless[site->place] = true;
	}
	if (nameless[LOCK_PLACE_STATIC])
		fputs("(static): in the kernel's own data, of which it has no symbols (CONFIG_KALLSYMS_ALL).\n", out);
	if (nameless[LOCK_PLACE_ELSEWHERE])
		fputs("(unknown): neither in the kernel's own data nor, as far as it tells (6.13), in a slab.\n", out);
}

static void put_spinlocks_account(const struct lock_sites *sites, const struct locks_options *options, FILE *out)
{
	if (options->by != LOCKS_BY_LOCK && options->by != LOCKS_BY_STACK)
		return;
	for (size_t i = 0; i < sites->list.count; i++)
		if (sites->list.items[i].lock_class == LOCK_CLASS_SPINLOCK)
			return;
	fputs("No wait for a spinlock was seen. Without paravirtual spinlocks, as on bare metal, the first in line "
	      "does not "
	      "tell.\n",
	      out);
}

static void put_account(const struct lock_sites *sites, const struct profile *profile,
			const struct locks_options *options, FILE *out)
{
	static const struct loss losses[] = {
		{"locks.lost", "waits had no room: too many different ones in a second."},
		/* Of recordings from before the three below were told apart. */
		{"locks.spins_lost", "waits for spinlocks were not counted: their begin or end was not traced, nested "
				     "too deep, or no room."},
		{"locks.spins_untraced", "waits for spinlocks were not counted: their begin or end was not traced."},
		{"locks.spins_nested",
		 "waits for spinlocks were not counted: nested too deep, or in stoker's own programs."},
		{"locks.spins_crowded",
		 "waits for spinlocks have no stack, or no container: too many different ones in a second."},
		{"locks.looks_lost", "times it is not known who had a lock: no room for it, or for the count."},
		{"waits.stacks_lost", "stacks were lost: too many at once. Their waits are there, without one."},
		LOSS_MISSED,
	};
	const struct lock_site *total = &sites->total;
	char all[32], slept[32], spun[32], time[16];

	fprintf(out, "%s waits = %s that slept + %s that did not, %s in all.\n",
		text_grouped(total->count, all, sizeof(all)),
		text_grouped(total->count - total->spun, slept, sizeof(slept)),
		text_grouped(total->spun, spun, sizeof(spun)), duration_text(total->total_ns, time, sizeof(time)));
	if (options->by == LOCKS_BY_OWNER)
		put_counts_account(sites, out);
	else
		put_percentiles_account(sites, out);
	put_owners_account(total, out);
	if (options->by == LOCKS_BY_LOCK || options->by == LOCKS_BY_STACK)
		put_looks_account(profile, out);
	put_places_account(sites, out);
	put_spinlocks_account(sites, options, out);
	render_losses(losses, ARRAY_LENGTH(losses), profile, out);
}

int render_locks_text(const struct lock_sites *sites, const struct profile *profile,
		      const struct locks_options *options, FILE *out)
{
	struct column shown[COLUMNS];
	_cleanup_(column_table_deinit) struct column_table table = {shown, COLUMNS, {0}};
	size_t max = options->max ? options->max : ROWS_SHOWN, rows = 0;
	int err = 0;

	memcpy(shown, columns, sizeof(shown));
	/* What is of a lock alone is not told of containers. */
	if (options->by == LOCKS_BY_OWNER) {
		shown[LOCK].title = "OWNER";
		table.column_count = CULPRITS;
	} else if (options->by == LOCKS_BY_CONTAINER) {
		shown[LOCK].title = "WAITER";
		table.column_count = HOLDERS;
	}
	for (size_t i = 0; i < sites->list.count && !err; i++)
		if (sites->list.items[i].concerned && rows++ < max)
			err = put_site(&table, sites, profile, &sites->list.items[i], options->by);
	if (err)
		return err;
	if (rows)
		column_table_print(&table, out);
	else
		render_none("No waits for locks", options->wanted, out);
	if (rows > max)
		fprintf(out, "(%zu more: -n shows them)\n", rows - max);
	if (options->by == LOCKS_BY_OWNER)
		put_holders(sites, profile, options->max ? options->max : HOLDERS_SHOWN, out);
	put_pairs(sites, profile, options->wanted, out);
	put_spins(sites, profile, options->wanted, out);
	fputc('\n', out);
	render_chosen(profile, options->wanted, out);
	put_account(sites, profile, options, out);
	return render_accounting(profile, out);
}
