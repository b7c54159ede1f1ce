/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOLE_BYTES 15 /* between functions: alignment, which nobody runs */

/* At one address a function's first row goes before the gap that ends the function in front of it. */
static int by_place(const void *left, const void *right)
{
	const struct unwind_cfi_row *a = left, *b = right;

	if (a->pc != b->pc)
		return a->pc < b->pc ? -1 : 1;
	return (a->rule.cfa != UNWIND_GAP) - (b->rule.cfa != UNWIND_GAP);
}

void unwind_layer_sort(struct unwind_cfi_rows *layer)
{
	struct unwind_cfi_row *rows = layer->list.items;
	size_t count = layer->list.count, kept = 0;

	if (!count)
		return;
	qsort(rows, count, sizeof(*rows), by_place);
	for (size_t i = 0; i < count; i++) {
		bool last = i + 1 == count;

		if (!last && rows[i + 1].pc == rows[i].pc)
			continue;
		if (!last && rows[i].rule.cfa == UNWIND_GAP && rows[i + 1].pc - rows[i].pc <= HOLE_BYTES)
			continue;
		if (kept && !memcmp(&rows[kept - 1].rule, &rows[i].rule, sizeof(rows[i].rule)))
			continue;
		rows[kept++] = rows[i];
	}
	layer->list.count = kept;
}

/* The row that holds from @pc on, where @next is the first that may lie behind it. */
static struct unwind_rule rule_at(const struct unwind_cfi_rows *rows, uint64_t pc, struct unwind_rule before,
				  size_t *next)
{
	if (*next < rows->list.count && rows->list.items[*next].pc == pc)
		return rows->list.items[(*next)++].rule;
	return before;
}

static uint64_t next_place(const struct unwind_cfi_rows *rows, size_t next)
{
	return next < rows->list.count ? rows->list.items[next].pc : UINT64_MAX;
}

int unwind_layer_put_below(struct unwind_cfi_rows *rows, struct unwind_cfi_rows *below)
{
	struct unwind_rule upper = {0}, lower = {0};
	struct unwind_cfi_rows all = {.functions = rows->functions + below->functions,
				      .broken = rows->broken + below->broken};
	size_t next_upper = 0, next_lower = 0;

	if (!rows->list.count) {
		all.list = below->list;
		memset(&below->list, 0, sizeof(below->list));
	} else if (array_reserve(&all.list, rows->list.count + below->list.count)) {
		return -ENOMEM;
	}
	while (rows->list.count && (next_upper < rows->list.count || next_lower < below->list.count)) {
		uint64_t a = next_place(rows, next_upper), b = next_place(below, next_lower), pc = a < b ? a : b;
		struct unwind_rule rule;

		upper = rule_at(rows, pc, upper, &next_upper);
		lower = rule_at(below, pc, lower, &next_lower);
		rule = upper.cfa == UNWIND_GAP ? lower : upper;
		if (!all.list.count || memcmp(&all.list.items[all.list.count - 1].rule, &rule, sizeof(rule)) != 0)
			*array_add(&all.list) = (struct unwind_cfi_row){pc, rule};
	}
	array_deinit(&rows->list);
	*rows = all;
	below->functions = below->broken = 0;
	return 0;
}
