/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/tenants.h"

#include <stdlib.h>

#include "symbolizer/parser.h"

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

void tenants_deinit(struct tenants *tenants)
{
	for (size_t i = 0; i < tenants->list.count; i++) {
		path_lookups_deinit(&tenants->list.items[i]->lookups);
		free(tenants->list.items[i]);
	}
	array_deinit(&tenants->list);
	hash_index_deinit(&tenants->index);
}
