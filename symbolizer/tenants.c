/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/tenants.h"

#include <stdlib.h>

#define REQUESTS_MAX 4
#define PART 10

struct time_share_limit tenants_limit(uint32_t flags)
{
	uint64_t request_ms = flags & (PARSE_LINES | PARSE_INLINES) ? PARSER_LINES_TIMEOUT_MS : PARSER_TIMEOUT_MS;

	return (struct time_share_limit){REQUESTS_MAX * request_ms * 1000000, PART};
}

struct tenant *tenants_find(struct tenants *tenants, uint64_t number)
{
	uint64_t hash = hash_words(number, 0);
	struct tenant *tenant;
	uint32_t id;

	for (size_t at = hash_index_first(&tenants->index, hash); hash_index_next(&tenants->index, hash, &at, &id);)
		if (tenants->list.items[id]->number == number)
			return tenants->list.items[id];
	tenant = calloc(1, sizeof(*tenant));
	if (!tenant)
		return NULL;
	if (array_reserve(&tenants->list, 1) ||
	    hash_index_insert(&tenants->index, hash, (uint32_t)tenants->list.count)) {
		free(tenant);
		return NULL;
	}
	tenant->number = number;
	*array_add(&tenants->list) = tenant;
	return tenant;
}

static void add_losses(struct tenants_losses *losses, const struct tenant *tenant)
{
	losses->over += tenant->skipped > 0;
	losses->skipped += tenant->skipped;
	losses->lookups_lost += tenant->lookups.lost;
}

struct tenants_losses tenants_losses(const struct tenants *tenants)
{
	struct tenants_losses losses = tenants->forgotten;

	for (size_t i = 0; i < tenants->list.count; i++)
		add_losses(&losses, tenants->list.items[i]);
	return losses;
}

/* One that comes again starts without debts: so only who has none is forgotten. */
static bool owes(struct tenant *tenant, uint64_t now_ns)
{
	struct time_share_limit limit = tenants_limit(0);

	time_share_left(&tenant->parsing, limit, now_ns);
	time_share_left(&tenant->copies, limit, now_ns);
	time_share_left(&tenant->reading, TENANT_READING_LIMIT, now_ns);
	return tenant->parsing.debt_ns || tenant->copies.debt_ns || tenant->reading.debt_ns ||
	       (int64_t)(now_ns / 1000000) < tenant->copy_stalls.until_ms || tenant->lookups.under_way ||
	       tenant->lookups.left_count || tenant->open_files;
}

void tenants_trim(struct tenants *tenants, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < tenants->list.count; i++) {
		struct tenant *tenant = tenants->list.items[i];

		if (tenant->users || owes(tenant, now_ns)) {
			tenants->list.items[kept++] = tenant;
			continue;
		}
		add_losses(&tenants->forgotten, tenant);
		path_lookups_deinit(&tenant->lookups);
		free(tenant);
	}
	if (kept == tenants->list.count)
		return;
	tenants->list.count = kept;
	hash_index_clear(&tenants->index);
	/* Fewer than before: the index does not grow and cannot fail. */
	for (size_t i = 0; i < kept; i++)
		hash_index_insert(&tenants->index, hash_words(tenants->list.items[i]->number, 0), (uint32_t)i);
}

void tenants_deinit(struct tenants *tenants)
{
	for (size_t i = 0; i < tenants->list.count; i++) {
		path_lookups_deinit(&tenants->list.items[i]->lookups);
		free(tenants->list.items[i]);
	}
	array_deinit(&tenants->list);
	hash_index_deinit(&tenants->index);
}
