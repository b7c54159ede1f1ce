/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * range_layers: which range holds an address, where later ranges lie over earlier ones.
 *
 * Each call of range_layers_add() lays one layer; layers of like size are merged, so that n ranges cost O(n log² n) in
 * all however they arrive, and a look-up is a binary search in each of at most 32 layers.
 */
#ifndef SYMBOLIZER_RANGE_LAYERS_H
#define SYMBOLIZER_RANGE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/array.h"

struct range {
	uint64_t start, end; /* [start, end) */
	uint32_t value;	     /* the owner's */
};

struct range_layer {
	ARRAY(struct range) ranges; /* sorted, not overlapping */
};

/* All zero is empty. */
struct range_layers {
	ARRAY(struct range_layer) layers; /* the newest last */
};

void range_layers_deinit(struct range_layers *layers);
size_t range_layers_bytes(const struct range_layers *layers); /* of memory */

/**
 * range_layers_add() - lay further ranges over those that are there
 * @ranges: [count], in any order of addresses; where they overlap the later one wins. Those with start >= end are left
 *          out.
 * Returns 0, or -ENOMEM: then the new ranges may be missing, the others are as they were.
 */
int range_layers_add(struct range_layers *layers, const struct range *ranges, size_t count);

/* False, @ret_value untouched, where no range holds @address. */
bool range_layers_find(const struct range_layers *layers, uint64_t address, uint32_t *ret_value);

#endif
