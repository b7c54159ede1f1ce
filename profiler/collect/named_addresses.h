/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * named_addresses: what an address of a process, or of the kernel, was called: the frame rows that stand for it.
 *
 * It remembers what is used. There are two generations: what is found in the old one moves to the young one, and when the
 * young one is full it becomes the old one, which is forgotten. So at most twice NAMED_ADDRESSES_MAX are held, some 8 MB,
 * however many processes come and go; an address that was forgotten is asked for again.
 */
#ifndef STOKER_NAMED_ADDRESSES_H
#define STOKER_NAMED_ADDRESSES_H

#include <stdbool.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

#define NAMED_ADDRESSES_MAX (1u << 16) /* of a generation */

struct named_address {
	uint64_t address;
	uint32_t owner; /* the caller's number: one for all addresses that were named together */
	uint32_t first; /* in the generation's frames, innermost first */
	uint8_t count;	/* 0: forgotten */
};

struct named_generation {
	ARRAY(struct named_address) list;
	ARRAY(uint32_t) frames;
	struct hash_index index;
};

/* All-zero is empty. */
struct named_addresses {
	struct named_generation young, old;
};

void named_addresses_deinit(struct named_addresses *names);

/* The caller has looked first. @frames: [@count] rows, copied, at least one. 0 or -ENOMEM. */
int named_addresses_add(struct named_addresses *names, uint32_t owner, uint64_t address, const uint32_t *frames,
			uint8_t count);

/**
 * named_addresses_find() - what is remembered
 * @ret_frames: [@ret_count], valid until something is added or forgotten
 */
bool named_addresses_find(struct named_addresses *names, uint32_t owner, uint64_t address, const uint32_t **ret_frames,
			  uint8_t *ret_count);

/* One is asked for again, where there is one. */
void named_addresses_forget(struct named_addresses *names, uint32_t owner, uint64_t address);

/* Where the young generation is full: forgets what was not used since it was last called so. */
void named_addresses_age(struct named_addresses *names);
void named_addresses_clear(struct named_addresses *names);

#endif
