/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/info.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = {"text", "json", NULL};

struct info_settings {
	int format;
};

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, offsetof(struct info_settings, format), "FORMAT", "text (default) or json",
	 .choices = formats},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker info",
	.arguments = "[OPTIONS] FILE",
	.about = "What was recorded, where and how, and what became of every sample, by container.\n"
		 "FILE is a recording, or - for standard input.",
	.rows = rows,
};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

static enum exit_status show(const char *path, const struct info_settings *settings)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	char error[512];
	int err;

	if (profile_load(path, &profile, error, sizeof(error))) {
		log_error("stoker info: %s", error);
		return EXIT_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);
	err = settings->format == FORMAT_JSON ? render_info_json(profile, stdout) : render_info_text(profile, stdout);
	if (err && err != -EPIPE) {
		log_error("stoker info: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int command_info(int argc, char **argv)
{
	struct info_settings settings = {0};
	int first;

	switch (options_parse(&usage, argc, argv, &settings, &first)) {
	case OPTIONS_HELPED:
		return EXIT_OK;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_GO_ON:
		break;
	}
	if (argc - first != 1) {
		log_error("stoker info: one FILE, please; see 'stoker info --help'");
		return EXIT_USAGE;
	}
	return show(argv[first], &settings);
}
