/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/info.h"
#include "symbolizer/base/log.h"

struct info_settings {
	int format;
};

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, offsetof(struct info_settings, format), "FORMAT", "text or json", 0, 0, formats},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker info",
	.arguments = "[OPTIONS] FILE",
	.about = "What was recorded: host, kernel, event, duration, containers; and where every sample went.",
	.rows = rows,
};

int command_info(int argc, char **argv)
{
	struct info_settings settings = {0};
	struct profile *profile;
	char error[512];
	int first, err;
	enum options_result result = options_parse(&usage, argc, argv, &settings, &first);

	if (result != OPTIONS_GO_ON)
		return result == OPTIONS_HELPED ? EXIT_OK : EXIT_USAGE;
	if (first + 1 != argc) {
		log_error("stoker info takes one recording; see 'stoker info --help'");
		return EXIT_USAGE;
	}
	if (profile_load(argv[first], &profile, error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_FAILED;
	}
	err = settings.format ? render_info_json(profile, stdout) : render_info_text(profile, stdout);
	profile_free(profile);
	return err ? EXIT_FAILED : EXIT_OK;
}
