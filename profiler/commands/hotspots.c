/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/hotspots.h"
#include "symbolizer/base/log.h"

struct hotspots_settings {
	int format;
	uint64_t most;
};

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, offsetof(struct hotspots_settings, format), "FORMAT", "text or json", 0, 0,
	 formats},
	{'n', "most", OPTION_NUMBER, offsetof(struct hotspots_settings, most), "N", "how many to show (10)", 1, 1000,
	 NULL},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker hotspots",
	.arguments = "[OPTIONS] FILE",
	.about = "Where containers spend their time in the kernel that they share: by system call and by function, "
		 "with\n"
		 "the part of each container.",
	.rows = rows,
};

static int show(const struct profile *profile, const struct hotspots_settings *settings)
{
	struct hotspots hotspots;
	int err = hotspots_find(profile, &hotspots);

	if (!err && settings->format)
		err = render_hotspots_json(profile, &hotspots, stdout);
	else if (!err)
		err = render_hotspots_text(profile, &hotspots, settings->most, stdout);
	hotspots_deinit(&hotspots);
	if (err)
		log_error("cannot show hotspots: %s", strerror(-err));
	return err ? EXIT_FAILED : EXIT_OK;
}

int command_hotspots(int argc, char **argv)
{
	struct hotspots_settings settings = {.most = 10};
	struct profile *profile;
	char error[512];
	int first, status;
	enum options_result result = options_parse(&usage, argc, argv, &settings, &first);

	if (result != OPTIONS_GO_ON)
		return result == OPTIONS_HELPED ? EXIT_OK : EXIT_USAGE;
	if (first + 1 != argc) {
		log_error("stoker hotspots takes one recording; see 'stoker hotspots --help'");
		return EXIT_USAGE;
	}
	if (profile_load(argv[first], &profile, error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_FAILED;
	}
	status = show(profile, &settings);
	profile_free(profile);
	return status;
}
