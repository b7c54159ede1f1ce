/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/accounts.h"

#include <errno.h>

#include "symbolizer/base/partition_point.h"

#define LOST_CGROUPS_MAX 1024

void accounts_deinit(struct accounts *accounts)
{
	array_deinit(&accounts->list);
	array_deinit(&accounts->losses);
}

/* The account of a container, made where there is none. NULL where memory is out. */
static struct account *account_of(struct accounts *accounts, uint32_t container)
{
	size_t at = partition_point(i, accounts->list.count, accounts->list.items[i].container < container);
	struct account *added;

	if (at < accounts->list.count && accounts->list.items[at].container == container)
		return &accounts->list.items[at];
	added = array_insert(&accounts->list, at);
	if (added)
		added->container = container;
	return added;
}

int accounts_keep(struct accounts *accounts, uint32_t container, uint64_t count)
{
	struct account *account = account_of(accounts, container);

	if (!account)
		return -ENOMEM;
	account->kept += count;
	account->changed = true;
	accounts->kept += count;
	return 0;
}

static struct told_loss *loss_of(struct accounts *accounts, uint64_t cgroup_id)
{
	struct told_loss *loss;

	for (size_t i = 0; i < accounts->losses.count; i++)
		if (accounts->losses.items[i].cgroup_id == cgroup_id)
			return &accounts->losses.items[i];
	loss = array_add(&accounts->losses);
	if (loss)
		*loss = (struct told_loss){.cgroup_id = cgroup_id, .container = RECORDING_NONE};
	return loss;
}

static int take_loss(struct accounts *accounts, struct owners *owners, uint64_t cgroup_id, uint64_t count)
{
	struct told_loss *loss = loss_of(accounts, cgroup_id);
	struct account *account;
	int err = loss ? 0 : -ENOMEM;

	if (err || count == loss->count)
		return err;
	if (loss->container == RECORDING_NONE)
		err = owners_row(owners, cgroup_id, false, &loss->container);
	account = err ? NULL : account_of(accounts, loss->container);
	if (!account)
		return -ENOMEM;
	account->lost += count - loss->count;
	account->changed = true;
	loss->count = count;
	return 0;
}

/* The kernel's map holds as many cgroups as we ask for: of more the total alone knows. */
static int take_losses(struct accounts *accounts, struct sampler *sampler, struct owners *owners)
{
	uint64_t ids[LOST_CGROUPS_MAX], counts[LOST_CGROUPS_MAX];
	size_t lost = sampler_lost(sampler, ids, counts, LOST_CGROUPS_MAX);
	int err = 0;

	for (size_t i = 0; i < lost && !err; i++)
		err = take_loss(accounts, owners, ids[i], counts[i]);
	return err;
}

/*
 * While the sampler runs, samples are counted between our two readings: the sum stands for taken. At the end the
 * kernel's own count of taken samples goes on record, so that the account is checked and not just added up.
 */
static int write_total(const struct accounts *accounts, const struct tick_counters *ticks, bool stopped,
		       struct recording_writer *writer)
{
	struct recording_accounting row = {
		.container = RECORDING_TOTAL,
		.idle = ticks->idle,
		.kept = accounts->kept,
		.filtered = ticks->filtered,
		.lost_ring = ticks->lost_ring,
	};

	if (ticks->hits + ticks->sent > accounts->kept)
		row.lost_read = ticks->hits + ticks->sent - accounts->kept;
	row.taken = stopped ? ticks->taken : row.kept + row.filtered + row.lost_ring + row.lost_read;
	return recording_writer_accounting(writer, &row);
}

int accounts_write(struct accounts *accounts, const struct tick_counters *ticks, bool stopped, struct sampler *sampler,
		   struct owners *owners, struct recording_writer *writer)
{
	int err = ticks->lost_ring ? take_losses(accounts, sampler, owners) : 0;

	if (!err)
		err = write_total(accounts, ticks, stopped, writer);
	for (size_t i = 0; i < accounts->list.count && !err; i++) {
		struct account *account = &accounts->list.items[i];
		struct recording_accounting row = {
			.container = account->container,
			.taken = account->kept + account->lost,
			.kept = account->kept,
			.lost_ring = account->lost,
		};

		if (account->changed)
			err = recording_writer_accounting(writer, &row);
		account->changed = account->changed && err;
	}
	return err;
}

void accounts_forget(struct accounts *accounts, const struct owners *owners)
{
	size_t kept = 0;

	for (size_t i = 0; i < accounts->list.count; i++) {
		const struct account *account = &accounts->list.items[i];

		/* Losses are told as a sum, for ever; the kernel tells those of a thousand cgroups. */
		if (account->changed || account->lost || owners_holds(owners, account->container))
			accounts->list.items[kept++] = *account;
	}
	accounts->list.count = kept;
}
