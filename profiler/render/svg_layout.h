/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg_layout: which boxes a flame graph has, and where.
 *
 * A row is a depth, the root's is row 0. Positions are in counts from the left, not in pixels. Children lie side by
 * side in the tree's order, from their parent's left edge.
 */
#ifndef STOKER_RENDER_SVG_LAYOUT_H
#define STOKER_RENDER_SVG_LAYOUT_H

#include "profiler/profile/call_tree.h"

struct svg_box {
	uint64_t start; /* counts */
	uint32_t node;
	uint32_t row;
	uint32_t tower; /* the ancestor in row 1, or itself; 0 for the root */
};

struct svg_layout {
	ARRAY(struct svg_box) boxes; /* by row, then by start */
	ARRAY(size_t) row_ends;	     /* [rows]: index in boxes where the row ends */
	uint64_t total;		     /* counts of the root */
	uint64_t thin_boxes;	     /* left out for their width, with all above them */
	uint64_t thin_count;	     /* counts that end in those */
	uint64_t deep_boxes;	     /* left out for their depth */
};

/**
 * svg_layout_init() - lay out a finished tree
 * @smallest: counts; boxes with less are left out
 * @rows_max: at least 1
 * Returns 0, or -ENOMEM with nothing to deinit.
 */
int svg_layout_init(struct svg_layout *layout, const struct call_tree *tree, double smallest, uint32_t rows_max);
void svg_layout_deinit(struct svg_layout *layout);

#endif
