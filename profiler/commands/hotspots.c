/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/analysis/hotspots.h"
#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/hotspots.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = {"text", "json", NULL};

struct hotspots_settings {
	int format;
	uint64_t max;
};

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, offsetof(struct hotspots_settings, format), "FORMAT", "text (default) or json",
	 .choices = formats},
	{'n', "number", OPTION_NUMBER, offsetof(struct hotspots_settings, max), "N", "show N hotspots (default 10)",
	 .min = 1, .max = 1000},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker hotspots",
	.arguments = "[OPTIONS] FILE",
	.about = "Where in the kernel the containers spend their time, and which of them meet there.\n"
		 "FILE is a recording, or - for standard input.",
	.rows = rows,
};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

static enum exit_status show(const char *path, const struct hotspots_settings *settings)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	_cleanup_(hotspots_deinit) struct hotspots hotspots = {0};
	struct hotspots_options options = {.max = (uint32_t)settings->max};
	char error[512];
	int err;

	if (profile_load(path, &profile, error, sizeof(error))) {
		log_error("stoker hotspots: %s", error);
		return EXIT_FAILED;
	}
	/* `stoker hotspots x.rec | head` ends quietly. */
	signal(SIGPIPE, SIG_IGN);
	err = hotspots_init(&hotspots, profile);
	if (!err && settings->format == FORMAT_JSON)
		err = render_hotspots_json(&hotspots, profile, &options, stdout);
	else if (!err)
		err = render_hotspots_text(&hotspots, profile, &options, stdout);
	if (err && err != -EPIPE) {
		log_error("stoker hotspots: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return hotspots.samples ? EXIT_OK : EXIT_NO_SAMPLES;
}

int command_hotspots(int argc, char **argv)
{
	struct hotspots_settings settings = {0};
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
		log_error("stoker hotspots: one FILE, please; see 'stoker hotspots --help'");
		return EXIT_USAGE;
	}
	return show(argv[first], &settings);
}
