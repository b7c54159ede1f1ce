/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number_ranges: which numbers of a table of fixed size are taken.
 *
 * Ranges are taken where they first fit, and given back whole.
 */
#ifndef STOKER_NUMBER_RANGES_H
#define STOKER_NUMBER_RANGES_H

#include <stdint.h>

#include "symbolizer/base/array.h"

struct number_range {
	uint32_t first, count;
};

struct number_ranges {
	ARRAY(struct number_range) free; /* sorted, none touching the next */
	size_t taken;			 /* ranges, each of which may need an entry when it comes back */
	uint64_t free_count;		 /* numbers */
};

/* All numbers below @size are free. 0 or -ENOMEM. */
int number_ranges_init(struct number_ranges *ranges, uint32_t size);
void number_ranges_deinit(struct number_ranges *ranges);

/* More numbers, after all those there are. 0 or -ENOMEM. */
int number_ranges_grow(struct number_ranges *ranges, uint32_t first, uint32_t count);

/**
 * number_ranges_take() - @count numbers in a row
 * @count: at least 1
 * Returns 0, -ENOSPC (no hole is large enough) or -ENOMEM.
 */
int number_ranges_take(struct number_ranges *ranges, uint32_t count, uint32_t *ret_first);

/* What was taken, or with number_ranges_trim() its end: the first @kept stay taken. Neither fails. */
void number_ranges_give(struct number_ranges *ranges, uint32_t first, uint32_t count);
void number_ranges_trim(struct number_ranges *ranges, uint32_t first, uint32_t count, uint32_t kept);

#endif
