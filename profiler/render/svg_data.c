/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/svg_drawing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/render/xml.h"
#include "symbolizer/base/cleanup.h"

#define NAME_BYTES_MAX 2048

static void write_names(const struct svg_drawing *drawing, FILE *out)
{
	const struct call_tree *tree = drawing->tree;

	fputs("\"names\":[", out);
	for (size_t i = 0; i < drawing->drawn.count; i++) {
		uint32_t frame = drawing->drawn.items[i];
		string_id name = frame == CALL_TREE_NONE ? 0 : tree->frames.items[frame].name;
		const char *text = frame == CALL_TREE_NONE ? "all" : string_table_text(&tree->strings, name);

		fputs(i ? ",\n" : "\n", out);
		xml_json_string(text, strlen(text), NAME_BYTES_MAX, out);
	}
	fputs("],\n\"kinds\":\"", out);
	for (size_t i = 0; i < drawing->drawn.count; i++) {
		uint32_t frame = drawing->drawn.items[i];

		fputc(frame == CALL_TREE_NONE ? '0' + FRAME_DELIMITER : '0' + tree->frames.items[frame].kind % 10, out);
	}
	fputs("\",\n", out);
}

/* Names of modules repeat so much that each is written once, and numbered from 1. */
static int write_modules(const struct svg_drawing *drawing, FILE *out)
{
	const struct call_tree *tree = drawing->tree;
	_cleanup_free_ uint32_t *numbers = calloc(tree->strings.entries.count + 1, sizeof(*numbers));
	uint32_t count = 0;

	if (!numbers)
		return -ENOMEM;
	fputs("\"modules\":[\"\"", out);
	for (size_t i = 0; i < drawing->drawn.count; i++) {
		uint32_t frame = drawing->drawn.items[i];
		string_id module = frame == CALL_TREE_NONE ? 0 : tree->frames.items[frame].module;
		const char *text = string_table_text(&tree->strings, module);

		if (!module || module >= tree->strings.entries.count || numbers[module])
			continue;
		numbers[module] = ++count;
		fputc(',', out);
		xml_json_string(text, strlen(text), NAME_BYTES_MAX, out);
	}
	fputs("],\n\"in\":[", out);
	for (size_t i = 0; count && i < drawing->drawn.count; i++) {
		uint32_t frame = drawing->drawn.items[i];
		string_id module = frame == CALL_TREE_NONE ? 0 : tree->frames.items[frame].module;

		fprintf(out, "%s%u", i ? "," : "", module < tree->strings.entries.count ? numbers[module] : 0);
	}
	fputs("],\n", out);
	return 0;
}

static void write_rows(const struct svg_drawing *drawing, FILE *out)
{
	fputs("\"rows\":[", out);
	for (uint32_t row = 0; row < svg_rows(drawing); row++) {
		uint64_t at = 0;

		fputs(row ? ",\n[" : "\n[", out);
		for (size_t i = svg_row_start(drawing, row); i < drawing->layout.row_ends.items[row]; i++) {
			const struct svg_box *box = &drawing->layout.boxes.items[i];
			uint32_t frame = drawing->tree->nodes.items[box->node].frame;

			if (frame == CALL_TREE_NONE)
				frame = (uint32_t)drawing->tree->frames.count;
			fprintf(out, "%s%" PRIu64 ",%" PRIu64 ",%u", i > svg_row_start(drawing, row) ? "," : "",
				box->start - at, svg_count(drawing, box), drawing->frame_numbers[frame] - 1);
			at = __builtin_add_overflow(box->start, svg_count(drawing, box), &at) ? UINT64_MAX : at;
		}
		fputc(']', out);
	}
	fputs("]", out);
}

int svg_write_data(const struct svg_drawing *drawing, FILE *out)
{
	int err;

	fputs("<metadata id=\"data\">{\"count\":", out);
	xml_json_string(svg_count_name(drawing), strlen(svg_count_name(drawing)), NAME_BYTES_MAX, out);
	fprintf(out, ",\"total\":%" PRIu64 ",\"fluid\":%s,\"towers\":%s,\"inverted\":%s,\n", drawing->layout.total,
		drawing->options.width ? "false" : "true",
		drawing->options.palette == SVG_BY_CONTAINER ? "true" : "false",
		drawing->options.inverted ? "true" : "false");
	write_names(drawing, out);
	err = write_modules(drawing, out);
	if (err)
		return err;
	write_rows(drawing, out);
	fputs("}</metadata>\n", out);
	return 0;
}
