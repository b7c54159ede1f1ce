/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/map_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "profiler/collect/count_set.h"
#include "profiler/collect/map_entries.h"
#include "symbolizer/base/array.h"

void map_pair_init(struct map_pair *pair, struct bpf_map *first, struct bpf_map *second, uint32_t *active)
{
	memset(pair, 0, sizeof(*pair));
	pair->maps[0] = first;
	pair->maps[1] = second;
	pair->active = active;
	pair->key_bytes = bpf_map__key_size(first);
	pair->entry_bytes = pair->key_bytes + bpf_map__value_size(first);
}

void map_pair_deinit(struct map_pair *pair)
{
	free(pair->entries);
}

static int add(void *data, const void *key, const void *value)
{
	struct map_pair *pair = data;
	char *entry;

	if (array_reserve_bytes((void **)&pair->entries, pair->count, &pair->capacity, 1, pair->entry_bytes))
		return -ENOMEM;
	entry = pair->entries + pair->count * pair->entry_bytes;
	memcpy(entry, key, pair->key_bytes);
	memcpy(entry + pair->key_bytes, value, pair->entry_bytes - pair->key_bytes);
	pair->count++;
	return 0;
}

int map_pair_fetch(struct map_pair *pair)
{
	struct bpf_map *map = pair->maps[*pair->active];

	__atomic_store_n(pair->active, !*pair->active, __ATOMIC_SEQ_CST);
	count_set_wait_for_programs();
	/* Nobody else writes to it now. */
	return map_entries_each(bpf_map__fd(map), true, add, pair);
}

const void *map_pair_entry(const struct map_pair *pair, size_t number)
{
	return pair->entries + number * pair->entry_bytes;
}

void map_pair_clear(struct map_pair *pair)
{
	pair->count = 0;
}
