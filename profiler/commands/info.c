/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/info.h"

#include "profiler/commands/report.h"

struct info_settings {
	int format; /* enum report_format */
	uint64_t max;
};

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct info_settings, format),
	{'n', "number", OPTION_NUMBER, offsetof(struct info_settings, max), "N", "show N containers (default 30)",
	 .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "info",
	.arguments = "[OPTIONS] FILE",
	.about = "What was recorded, where and how, and what became of every sample, by container.\n"
		 "FILE is a recording, or - for standard input.",
	.rows = rows,
};

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct info_settings *settings = data;
	struct info_options options = {.max = (uint32_t)settings->max};

	return settings->format == REPORT_JSON ? render_info_json(profile, stdout)
					       : render_info_text(profile, &options, stdout);
}

int command_info(int argc, char **argv)
{
	struct info_settings settings = {0};

	return report_run(&usage, argc, argv, &settings, REPORT_WANTS_INFO, show);
}
