/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stoker fold: folded stacks from a recording, for flamegraph.pl, speedscope, Pyroscope, grep.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/query_options.h"
#include "profiler/commands/report.h"
#include "profiler/commands/tree_input.h"
#include "profiler/render/folded.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

struct fold_settings {
	struct query_settings query;
	bool no_annotations;
};

static const struct option_row rows[] = {
	QUERY_OPTION_ROWS(struct fold_settings, query),
	{0, "no-annotations", OPTION_FLAG, offsetof(struct fold_settings, no_annotations), NULL,
	 "without _[k] kernel, _[j] JIT, _[i] inlined, _[p] Python"},
	{0},
};

static const struct option_usage usage = {
	.command = "fold",
	.arguments = "[OPTIONS] FILE",
	.about = "Folded stacks on standard output, one line each: frame;frame;frame COUNT.\n"
		 "FILE is a recording, or folded stacks of any tool (to make them safe for others), or - for either.",
	.rows = rows,
};

static void warn_of_cuts(const struct folded_report *report)
{
	char stacks[32], names[32];

	if (report->stacks_cut || report->names_cut)
		log_warning("fold: %s stacks and %s names were too long for other readers, and are shortened",
			    text_grouped(report->stacks_cut, stacks, sizeof(stacks)),
			    text_grouped(report->names_cut, names, sizeof(names)));
}

static enum exit_status fold(const char *path, const struct fold_settings *settings)
{
	_cleanup_(tree_input_deinit) struct tree_input input = {0};
	struct folded_report report = {0};
	struct folded_options options = {.no_annotations = settings->no_annotations, .report = &report};
	enum exit_status status = tree_input_load(usage.command, path, &settings->query, &input);
	int err;

	if (status != EXIT_OK)
		return status;
	/* `stoker fold x.rec | head` ends quietly. */
	signal(SIGPIPE, SIG_IGN);
	err = render_folded(&input.tree, &options, stdout);
	if (err && err != -EPIPE) {
		log_error("fold: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	warn_of_cuts(&report);
	return EXIT_OK;
}

int command_fold(int argc, char **argv)
{
	struct fold_settings settings = {.query = QUERY_SETTINGS_DEFAULT};
	enum exit_status status;
	const char *path;

	if (report_file(&usage, argc, argv, &settings, &path, &status))
		status = fold(path, &settings);
	query_settings_deinit(&settings.query);
	return status;
}
