/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/hotspots.h"

#include "profiler/analysis/hotspots.h"
#include "profiler/commands/report.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

struct hotspots_settings {
	int format; /* enum report_format */
	struct option_list containers;
	uint64_t max;
};

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct hotspots_settings, format),
	REPORT_CONTAINERS_ROW(struct hotspots_settings, containers),
	{'n', "number", OPTION_NUMBER, offsetof(struct hotspots_settings, max), "N", "show N hotspots (default 10)",
	 .min = 1, .max = 1000},
	{0},
};

static const struct option_usage usage = {
	.command = "hotspots",
	.arguments = "[OPTIONS] FILE",
	.about = "Where in the kernel the containers spend their time, and which of them meet there.\n"
		 "FILE is a recording, or - for standard input.",
	.rows = rows,
};

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct hotspots_settings *settings = data;
	_cleanup_(hotspots_deinit) struct hotspots hotspots = {0};
	_cleanup_free_ bool *wanted = NULL;
	struct hotspots_options options = {.max = (uint32_t)settings->max};
	int err = report_choose(profile, usage.command, &settings->containers, &wanted, ret_status);

	options.wanted = wanted;
	if (!err)
		err = hotspots_init(&hotspots, profile);
	if (err)
		return err;
	if (!hotspots.samples) {
		log_error("hotspots: no samples in this recording%s", report_part(profile));
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	return settings->format == REPORT_JSON ? render_hotspots_json(&hotspots, profile, &options, stdout)
					       : render_hotspots_text(&hotspots, profile, &options, stdout);
}

int command_hotspots(int argc, char **argv)
{
	struct hotspots_settings settings = {0};
	int status = report_run(&usage, argc, argv, &settings, REPORT_WANTS_SAMPLES, show);

	option_list_deinit(&settings.containers);
	return status;
}
