/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/svg.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/render/flame_script.h"
#include "profiler/render/svg_color.h"
#include "profiler/render/svg_drawing.h"
#include "profiler/render/xml.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

#define SIDE 10	     /* px left and right of the graph */
#define ROW 18	     /* px from row to row, a box is one less high */
#define TOWER_ROW 30 /* row 1, where it holds the containers' names */
#define FOOTER 76    /* details, facts, legend */
#define FONT_PX 12
#define TOWER_FONT_PX 15

static void drawing_deinit(struct svg_drawing *drawing)
{
	svg_layout_deinit(&drawing->layout);
	free(drawing->frame_numbers);
	free(drawing->hues);
	array_deinit(&drawing->drawn);
}

static uint32_t row_height(const struct svg_drawing *drawing, uint32_t row)
{
	return drawing->options.palette == SVG_BY_CONTAINER && row == 1 ? TOWER_ROW : ROW;
}

/* Upper edge of a row within the graph. */
static uint32_t row_y(const struct svg_drawing *drawing, uint32_t row)
{
	uint32_t below = row * ROW;

	if (row > 1)
		below += row_height(drawing, 1) - ROW;
	return drawing->options.inverted ? below : drawing->rows_height - below - row_height(drawing, row);
}

static const struct call_tree_frame *frame_of(const struct svg_drawing *drawing, const struct svg_box *box)
{
	uint32_t frame = drawing->tree->nodes.items[box->node].frame;

	return frame == CALL_TREE_NONE ? NULL : &drawing->tree->frames.items[frame];
}

static int number_frames(struct svg_drawing *drawing)
{
	const struct call_tree *tree = drawing->tree;

	drawing->frame_numbers = calloc(tree->frames.count + 1, sizeof(*drawing->frame_numbers));
	if (!drawing->frame_numbers)
		return -ENOMEM;
	for (size_t i = 0; i < drawing->layout.boxes.count; i++) {
		uint32_t frame = tree->nodes.items[drawing->layout.boxes.items[i].node].frame;
		uint32_t *number = &drawing->frame_numbers[frame == CALL_TREE_NONE ? tree->frames.count : frame];

		if (*number)
			continue;
		if (array_reserve(&drawing->drawn, 1))
			return -ENOMEM;
		drawing->drawn.items[drawing->drawn.count++] = frame;
		*number = (uint32_t)drawing->drawn.count;
	}
	return 0;
}

struct tower {
	uint64_t count;
	size_t box; /* from the first box of row 1 */
};

static int larger_first(const void *a, const void *b)
{
	const struct tower *left = a, *right = b;

	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return left->box < right->box ? -1 : left->box > right->box;
}

static int choose_hues(struct svg_drawing *drawing)
{
	size_t first = svg_row_start(drawing, 1),
	       count = svg_rows(drawing) > 1 ? drawing->layout.row_ends.items[1] - first : 0;
	_cleanup_free_ struct tower *towers = calloc(count + 1, sizeof(*towers));
	struct svg_hues taken = {0};

	drawing->hues = calloc(count + 1, sizeof(*drawing->hues));
	if (!towers || !drawing->hues)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		towers[i].box = i;
		towers[i].count = svg_count(drawing, &drawing->layout.boxes.items[first + i]);
	}
	qsort(towers, count, sizeof(*towers), larger_first);
	for (size_t i = 0; i < count; i++) {
		uint32_t node = drawing->layout.boxes.items[first + towers[i].box].node;

		drawing->hues[towers[i].box] = svg_tower_hue(&taken, call_tree_name(drawing->tree, node));
	}
	return 0;
}

static void note_kinds(struct svg_drawing *drawing)
{
	size_t first =
		drawing->options.palette == SVG_BY_CONTAINER ? svg_row_start(drawing, 2) : svg_row_start(drawing, 1);

	if (svg_rows(drawing) < 2 || (svg_rows(drawing) < 3 && drawing->options.palette == SVG_BY_CONTAINER))
		return;
	for (size_t i = first; i < drawing->layout.boxes.count; i++) {
		const struct call_tree_frame *frame = frame_of(drawing, &drawing->layout.boxes.items[i]);

		drawing->kinds |= 1u << (frame->kind & 31);
		drawing->unnamed |= !frame->named && frame->kind != FRAME_DELIMITER;
	}
}

static int prepare(struct svg_drawing *drawing)
{
	const struct svg_options *options = &drawing->options;
	double pixels;
	int err;

	drawing->width = options->width ? options->width : SVG_WIDTH;
	if (drawing->width < 200)
		drawing->width = 200;
	pixels = drawing->width - 2 * SIDE;
	err = svg_layout_init(&drawing->layout, drawing->tree,
			      options->minwidth / pixels * (double)drawing->tree->nodes.items[0].total, SVG_DEPTH_MAX);
	if (err)
		return err;
	drawing->top = options->subtitle && *options->subtitle ? 64 : 48;
	drawing->rows_height = svg_rows(drawing) * ROW;
	if (svg_rows(drawing) > 1)
		drawing->rows_height += row_height(drawing, 1) - ROW;
	err = number_frames(drawing);
	if (!err)
		err = choose_hues(drawing);
	if (!err)
		note_kinds(drawing);
	return err;
}

static void write_text(const char *text, FILE *out)
{
	xml_text(text, strlen(text), out);
}

static const char *title_of(const struct svg_options *options)
{
	if (options->title)
		return options->title;
	if (options->inverted)
		return options->reversed ? "Icicle Graph, leaf first" : "Icicle Graph";
	return options->reversed ? "Flame Graph, leaf first" : "Flame Graph";
}

static uint32_t height_of(const struct svg_drawing *drawing)
{
	return drawing->top + drawing->rows_height + FOOTER;
}

static void write_head(const struct svg_drawing *drawing, FILE *out)
{
	const struct svg_options *options = &drawing->options;

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%u\" height=\"%u\" "
		"viewBox=\"0 0 %u %u\" font-family=\"Verdana, 'DejaVu Sans', sans-serif\" font-size=\"%d\" "
		"fill=\"#1a1a1a\">\n<title>",
		drawing->width, height_of(drawing), drawing->width, height_of(drawing), FONT_PX);
	write_text(title_of(options), out);
	fprintf(out,
		"</title>\n<style>\n%s</style>\n"
		"<rect id=\"paper\" width=\"100%%\" height=\"100%%\" fill=\"#fffdf8\"/>\n"
		"<g id=\"head\">\n<text x=\"%d\" y=\"30\" font-size=\"19\" font-weight=\"bold\">",
		flame_style, SIDE);
	write_text(title_of(options), out);
	fputs("</text>\n", out);
	if (options->subtitle && *options->subtitle) {
		fprintf(out, "<text x=\"%d\" y=\"49\" fill=\"#666\">", SIDE);
		write_text(options->subtitle, out);
		fputs("</text>\n", out);
	}
	fputs("</g>\n", out);
}

static double percent(const struct svg_drawing *drawing, uint64_t count)
{
	double share = 100.0 * (double)count / (double)drawing->layout.total;

	return share > 100 ? 100 : share;
}

/* 1.5 rather than 1.500: there are many of these. */
static void write_number(double number, FILE *out)
{
	char digits[32];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%.3f", number);

	while (digits[length - 1] == '0')
		length--;
	if (digits[length - 1] == '.')
		length--;
	fwrite(digits, 1, length, out);
}

static uint32_t color_of(const struct svg_drawing *drawing, const struct svg_box *box, size_t *tower)
{
	int hue = 0;

	/* The boxes of a row come in the order of their towers. */
	if (box->row) {
		while (drawing->layout.boxes.items[svg_row_start(drawing, 1) + *tower].node != box->tower)
			++*tower;
		hue = drawing->hues[*tower];
	}
	return svg_color(drawing->tree, frame_of(drawing, box), drawing->options.palette, box->row == 1, hue);
}

static void write_box(const struct svg_drawing *drawing, const struct svg_box *box, uint32_t color, FILE *out)
{
	double width = percent(drawing, svg_count(drawing, box)), pixel = 100.0 / (drawing->width - 2 * SIDE);

	/* A hair of paper between neighbours, where there is room for one. */
	if (width > 3 * pixel)
		width -= 0.7 * pixel;
	fputs("<rect x=\"", out);
	write_number(percent(drawing, box->start), out);
	fputs("%\" width=\"", out);
	write_number(width, out);
	fprintf(out, "%%\" height=\"%u\" fill=\"#%06x\"/>\n", row_height(drawing, box->row) - 1, color);
}

/* In thousandths of the font's size, on the generous side: Verdana and DejaVu Sans are among the widest. */
static unsigned int character_width(uint32_t code)
{
	if (code >= 0x1100)
		return 1050;
	if (code >= 0x80)
		return 720;
	if (strchr("ijlI.,:;'|![]()", (int)code))
		return 400;
	if (strchr("mwMW@%", (int)code))
		return 1000;
	return code >= 'A' && code <= 'Z' ? 750 : 640;
}

/* How many bytes of a name fit into @pixels; all of them, or as many as leave room for "…". */
static size_t fitting(const char *name, size_t length, double pixels, double font_px)
{
	double room = pixels * 1000 / font_px, used = 0;
	size_t cut = 0;

	for (size_t at = 0, taken; at < length; at += taken) {
		uint32_t code;

		taken = text_decode(name + at, length - at, &code);
		used += character_width(code);
		if (used > room)
			return cut;
		if (used + 1000 <= room)
			cut = at + taken;
	}
	return length;
}

static void write_label(const struct svg_drawing *drawing, const struct svg_box *box, FILE *out)
{
	const char *name = call_tree_name(drawing->tree, box->node);
	bool tower = row_height(drawing, box->row) == TOWER_ROW;
	double font = tower ? TOWER_FONT_PX * 1.12 : FONT_PX;
	double pixels = percent(drawing, svg_count(drawing, box)) / 100 * (drawing->width - 2 * SIDE) - 8;
	size_t length = strlen(name), fits;

	if (pixels < 2.5 * FONT_PX)
		return;
	fits = fitting(name, length, pixels, font);
	if (!fits)
		return;
	fputs("<text x=\"", out);
	write_number(percent(drawing, box->start), out);
	fprintf(out, "%%\" dx=\"4\" y=\"%d\"%s>", tower ? 20 : 13, tower ? " class=\"tower\"" : "");
	xml_text(name, fits, out);
	fputs(fits < length ? "…</text>\n" : "</text>\n", out);
}

static void write_graph(const struct svg_drawing *drawing, FILE *out)
{
	fprintf(out, "<svg id=\"graph\" x=\"%d\" y=\"%u\" width=\"%u\" height=\"%u\">\n", SIDE, drawing->top,
		drawing->width - 2 * SIDE, drawing->rows_height);
	for (uint32_t row = 0; row < svg_rows(drawing); row++) {
		size_t end = drawing->layout.row_ends.items[row], tower = 0;

		fprintf(out, "<g class=\"row\" transform=\"translate(0 %u)\">\n", row_y(drawing, row));
		for (size_t i = svg_row_start(drawing, row); i < end; i++) {
			const struct svg_box *box = &drawing->layout.boxes.items[i];

			write_box(drawing, box, color_of(drawing, box, &tower), out);
		}
		for (size_t i = svg_row_start(drawing, row); i < end; i++)
			write_label(drawing, &drawing->layout.boxes.items[i], out);
		fputs("</g>\n", out);
	}
	fputs("</svg>\n", out);
}

static const char *const kind_names[] = {
	[FRAME_USER] = "user",	     [FRAME_KERNEL] = "kernel",	  [FRAME_JIT] = "JIT",
	[FRAME_INLINED] = "inlined", [FRAME_DELIMITER] = "label", [FRAME_PYTHON] = "Python",
};

static int largest_hue(const struct svg_drawing *drawing)
{
	size_t first = svg_row_start(drawing, 1), best = 0;

	if (svg_rows(drawing) < 2)
		return SVG_HUE_NONE;
	for (size_t i = first; i < drawing->layout.row_ends.items[1]; i++)
		if (svg_count(drawing, &drawing->layout.boxes.items[i]) >
		    svg_count(drawing, &drawing->layout.boxes.items[first + best]))
			best = i - first;
	return drawing->hues[best];
}

static void write_legend(const struct svg_drawing *drawing, FILE *out)
{
	static const uint8_t order[] = {FRAME_DELIMITER, FRAME_USER, FRAME_INLINED,
					FRAME_PYTHON,	 FRAME_JIT,  FRAME_KERNEL};
	int hue = drawing->options.palette == SVG_BY_CONTAINER ? largest_hue(drawing) : 0;
	uint32_t x = 0;

	fputs("<g id=\"legend\">\n", out);
	for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
		enum frame_kind kind = order[i];

		if (!(drawing->kinds & 1u << kind))
			continue;
		fprintf(out,
			"<rect x=\"%u\" y=\"0\" width=\"16\" height=\"12\" fill=\"#%06x\"/>"
			"<text x=\"%u\" y=\"10\">%s</text>\n",
			x, svg_kind_color(kind, drawing->options.palette, hue), x + 21, kind_names[kind]);
		x += 38 + 7 * (uint32_t)strlen(kind_names[kind]);
	}
	fprintf(out, "<text x=\"%u\" y=\"10\" fill=\"#666\">%s", x + (x > 0 ? 6 : 0),
		drawing->unnamed ? "pale: a reason instead of a name" : "");
	if (drawing->options.palette == SVG_BY_CONTAINER) {
		fputs(drawing->unnamed ? " · one hue per " : "one hue per ", out);
		write_text(drawing->options.tower ? drawing->options.tower : "container", out);
	}
	fputs("</text>\n</g>\n", out);
}

static void write_notes(const struct svg_drawing *drawing, FILE *out)
{
	const struct svg_layout *layout = &drawing->layout;
	char boxes[32], share[32];

	fprintf(out, "<text id=\"pruned\" x=\"100%%\" dx=\"-%d\" y=\"66\" text-anchor=\"end\" fill=\"#666\">", SIDE);
	if (layout->thin_boxes) {
		double percents = percent(drawing, layout->thin_count);

		snprintf(share, sizeof(share), percents < 0.05 ? "less than 0.1%%" : "%.1f%%", percents);
		fprintf(out, "%s box%s narrower than %g px not drawn: %s of the ",
			text_grouped(layout->thin_boxes, boxes, sizeof(boxes)), layout->thin_boxes == 1 ? "" : "es",
			drawing->options.minwidth, share);
		write_text(svg_count_name(drawing), out);
		fputs(" end there", out);
	}
	if (layout->deep_boxes)
		fprintf(out, "%s%s box%s deeper than %d frames not drawn", layout->thin_boxes ? "; " : "",
			text_grouped(layout->deep_boxes, boxes, sizeof(boxes)), layout->deep_boxes == 1 ? "" : "es",
			SVG_DEPTH_MAX);
	fputs("</text>\n", out);
}

static void write_foot(const struct svg_drawing *drawing, FILE *out)
{
	char total[32];

	fprintf(out,
		"<g id=\"foot\" transform=\"translate(0 %u)\">\n"
		"<text x=\"%d\" y=\"42\" fill=\"#666\">%s ",
		drawing->top + drawing->rows_height, SIDE, text_grouped(drawing->layout.total, total, sizeof(total)));
	write_text(svg_count_name(drawing), out);
	if (drawing->options.footer && *drawing->options.footer) {
		fputs(" · ", out);
		write_text(drawing->options.footer, out);
	}
	fputs("</text>\n", out);
	fprintf(out, "<svg x=\"%d\" y=\"56\" width=\"60%%\" height=\"14\">\n", SIDE);
	write_legend(drawing, out);
	fputs("</svg>\n", out);
	write_notes(drawing, out);
	fprintf(out,
		"</g>\n<g id=\"bar\" transform=\"translate(0 %u)\">"
		"<rect width=\"100%%\" height=\"24\" fill=\"#fffdf8\"/>"
		"<text id=\"details\" x=\"%d\" y=\"17\"> </text></g>\n",
		drawing->top + drawing->rows_height + 2, SIDE);
}

int render_svg(const struct call_tree *tree, const struct svg_options *options, FILE *out)
{
	_cleanup_(drawing_deinit) struct svg_drawing drawing = {.tree = tree};
	int err;

	if (!tree->nodes.items[0].total)
		return -ENODATA;
	drawing.options = options ? *options : (struct svg_options){.minwidth = SVG_MINWIDTH};
	err = prepare(&drawing);
	if (err)
		return err;
	errno = 0;
	write_head(&drawing, out);
	write_graph(&drawing, out);
	write_foot(&drawing, out);
	err = svg_write_data(&drawing, out);
	fprintf(out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flame_script);
	return err ? err : stream_end(out);
}
