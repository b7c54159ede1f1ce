/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * range_cache: names that were asked for once, by the range that they hold for.
 *
 * One for each file. Ranges do not overlap: one that would is not taken. A name of 0 says that there is none.
 */
#ifndef SYMBOLIZER_RANGE_CACHE_H
#define SYMBOLIZER_RANGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/string_table.h"

struct named_range {
	uint64_t start, end; /* [start, end) */
	string_id name;	     /* 0: none */
};

struct range_cache {
	ARRAY(struct named_range) ranges;
	size_t sorted; /* the first so many are in order; the rest was added since */
};

void range_cache_deinit(struct range_cache *cache);

/* Found by look-ups only after range_cache_settle(). 0 or -ENOMEM. */
int range_cache_add(struct range_cache *cache, uint64_t start, uint64_t end, string_id name);

/* Puts what was added in its place: once for many. 0, or -ENOMEM with the additions dropped. */
int range_cache_settle(struct range_cache *cache);

bool range_cache_find(const struct range_cache *cache, uint64_t at, string_id *ret_name);

#endif
