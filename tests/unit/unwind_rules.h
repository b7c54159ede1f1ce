/* SPDX-License-Identifier: BSD-2-Clause */
/* What the walker in the kernel does with a file's rows. */
#ifndef TESTS_UNIT_UNWIND_RULES_H
#define TESTS_UNIT_UNWIND_RULES_H

#include "symbolizer/unwind_rows.h"

/* The rule for a place; a gap where the file's rows do not reach. */
static inline struct unwind_rule find_rule(const struct unwind_rows *rows, uint64_t virtual_address)
{
	static const struct unwind_rule gap = {0};
	uint64_t page = (virtual_address >> UNWIND_PAGE_SHIFT) - rows->first_page;
	const struct unwind_row *row;
	size_t low, high;

	if (page >= rows->pages.count)
		return gap;
	low = rows->pages.items[page].first;
	high = low + rows->pages.items[page].count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (rows->rows.items[middle].low <= (virtual_address & ((1u << UNWIND_PAGE_SHIFT) - 1)))
			low = middle;
		else
			high = middle;
	}
	row = &rows->rows.items[low];
	return rows->rules.items[row->rule];
}

#endif
