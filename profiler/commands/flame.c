/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stoker flame: the flame graph of a recording, or of folded stacks of any tool, as one SVG file.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/flame_file.h"
#include "profiler/commands/query_options.h"
#include "profiler/commands/report.h"
#include "profiler/commands/tree_input.h"
#include "profiler/render/svg.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

struct flame_settings {
	struct query_settings query;
	const char *output;
	const char *title;
	const char *subtitle;
	const char *count_name;
	uint64_t width;
	double minwidth;
	bool inverted;
	int colors; /* enum svg_palette, or COLORS_DEFAULT */
};

#define COLORS_DEFAULT (-1)

static const char *const palettes[] = {[SVG_BY_FUNCTION] = "function", [SVG_BY_CONTAINER] = "container", NULL};

#define AT(member) offsetof(struct flame_settings, member)

static const struct option_row rows[] = {
	{'o', "output", OPTION_TEXT, AT(output), "FILE", "stoker.svg without this; - is standard output", .min = 1},
	QUERY_OPTION_ROWS(struct flame_settings, query),
	{0, "inverted", OPTION_FLAG, AT(inverted), NULL, "icicles: the root on top"},
	{0, "colors", OPTION_CHOICE, AT(colors), "WHAT", "one hue per container, or by function", .choices = palettes},
	{0, "title", OPTION_TEXT, AT(title), "TEXT", "first line of the picture"},
	{0, "subtitle", OPTION_TEXT, AT(subtitle), "TEXT", "second line"},
	{0, "countname", OPTION_TEXT, AT(count_name), "TEXT", "what is counted (samples; µs where it is time)"},
	{0, "width", OPTION_NUMBER, AT(width), "PX", "fixed width (1200, then the window's)", .min = 200,
	 .max = 100000},
	{0, "minwidth", OPTION_REAL, AT(minwidth), "PX", "leave narrower boxes out (0.1)"},
	{0},
};

static const struct option_usage usage = {
	.command = "flame",
	.arguments = "[OPTIONS] FILE",
	.about = "A flame graph as one SVG file, to be opened in a browser: click to zoom, Ctrl-F to search.\n"
		 "FILE is a recording, or folded stacks of any tool, or - for either.",
	.rows = rows,
};

static const char *const titles[] = {[PROFILE_OFFCPU] = "Off-CPU Flame Graph",
				     [PROFILE_WAKERS] = "Off-CPU Flame Graph with wakers",
				     [PROFILE_LOCKS] = "Lock Wait Flame Graph"};

static int draw(const struct flame_settings *settings, const struct tree_input *input)
{
	bool blocked = settings->query.kind != PROFILE_ONCPU;
	struct svg_options options = {
		.title = settings->title || !blocked ? settings->title : titles[settings->query.kind],
		.subtitle = settings->subtitle,
		.count_name = settings->count_name || !blocked ? settings->count_name : "µs",
		.width = (uint32_t)settings->width,
		.minwidth = settings->minwidth,
		.inverted = settings->inverted,
		.reversed = settings->query.reverse,
		.palette = settings->colors == COLORS_DEFAULT ? flame_file_palette(input->profile, settings->query.by)
							      : (enum svg_palette)settings->colors,
		.tower = settings->query.by == PROFILE_BY_POD ? "pod" : NULL,
	};

	return flame_file_draw(&input->tree, input->profile, &options, settings->output);
}

static enum exit_status flame(const char *path, const struct flame_settings *settings)
{
	_cleanup_(tree_input_deinit) struct tree_input input = {0};
	enum exit_status status = tree_input_load(usage.command, path, &settings->query, &input);
	char shown[256];
	int err;

	if (status != EXIT_OK)
		return status;
	signal(SIGPIPE, SIG_IGN);
	err = draw(settings, &input);
	if (!err || err == -EPIPE)
		return EXIT_OK;
	log_error("flame: cannot write %s: %s", text_printable(settings->output, shown, sizeof(shown)), strerror(-err));
	return EXIT_FAILED;
}

int command_flame(int argc, char **argv)
{
	struct flame_settings settings = {
		.query = QUERY_SETTINGS_DEFAULT,
		.output = "stoker.svg",
		.minwidth = SVG_MINWIDTH,
		.colors = COLORS_DEFAULT,
	};
	enum exit_status status;
	const char *path;

	if (report_file(&usage, argc, argv, &settings, &path, &status))
		status = flame(path, &settings);
	query_settings_deinit(&settings.query);
	return status;
}
