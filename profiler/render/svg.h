/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg: the flame graph. One file that needs nothing else: no server, no network, no library.
 *
 * The drawing stands on its own (boxes, names where they fit, legend, footer), so that it can be looked at, printed or
 * put into a page without scripts. The script (flame.js) adds zoom, search, tooltips, the fit to the window and the
 * state in the URL. It reads one block of data: names once, and for each row of boxes gap, count and name's number, in
 * the order of the boxes. A box itself is a position and a colour.
 *
 * What is narrower than minwidth with the whole graph in view is left out, with everything above it; the footer says
 * how many boxes that were and which share of the counts ends in them. Equal trees and options give equal bytes.
 */
#ifndef STOKER_RENDER_SVG_H
#define STOKER_RENDER_SVG_H

#include <stdbool.h>
#include <stdio.h>

#include "profiler/profile/call_tree.h"

/* Colours come from names alone, and kernel, user, JIT, inlined and labels look different in both. */
enum svg_palette {
	SVG_BY_FUNCTION,  /* one hue band per kind, a shade per name */
	SVG_BY_CONTAINER, /* one hue per frame at the root's side, a shade per kind and name; these frames are labels */
};

#define SVG_WIDTH 1200
#define SVG_MINWIDTH 0.1
#define SVG_DEPTH_MAX 2000 /* rows drawn; the footer says when there were more */

struct svg_options {
	const char *title;	/* NULL: "Flame Graph" */
	const char *subtitle;	/* NULL: none */
	const char *count_name; /* NULL: "samples" */
	const char *footer;	/* event, host …, behind the total; NULL: nothing */
	uint32_t width;		/* px; 0: SVG_WIDTH, and as wide as the window where scripts run */
	double minwidth;	/* px; 0 draws everything */
	bool inverted;		/* root on top: an icicle graph */
	bool reversed;		/* the tree was merged from the leaves: said in the default title, nothing else */
	enum svg_palette palette;
	const char *tower; /* with SVG_BY_CONTAINER: what has a hue of its own; NULL: "container" */
};

/**
 * render_svg() - draw a finished tree
 * @options: may be NULL: all defaults, minwidth SVG_MINWIDTH
 * Returns 0, -ENODATA where the tree has no counts (nothing is written), -ENOMEM, or what write(2) gave.
 * @out is flushed, not closed.
 */
int render_svg(const struct call_tree *tree, const struct svg_options *options, FILE *out);

#endif
