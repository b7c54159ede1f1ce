/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg_drawing: what the parts of the flame graph share while it is drawn. For svg*.c only.
 */
#ifndef STOKER_RENDER_SVG_DRAWING_H
#define STOKER_RENDER_SVG_DRAWING_H

#include "profiler/render/svg.h"
#include "profiler/render/svg_layout.h"

struct svg_drawing {
	const struct call_tree *tree;
	struct svg_options options;
	struct svg_layout layout;
	uint32_t *frame_numbers; /* [frames + 1] number in the data + 1, 0: not drawn; the root is the last one */
	ARRAY(uint32_t) drawn;	 /* frames in the data's order; CALL_TREE_NONE is the root */
	int *hues;		 /* [nodes of row 1 by order of boxes] */
	uint32_t kinds;		 /* bit set of the kinds drawn */
	bool unnamed;		 /* any reason instead of a name */
	uint32_t width, top, rows_height;
};

static inline size_t svg_row_start(const struct svg_drawing *drawing, uint32_t row)
{
	return row ? drawing->layout.row_ends.items[row - 1] : 0;
}

static inline uint32_t svg_rows(const struct svg_drawing *drawing)
{
	return (uint32_t)drawing->layout.row_ends.count;
}

static inline uint64_t svg_count(const struct svg_drawing *drawing, const struct svg_box *box)
{
	return drawing->tree->nodes.items[box->node].total;
}

static inline const char *svg_count_name(const struct svg_drawing *drawing)
{
	return drawing->options.count_name ? drawing->options.count_name : "samples";
}

/**
 * svg_write_data() - the block that flame.js reads: a <metadata> element of JSON
 * Returns 0 or -ENOMEM; errors of writing stay with @out.
 */
int svg_write_data(const struct svg_drawing *drawing, FILE *out);

#endif
