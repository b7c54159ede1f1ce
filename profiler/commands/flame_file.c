/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/flame_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/whole_file.h"
#include "symbolizer/base/cleanup.h"

#define FOOTER_BYTES 512

/* " · host web-7": a part of a line, where its value is known. */
static void add_part(char *line, const char *before, const char *value, const char *after)
{
	size_t used = strlen(line);

	if (value && *value)
		snprintf(line + used, FOOTER_BYTES - used, "%s%s%s%s", used ? " · " : "", before, value, after);
}

/* "cpu-clock · 99 Hz · 10.0 s · host web-7 · kernel 6.1.0", as far as it is known. */
static void describe(const struct profile *profile, char *line)
{
	uint64_t duration_ns = profile_fact_number(profile, "duration_ns");
	char seconds[32] = "";

	if (duration_ns)
		snprintf(seconds, sizeof(seconds), "%.1f", (double)duration_ns / 1e9);
	add_part(line, "", profile_fact(profile, "event.name"), "");
	add_part(line, "", profile_fact(profile, "event.hz"), " Hz");
	add_part(line, "", seconds, " s");
	add_part(line, "host ", profile_fact(profile, "host.name"), "");
	add_part(line, "kernel ", profile_fact(profile, "kernel.release"), "");
	if (!profile->whole)
		add_part(line, "", profile->beyond_memory ? "the beginning of it" : "the recording ends early", "");
}

int flame_file_draw(const struct call_tree *tree, const struct profile *profile, const struct svg_options *options,
		    const char *path)
{
	_cleanup_(whole_file_deinit) struct whole_file file = {0};
	struct svg_options footed = *options;
	char footer[FOOTER_BYTES] = "";
	int err = whole_file_open(&file, path);

	if (err)
		return err;
	if (profile)
		describe(profile, footer);
	footed.footer = footer;
	err = render_svg(tree, &footed, file.out);
	return err ? err : whole_file_commit(&file);
}

enum svg_palette flame_file_palette(const struct profile *profile, int by)
{
	return profile && by != PROFILE_BY_NONE ? SVG_BY_CONTAINER : SVG_BY_FUNCTION;
}

int flame_file_write(const struct profile *profile, const struct profile_query *query, const char *path)
{
	_cleanup_(call_tree_deinit) struct call_tree tree = {0};
	struct svg_options options = {
		.minwidth = SVG_MINWIDTH,
		.reversed = query->reverse,
		.palette = flame_file_palette(profile, (int)query->by),
	};
	char error[256];
	int err = call_tree_init(&tree);

	if (!err)
		err = profile_call_tree(profile, query, &tree, error, sizeof(error));
	return err ? err : flame_file_draw(&tree, profile, &options, path);
}
