/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg_color: which colour a frame has.
 *
 * All colours are light enough for black text on them (OKLCH lightness of 0.72 and more). A hue is a number of degrees.
 */
#ifndef STOKER_RENDER_SVG_COLOR_H
#define STOKER_RENDER_SVG_COLOR_H

#include "profiler/profile/call_tree.h"
#include "profiler/render/svg.h"

#define SVG_HUE_NONE (-1) /* the host and the kernel themselves: grey */
#define SVG_HUES 12

/* Which hues are taken: equally named towers get equal hues in every graph, unless another one had it first. */
struct svg_hues {
	bool taken[SVG_HUES];
	unsigned int count;
};

/* The hue of a tower (a frame next to the root); to be asked for the largest one first. */
int svg_tower_hue(struct svg_hues *hues, const char *name);

/**
 * svg_color() - 0xRRGGBB of a frame
 * @frame: NULL for the root
 * @tower: whether the frame is next to the root, SVG_BY_CONTAINER only
 * @hue: of the frame's tower, SVG_BY_CONTAINER only
 */
uint32_t svg_color(const struct call_tree *tree, const struct call_tree_frame *frame, enum svg_palette palette,
		   bool tower, int hue);

/* The same for the legend, without the shade that a name gives. */
uint32_t svg_kind_color(enum frame_kind kind, enum svg_palette palette, int hue);

#endif
