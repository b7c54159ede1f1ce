/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/series.h"

#include <stddef.h>

#include "profiler/commands/report.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { SERIES_TEXT, SERIES_JSON, SERIES_CSV };

static const char *const formats[] = {[SERIES_TEXT] = "text", [SERIES_JSON] = "json", [SERIES_CSV] = "csv", NULL};

struct series_settings {
	int format;
	bool all;
	struct option_list containers;
};

#define AT(member) offsetof(struct series_settings, member)

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, AT(format), "FORMAT", "text (default), json or csv", .choices = formats},
	REPORT_CONTAINERS_ROW(struct series_settings, containers),
	{'a', "all", OPTION_FLAG, AT(all), NULL, "measures that were 0 all the time, too"},
	{0},
};

static const struct option_usage usage = {
	.command = "series",
	.arguments = "[OPTIONS] FILE",
	.about = "What containers and the host used and waited for over time: CPU, throttling, pressure, memory, block "
		 "I/O.\n"
		 "FILE is a recording, or - for standard input.",
	.rows = rows,
};

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct series_settings *settings = data;
	_cleanup_(profile_series_deinit) struct profile_series series = {0};
	_cleanup_free_ bool *wanted = NULL;
	struct series_options options = {.all = settings->all};
	int err = profile_series_init(&series, profile);

	if (err)
		return err;
	if (!series.rows.count) {
		log_error("series: none in this recording%s",
			  profile->beyond_memory ? report_part(profile)
						 : ": it was cut early, or made by an older stoker");
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	err = report_choose(profile, usage.command, &settings->containers, &wanted, ret_status);
	if (err)
		return err;
	options.wanted = wanted;
	switch (settings->format) {
	case SERIES_JSON:
		return render_series_json(&series, profile, &options, stdout);
	case SERIES_CSV:
		return render_series_csv(&series, profile, &options, stdout);
	default:
		return render_series_text(&series, profile, &options, stdout);
	}
}

int command_series(int argc, char **argv)
{
	struct series_settings settings = {0};
	int status = report_run(&usage, argc, argv, &settings, REPORT_WANTS_SERIES, show);

	option_list_deinit(&settings.containers);
	return status;
}
