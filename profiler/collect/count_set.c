/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/count_set.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define BATCH_KEYS 4096

int count_set_init(struct count_set *set, int map_fd, uint32_t capacity)
{
	memset(set, 0, sizeof(*set));
	set->map_fd = map_fd;
	set->capacity = capacity;
	set->fetched_keys = malloc((capacity + BATCH_KEYS) * sizeof(*set->fetched_keys));
	set->fetched_values = malloc((capacity + BATCH_KEYS) * sizeof(*set->fetched_values));
	return set->fetched_keys && set->fetched_values ? 0 : -ENOMEM;
}

void count_set_deinit(struct count_set *set)
{
	free(set->fetched_keys);
	free(set->fetched_values);
	array_deinit(&set->keys);
	hash_index_deinit(&set->index);
}

static bool find(const struct count_set *set, const struct count_key *key, uint32_t *ret_number)
{
	uint32_t number;

	for (size_t at = hash_index_first(&set->index, key->hash[0]);
	     hash_index_next(&set->index, key->hash[0], &at, &number);) {
		if (!memcmp(&set->keys.items[number].key, key, sizeof(*key))) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

int count_set_add(struct count_set *set, const struct count_key *key, uint32_t *ret_number)
{
	struct count_set_key *added;

	if (find(set, key, ret_number))
		return 0;
	if (array_reserve(&set->keys, 1) || hash_index_insert(&set->index, key->hash[0], (uint32_t)set->keys.count))
		return -ENOMEM;
	added = array_add(&set->keys);
	added->key = *key;
	*ret_number = (uint32_t)set->keys.count - 1;
	return 0;
}

int count_set_fetch(struct count_set *set, bool clear)
{
	uint32_t token_in = 0, token_out = 0, count;
	void *in = NULL;
	int err;

	set->fetched = 0;
	do {
		struct count_key *keys = set->fetched_keys + set->fetched;
		uint64_t *values = set->fetched_values + set->fetched;

		count = BATCH_KEYS;
		if (clear)
			err = bpf_map_lookup_and_delete_batch(set->map_fd, in, &token_out, keys, values, &count, NULL);
		else
			err = bpf_map_lookup_batch(set->map_fd, in, &token_out, keys, values, &count, NULL);
		if (err && err != -ENOENT)
			return err;
		set->fetched += count;
		token_in = token_out;
		in = &token_in;
	} while (!err && set->fetched < set->capacity);
	return 0;
}

int count_set_deliver(struct count_set *set, uint64_t token, int (*count)(void *data, uint64_t token, uint64_t count),
		      void *data)
{
	for (uint32_t i = 0; i < set->fetched; i++) {
		struct count_set_key *key;
		uint32_t number;
		uint64_t more;
		int err;

		/* Its first sample lies in the ring behind what was read: next time. */
		if (!find(set, &set->fetched_keys[i], &number))
			continue;
		key = &set->keys.items[number];
		more = set->fetched_values[i] - key->delivered;
		if (!more)
			continue;
		key->delivered = set->fetched_values[i];
		err = count(data, token | number, more);
		if (err)
			return err;
	}
	set->fetched = 0;
	return 0;
}

bool count_set_is_half_full(const struct count_set *set)
{
	return set->keys.count > set->capacity / 2;
}

void count_set_clear(struct count_set *set)
{
	set->keys.count = 0;
	hash_index_clear(&set->index);
}

void count_set_wait_for_programs(void)
{
	/* A global membarrier is a synchronize_rcu(), and programs run inside RCU's read side. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(50000);
}
