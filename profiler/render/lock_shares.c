/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/lock_shares.h"

#include <stdio.h>

#include "profiler/analysis/lock_holds.h"
#include "profiler/render/name_text.h"
#include "symbolizer/base/sums.h"
#include "symbolizer/base/text.h"

#define SHARES_SHOWN 3

/* The largest ones. */
struct shares {
	struct share {
		uint32_t container;
		uint64_t ns;
	} items[SHARES_SHOWN]; /* [count], the largest first */
	size_t count;
	uint64_t whole;
};

void lock_container_name(const struct profile *profile, uint32_t container, char *text, size_t size)
{
	if (container == RECORDING_NONE)
		snprintf(text, size, "unknown");
	else
		name_text(profile_container_label(profile, container), LOCK_NAME_COLUMNS, text, size);
}

/* Each container once. */
static void add(struct shares *shares, uint32_t container, uint64_t ns)
{
	size_t at = shares->count;

	sum_add(&shares->whole, ns);
	for (; at && shares->items[at - 1].ns < ns; at--)
		if (at < SHARES_SHOWN)
			shares->items[at] = shares->items[at - 1];
	if (at < SHARES_SHOWN)
		shares->items[at] = (struct share){container, ns};
	if (shares->count < SHARES_SHOWN)
		shares->count++;
}

static void put(const struct profile *profile, const struct shares *shares, char *text, size_t size)
{
	snprintf(text, size, "%s", shares->whole ? "" : "-");
	for (size_t i = 0; i < shares->count && shares->whole; i++) {
		char name[LOCK_NAME_BYTES];

		/* The largest first: the others are 0 %, too. */
		if (i && shares->items[i].ns < shares->whole / 200)
			break;
		lock_container_name(profile, shares->items[i].container, name, sizeof(name));
		text_append(text, size, "%s%s %.0f%%", i ? ", " : "", name,
			    100.0 * (double)shares->items[i].ns / (double)shares->whole);
	}
}

/* Of all waiters together. */
static void add_single_waits(struct shares *shares, const struct lock_site *site)
{
	for (size_t i = 0; i < site->blame.count; i++) {
		uint32_t culprit = site->blame.items[i].culprit;
		bool seen = false;
		uint64_t ns = 0;

		for (size_t j = 0; j < i && !seen; j++)
			seen = site->blame.items[j].culprit == culprit;
		for (size_t j = i; j < site->blame.count && !seen; j++)
			sum_add(&ns, site->blame.items[j].culprit == culprit ? site->blame.items[j].ns : 0);
		if (!seen)
			add(shares, culprit, ns);
	}
}

void lock_waited_for_text(const struct profile *profile, const struct lock_site *site, char *text, size_t size)
{
	bool looks = lock_holds_are_enough(site);
	struct shares shares = {0};

	for (size_t i = 0; i < site->holds.count && looks; i++)
		add(&shares, site->holds.items[i].container, site->holds.items[i].waited_ns);
	if (!looks)
		add_single_waits(&shares, site);
	put(profile, &shares, text, size);
}

void lock_held_by_text(const struct profile *profile, const struct lock_site *site, char *text, size_t size)
{
	struct shares shares = {0};

	for (size_t i = 0; i < site->holds.count; i++)
		add(&shares, site->holds.items[i].container, site->holds.items[i].ns);
	put(profile, &shares, text, size);
}
