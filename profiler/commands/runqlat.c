/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>

#include "profiler/commands/report.h"
#include "profiler/render/run_queue.h"
#include "symbolizer/base/cleanup.h"

struct runqlat_settings {
	int format;
	int by;
	struct option_list containers;
	bool histograms;
	uint64_t max;
};

enum { BY_CONTAINER, BY_PID_NAMESPACE };

static const char *const groupings[] = {[BY_CONTAINER] = "container", [BY_PID_NAMESPACE] = "pidns", NULL};

#define AT(member) offsetof(struct runqlat_settings, member)

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct runqlat_settings, format),
	{0, "by", OPTION_CHOICE, AT(by), "WHAT", "container (default) or pidns", .choices = groupings},
	REPORT_CONTAINERS_ROW(struct runqlat_settings, containers),
	{0, "histograms", OPTION_FLAG, AT(histograms), NULL, "every bucket of the latencies"},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N of them (default 30)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "runqlat",
	.arguments = "[OPTIONS] FILE",
	.about = "How long ready threads wait for a CPU, by container, and who runs there meanwhile.\n"
		 "FILE is a recording made with --runq, or - for standard input.",
	.rows = rows,
};

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct runqlat_settings *settings = data;
	_cleanup_(profile_times_deinit) struct profile_times times = {0};
	struct run_queue_options options = {
		.by_namespace = settings->by == BY_PID_NAMESPACE,
		.histograms = settings->histograms,
		.max = (uint32_t)settings->max,
	};
	_cleanup_free_ bool *wanted = NULL;
	int err = report_choose(profile, usage.command, &settings->containers, &wanted, ret_status);

	options.wanted = wanted;
	if (!err)
		err = profile_times_init(&times, profile);
	if (!err && !profile->rows.queues.count && !report_recorded(profile, "runq")) {
		report_nothing(profile, "runqlat: no run queue", "--runq");
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	if (!err && settings->format == REPORT_JSON)
		err = render_run_queue_json(&times, profile, &options, stdout);
	else if (!err)
		err = render_run_queue_text(&times, profile, &options, stdout);
	return err;
}

int command_runqlat(int argc, char **argv)
{
	struct runqlat_settings settings = {0};
	int status = report_run(&usage, argc, argv, &settings, REPORT_WANTS_RUNQLAT, show);

	option_list_deinit(&settings.containers);
	return status;
}
