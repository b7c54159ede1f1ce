/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/profile/folded_reader.h"
#include "profiler/render/flame_script.h"
#include "profiler/render/svg.h"
#include "profiler/render/svg_color.h"
#include "profiler/render/svg_layout.h"
#include "symbolizer/base/text.h"

static void read_tree(struct call_tree *tree, const char *text, size_t length)
{
	struct folded_reader reader;

	assert_int_equal(call_tree_init(tree), 0);
	folded_reader_init(&reader, tree, false);
	assert_int_equal(folded_reader_feed(&reader, text, length), 0);
	assert_int_equal(folded_reader_finish(&reader), 0);
	assert_int_equal(call_tree_finish(tree), 0);
	folded_reader_deinit(&reader);
}

static char *draw_bytes(const char *text, size_t length, const struct svg_options *options)
{
	struct call_tree tree;
	char *svg = NULL;
	size_t size;
	FILE *out = open_memstream(&svg, &size);

	assert_non_null(out);
	read_tree(&tree, text, length);
	assert_int_equal(render_svg(&tree, options, out), 0);
	fclose(out);
	call_tree_deinit(&tree);
	return svg;
}

/* The picture of folded stacks; to be freed. */
static char *draw(const char *text, const struct svg_options *options)
{
	return draw_bytes(text, strlen(text), options);
}

static size_t times(const char *text, const char *part)
{
	size_t count = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		count++;
	return count;
}

static void has(const char *svg, const char *part)
{
	if (!strstr(svg, part))
		fail_msg("no '%s'", part);
}

static void has_not(const char *svg, const char *part)
{
	if (strstr(svg, part))
		fail_msg("'%s' is there", part);
}

/* From the marker on to the end of its line. */
static char *line_with(const char *svg, const char *marker)
{
	const char *at = strstr(svg, marker);

	assert_non_null(at);
	return strndup(at, strcspn(at, "\n"));
}

static void test_render_svg__box_widths_are_shares_and_children_lie_within_their_parent(void **state)
{
	char *svg = draw("a;b 1\na;c 2\nd 1\n", NULL);

	has(svg, "<rect x=\"0%\" width=\"99.941%\" height=\"17\"");  /* all, less the hair between neighbours */
	has(svg, "<rect x=\"0%\" width=\"74.941%\" height=\"17\"");  /* a */
	has(svg, "<rect x=\"75%\" width=\"24.941%\" height=\"17\""); /* d */
	has(svg, "<rect x=\"0%\" width=\"24.941%\" height=\"17\"");  /* b */
	has(svg, "<rect x=\"25%\" width=\"49.941%\" height=\"17\""); /* c */
	assert_int_equal(times(svg, " height=\"17\""), 5);
	has(svg, "\"rows\":[\n[0,4,0],\n[0,3,1,0,1,2],\n[0,1,3,0,2,4]]");
	has(svg, "\"names\":[\n\"all\",\n\"a\",\n\"d\",\n\"b\",\n\"c\"]");
	free(svg);
}

static void test_render_svg__names_are_readable_without_scripts_where_they_fit(void **state)
{
	char *svg = draw("wide_function_name 900\nnarrow_function_name 30\nnone 1\n", NULL);

	has(svg, ">wide_function_name</text>");
	has(svg, ">na…</text>");
	assert_int_equal(times(svg, "none"), 1 + times(flame_script, "none") + times(flame_style, "none"));
	free(svg);
}

static void test_render_svg__narrow_boxes_are_left_out_and_the_footer_says_so(void **state)
{
	struct svg_options all = {0};
	const char *text = "big;x 99999\nsmall;y;z 5\nthin 5\n";
	char *svg = draw(text, NULL), *note = line_with(svg, "id=\"pruned\"");

	has(note, ">4 boxes narrower than 0.1 px not drawn: less than 0.1% of the samples end there<");
	has_not(svg, "\"small\"");
	has(svg, "\"big\"");
	/* All, big and x: what is left out makes the picture no higher. */
	has(svg, " height=\"178\" ");
	free(note);
	free(svg);

	svg = draw(text, &all);
	has(svg, " height=\"196\" ");
	note = line_with(svg, "id=\"pruned\"");
	has_not(note, "narrower");
	has(svg, "\"small\"");
	has(svg, "\"z\"");
	free(note);
	free(svg);
}

static void test_render_svg__stacks_deeper_than_the_limit_are_cut_and_the_footer_says_so(void **state)
{
	ARRAY(char) text = {0};
	char *svg;

	for (int i = 0; i < SVG_DEPTH_MAX + 10; i++) {
		assert_int_equal(array_reserve(&text, 4), 0);
		memcpy(text.items + text.count, "ab;", 3);
		text.count += 3;
	}
	memcpy(text.items + text.count - 1, " 1", 2);
	svg = draw_bytes(text.items, text.count + 1, NULL);
	has(svg, ">11 boxes deeper than 2000 frames not drawn<");
	assert_int_equal(times(svg, "<g class=\"row\""), SVG_DEPTH_MAX);
	array_deinit(&text);
	free(svg);
}

/* What XML 1.0 allows, without the characters that a text editor or a terminal would obey. */
static void assert_clean(const char *svg)
{
	size_t length = strlen(svg);

	for (size_t at = 0, taken; at < length; at += taken) {
		uint32_t code;

		taken = text_decode(svg + at, length - at, &code);
		if (code == 0xfffd)
			assert_memory_equal(svg + at, "\xef\xbf\xbd", 3);
		assert_true(code >= 0x20 || code == '\n' || code == '\t');
		assert_true(code != 0xfffe && code != 0xffff && (code < 0x7f || code > 0x9f));
		assert_true(code < 0x202a || code > 0x202e);
	}
}

static void test_render_svg__no_name_can_leave_its_place(void **state)
{
	static const char *const names[] = {
		"</text><script>alert(1)</script>",
		"]]>",
		"\"},{\"",
		"\\u0022",
		"&amp",
		"<!--",
		"'x'",
		"\x01\x02\x1b[2J",
		"\xff\xfe\x80",
		"\xef\xbf\xbf",
		"\xe2\x80\xae"
		"evil",
		"</metadata>",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		struct svg_options options = {.title = names[i],
					      .subtitle = names[i],
					      .count_name = names[i],
					      .footer = names[i],
					      .palette = SVG_BY_CONTAINER};
		char text[128], *svg;

		snprintf(text, sizeof(text), "%s;%s 7\n", names[i], names[i]);
		svg = draw(text, &options);
		assert_clean(svg);
		assert_int_equal(times(svg, "<script>"), 1);
		assert_int_equal(times(svg, "</script>"), 1);
		assert_int_equal(times(svg, "]]>"), 1);
		assert_int_equal(times(svg, "</metadata>"), 1);
		assert_int_equal(times(svg, "<!--"), 0);
		free(svg);
	}
}

static void test_render_svg__script_and_style_can_stand_in_xml(void **state)
{
	assert_int_equal(times(flame_script, "]]>"), 0);
	assert_int_equal(strcspn(flame_style, "<&>"), strlen(flame_style));
	assert_true(strlen(flame_script) > 1000);
	assert_true(strlen(flame_style) > 100);
}

static void test_render_svg__script_names_every_kind_of_frame(void **state)
{
	const char *at = strstr(flame_script, "const KINDS = ["), *end;
	size_t quotes = 0;

	assert_non_null(at);
	end = strchr(at, ']');
	assert_non_null(end);
	for (; at < end; at++)
		quotes += *at == '"';
	assert_int_equal(quotes, 2 * FRAME_KINDS);
}

static void test_render_svg__equal_trees_give_equal_bytes(void **state)
{
	char *one = draw("a;b 1\nc;d_[k] 2\n", NULL), *two = draw("c;d_[k] 1\na;b 1\nc;d_[k] 1\n", NULL);

	assert_string_equal(one, two);
	free(one);
	free(two);
}

static void test_render_svg__no_counts_is_no_picture(void **state)
{
	struct call_tree tree;
	char *svg = NULL;
	size_t size;
	FILE *out = open_memstream(&svg, &size);

	read_tree(&tree, "a 0\n", 4);
	assert_int_equal(render_svg(&tree, NULL, out), -ENODATA);
	fclose(out);
	assert_int_equal(size, 0);
	free(svg);
	call_tree_deinit(&tree);
}

static void test_render_svg__a_full_disk_is_an_error(void **state)
{
	struct call_tree tree;
	FILE *out = fopen("/dev/full", "w");

	read_tree(&tree, "a 1\n", 4);
	assert_int_equal(render_svg(&tree, NULL, out), -ENOSPC);
	fclose(out);
	call_tree_deinit(&tree);
}

static void test_render_svg__icicles_have_the_root_on_top(void **state)
{
	struct svg_options options = {.inverted = true};
	char *up = draw("a;b 1\n", NULL), *down = draw("a;b 1\n", &options);

	has(up, "<g class=\"row\" transform=\"translate(0 36)\">\n<rect x=\"0%\" width=\"99.941%\" height=\"17\" "
		"fill=\"#e0ded8\"/>\n<text x=\"0%\" dx=\"4\" y=\"13\">all</text>");
	has(down, "<g class=\"row\" transform=\"translate(0 0)\">\n<rect x=\"0%\" width=\"99.941%\" height=\"17\" "
		  "fill=\"#e0ded8\"/>\n<text x=\"0%\" dx=\"4\" y=\"13\">all</text>");
	has(down, ">Icicle Graph</text>");
	free(up);
	free(down);
}

static void test_render_svg__width_title_and_count_name_are_as_asked(void **state)
{
	struct svg_options options = {
		.width = 640, .title = "T <1>", .subtitle = "S", .count_name = "µs", .footer = "F"};
	char *svg = draw("a 1234567\n", &options);

	has(svg, " width=\"640\" ");
	has(svg, ">T &lt;1&gt;</text>");
	has(svg, ">S</text>");
	has(svg, ">1,234,567 µs · F</text>");
	has(svg, "\"fluid\":false");
	free(svg);
	svg = draw("a 1\n", NULL);
	has(svg, " width=\"1200\" ");
	has(svg, "\"fluid\":true");
	free(svg);
}

static void test_render_svg__sums_at_the_limit_stay_inside_the_picture(void **state)
{
	ARRAY(char) text = {0};
	char *svg, *at;

	for (int i = 0; i < 40; i++) {
		assert_int_equal(array_reserve(&text, 40), 0);
		text.count += (size_t)snprintf(text.items + text.count, 40, "f%02d 1000000000000000000\n", i);
	}
	svg = draw_bytes(text.items, text.count, NULL);
	for (at = svg; (at = strstr(at, "<rect x=\"")); at++)
		assert_true(strtod(at + strlen("<rect x=\""), NULL) <= 100);
	has(svg, ">18,446,744,073,709,551,615 samples</text>");
	array_deinit(&text);
	free(svg);
}

static void test_render_svg__modules_are_written_once_each(void **state)
{
	struct call_tree tree;
	char *svg = NULL;
	size_t size;
	FILE *out = open_memstream(&svg, &size);
	string_id module;

	read_tree(&tree, "a;b 1\na;c 1\n", 12);
	assert_int_equal(string_table_add(&tree.strings, "libc.so.6", 9, &module), 0);
	tree.frames.items[0].module = module;
	tree.frames.items[2].module = module;
	assert_int_equal(render_svg(&tree, NULL, out), 0);
	fclose(out);
	has(svg, "\"modules\":[\"\",\"libc.so.6\"],\n\"in\":[0,1,0,1],");
	free(svg);
	call_tree_deinit(&tree);
}

static double luminance(uint32_t color)
{
	return 0.2126 * (color >> 16 & 255) + 0.7152 * (color >> 8 & 255) + 0.0722 * (color & 255);
}

static int distance(uint32_t a, uint32_t b)
{
	int sum = 0;

	for (int shift = 0; shift < 24; shift += 8)
		sum += abs((int)(a >> shift & 255) - (int)(b >> shift & 255));
	return sum;
}

static void test_render_svg__kinds_are_told_apart_in_every_palette_and_carry_dark_text(void **state)
{
	for (int hue = SVG_HUE_NONE; hue < 360; hue += hue < 0 ? 21 : 30) {
		for (int palette = SVG_BY_FUNCTION; palette <= SVG_BY_CONTAINER; palette++) {
			for (int a = FRAME_USER; a <= FRAME_DELIMITER; a++) {
				uint32_t color = svg_kind_color((enum frame_kind)a, (enum svg_palette)palette, hue);

				assert_true(luminance(color) > 140);
				for (int b = FRAME_USER; b < a && hue != SVG_HUE_NONE; b++)
					assert_true(distance(color, svg_kind_color((enum frame_kind)b,
										   (enum svg_palette)palette, hue)) >
						    30);
			}
		}
	}
}

static void test_render_svg__towers_keep_their_hue_and_do_not_share_it_while_there_are_others(void **state)
{
	struct svg_hues hues = {0}, alone = {0};
	int first = svg_tower_hue(&hues, "web-1");
	bool seen[360] = {0};
	char name[16];

	assert_int_equal(svg_tower_hue(&alone, "web-1"), first);
	seen[first] = true;
	for (int i = 1; i < SVG_HUES; i++) {
		int hue;

		snprintf(name, sizeof(name), "c%d", i);
		hue = svg_tower_hue(&hues, name);
		assert_true(hue >= 0 && hue < 360);
		assert_false(seen[hue]);
		seen[hue] = true;
	}
	assert_true(seen[svg_tower_hue(&hues, "one more")]);
	assert_int_equal(svg_tower_hue(&hues, "kernel"), SVG_HUE_NONE);
	assert_int_equal(svg_tower_hue(&hues, "host"), SVG_HUE_NONE);
}

static void test_render_svg__legend_says_what_has_a_hue_of_its_own(void **state)
{
	struct svg_options options = {.palette = SVG_BY_CONTAINER, .tower = "pod"};
	char *pods = draw("db;main 1\n", &options);
	char *functions = draw("db;main 1\n", NULL);

	has(pods, "one hue per pod");
	has_not(pods, "one hue per container");
	has_not(functions, "one hue per");
	free(pods);
	free(functions);
}

static void test_render_svg__towers_are_big_and_the_same_functions_differ_by_container(void **state)
{
	struct svg_options options = {.palette = SVG_BY_CONTAINER};
	char *svg = draw("db;main 1\nweb;main 1\n", &options);
	char *left, *right;

	has(svg, "class=\"tower\">web</text>");
	assert_int_equal(times(svg, " height=\"29\""), 2);
	has(svg, "one hue per container");
	left = strstr(svg, "<rect x=\"0%\" width=\"49.941%\" height=\"17\"");
	right = strstr(svg, "<rect x=\"50%\" width=\"49.941%\" height=\"17\"");
	assert_non_null(left);
	assert_non_null(right);
	assert_memory_not_equal(strstr(left, "fill="), strstr(right, "fill="), 13);
	free(svg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(test_render_svg__##name)
		T(box_widths_are_shares_and_children_lie_within_their_parent),
		T(names_are_readable_without_scripts_where_they_fit),
		T(narrow_boxes_are_left_out_and_the_footer_says_so),
		T(stacks_deeper_than_the_limit_are_cut_and_the_footer_says_so),
		T(no_name_can_leave_its_place),
		T(script_and_style_can_stand_in_xml),
		T(script_names_every_kind_of_frame),
		T(equal_trees_give_equal_bytes),
		T(no_counts_is_no_picture),
		T(a_full_disk_is_an_error),
		T(icicles_have_the_root_on_top),
		T(width_title_and_count_name_are_as_asked),
		T(sums_at_the_limit_stay_inside_the_picture),
		T(modules_are_written_once_each),
		T(kinds_are_told_apart_in_every_palette_and_carry_dark_text),
		T(towers_keep_their_hue_and_do_not_share_it_while_there_are_others),
		T(legend_says_what_has_a_hue_of_its_own),
		T(towers_are_big_and_the_same_functions_differ_by_container),
	};

	return cmocka_run_group_tests_name("render_svg", tests, NULL, NULL);
}
