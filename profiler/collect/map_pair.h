/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_pair: two BPF hashes that take turns: while one is read and emptied, the programs fill the other.
 */
#ifndef STOKER_MAP_PAIR_H
#define STOKER_MAP_PAIR_H

#include <stddef.h>
#include <stdint.h>

struct bpf_map;

struct map_pair {
	struct bpf_map *maps[2]; /* of the same shape */
	uint32_t *active;	 /* the programs' variable: which of the two takes new entries */
	size_t key_bytes;
	size_t entry_bytes; /* key and value, one behind the other, without padding between */
	char *entries;	    /* what was fetched; count of them */
	size_t count;
	size_t capacity;
};

/* The maps must be loaded and live longer. Takes no memory yet. */
void map_pair_init(struct map_pair *pair, struct bpf_map *first, struct bpf_map *second, uint32_t *active);
void map_pair_deinit(struct map_pair *pair);

/* Turns them, and adds what the full one held to the entries. 0 or a negative errno. */
int map_pair_fetch(struct map_pair *pair);

/* An entry, @number < count; aligned for any value. */
const void *map_pair_entry(const struct map_pair *pair, size_t number);

/* Forgets what was fetched. */
void map_pair_clear(struct map_pair *pair);

#endif
