/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * count_set: one of the two counts maps, and what is known of its keys.
 *
 * The map's values only grow; what was delivered of each is remembered here, so that reading needs no pause and no
 * deleting. Only when a map is half full do the two change places and the full one is emptied.
 */
#ifndef STOKER_COUNT_SET_H
#define STOKER_COUNT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

struct count_set_key {
	struct count_key key;
	uint64_t delivered;
};

struct count_set {
	int map_fd;
	uint32_t capacity;		  /* keys that the map holds */
	ARRAY(struct count_set_key) keys; /* by number */
	struct hash_index index;
	struct count_key *fetched_keys; /* [capacity and one batch] */
	uint64_t *fetched_values;	/* [capacity and one batch] */
	uint32_t fetched;
};

/* @capacity: the map's entries. 0 or -ENOMEM. The map stays the caller's. */
int count_set_init(struct count_set *set, int map_fd, uint32_t capacity);
void count_set_deinit(struct count_set *set);

/* A key's first sample has come: its number. The same key may come again (two CPUs at once). 0 or -ENOMEM. */
int count_set_add(struct count_set *set, const struct count_key *key, uint32_t *ret_number);

/* Reads the map into memory; with @clear the keys read are taken out. 0 or a negative errno. */
int count_set_fetch(struct count_set *set, bool clear);

/**
 * count_set_deliver() - what was fetched, less what was delivered before
 * @token: added to each key's number
 * What belongs to a key that was not added yet is delivered another time. Returns 0, or what @count gave.
 */
int count_set_deliver(struct count_set *set, uint64_t token, int (*count)(void *data, uint64_t token, uint64_t count),
		      void *data);

bool count_set_is_half_full(const struct count_set *set);

/* Forgets all keys; the map was emptied by count_set_fetch(). */
void count_set_clear(struct count_set *set);

/* Returns when every BPF program that may still have seen an older setting has ended. */
void count_set_wait_for_programs(void);

#endif
