/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/svg_layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

/* Where the next child of the box in each row of the current path starts. */
struct cursors {
	ARRAY(uint64_t) next; /* [depth] */
};

static void advance(uint64_t *at, uint64_t count)
{
	if (__builtin_add_overflow(*at, count, at))
		*at = UINT64_MAX;
}

static int add_box(struct svg_layout *layout, struct cursors *cursors, uint32_t node, uint32_t depth, uint64_t total)
{
	struct svg_box *box = array_add(&layout->boxes);
	uint64_t start = 0;

	if (!box || array_reserve(&cursors->next, 1))
		return -ENOMEM;
	if (depth) {
		start = cursors->next.items[depth - 1];
		advance(&cursors->next.items[depth - 1], total);
	}
	cursors->next.items[depth] = start;
	cursors->next.count = depth + 1;
	box->node = node;
	box->row = depth;
	box->start = start;
	return 0;
}

static int choose_boxes(struct svg_layout *layout, struct cursors *cursors, const struct call_tree *tree,
			double smallest, uint32_t rows_max)
{
	uint32_t depth = 0, node = 0, tower = 0;
	bool descend;

	while (node != CALL_TREE_NONE) {
		uint64_t total = tree->nodes.items[node].total;

		descend = false;
		if (depth >= rows_max) {
			/* Walked through for their number; nothing is stored. */
			layout->deep_boxes++;
			descend = true;
		} else if (node && (!total || (double)total < smallest)) {
			layout->thin_count += total;
			advance(&cursors->next.items[depth - 1], total);
		} else {
			int err = add_box(layout, cursors, node, depth, total);

			if (err)
				return err;
			tower = depth == 1 ? node : depth ? tower : 0;
			layout->boxes.items[layout->boxes.count - 1].tower = tower;
			descend = true;
		}
		node = call_tree_next(tree, node, descend, &depth);
	}
	layout->thin_boxes = tree->nodes.count - layout->boxes.count - layout->deep_boxes;
	return 0;
}

/* From the order of the walk to rows; within a row the walk goes from left to right already. */
static int sort_into_rows(struct svg_layout *layout)
{
	struct svg_box *sorted = calloc(layout->boxes.count, sizeof(*sorted));
	size_t rows = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < layout->boxes.count; i++)
		if (layout->boxes.items[i].row >= rows)
			rows = layout->boxes.items[i].row + 1;
	if (array_reserve(&layout->row_ends, rows + 1)) {
		free(sorted);
		return -ENOMEM;
	}
	memset(layout->row_ends.items, 0, (rows + 1) * sizeof(*layout->row_ends.items));
	for (size_t i = 0; i < layout->boxes.count; i++)
		layout->row_ends.items[layout->boxes.items[i].row + 1]++;
	for (size_t row = 1; row <= rows; row++)
		layout->row_ends.items[row] += layout->row_ends.items[row - 1];
	/* Filling moves each row's start to its end. */
	for (size_t i = 0; i < layout->boxes.count; i++)
		sorted[layout->row_ends.items[layout->boxes.items[i].row]++] = layout->boxes.items[i];
	layout->row_ends.count = rows;
	free(layout->boxes.items);
	layout->boxes.items = sorted;
	layout->boxes.capacity = layout->boxes.count;
	return 0;
}

int svg_layout_init(struct svg_layout *layout, const struct call_tree *tree, double smallest, uint32_t rows_max)
{
	struct cursors cursors = {0};
	int err;

	memset(layout, 0, sizeof(*layout));
	layout->total = tree->nodes.items[0].total;
	err = choose_boxes(layout, &cursors, tree, smallest, rows_max);
	array_deinit(&cursors.next);
	if (!err)
		err = sort_into_rows(layout);
	if (err)
		svg_layout_deinit(layout);
	return err;
}

void svg_layout_deinit(struct svg_layout *layout)
{
	array_deinit(&layout->boxes);
	array_deinit(&layout->row_ends);
}
