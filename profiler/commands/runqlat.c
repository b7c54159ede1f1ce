/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/run_queue.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = {"text", "json", NULL};

struct runqlat_settings {
	int format;
	bool histograms;
	uint64_t max;
};

#define AT(member) offsetof(struct runqlat_settings, member)

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, AT(format), "FORMAT", "text (default) or json", .choices = formats},
	{0, "histograms", OPTION_FLAG, AT(histograms), NULL, "every bucket of the latencies"},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N containers (default 30)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker runqlat",
	.arguments = "[OPTIONS] FILE",
	.about = "How long ready threads wait for a CPU, by container, and who runs there meanwhile.\n"
		 "FILE is a recording made with --runq, or - for standard input.",
	.rows = rows,
};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

static enum exit_status show(const char *path, const struct runqlat_settings *settings)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	_cleanup_(profile_times_deinit) struct profile_times times = {0};
	struct run_queue_options options = {.histograms = settings->histograms, .max = (uint32_t)settings->max};
	char error[512];
	int err;

	if (profile_load(path, &profile, error, sizeof(error))) {
		log_error("stoker runqlat: %s", error);
		return EXIT_FAILED;
	}
	/* `stoker runqlat x.rec | head` ends quietly. */
	signal(SIGPIPE, SIG_IGN);
	err = profile_times_init(&times, profile);
	if (!err && !profile->rows.queues.count) {
		log_error("stoker runqlat: no run queue in this recording: record with --runq");
		return EXIT_NO_SAMPLES;
	}
	if (!err && settings->format == FORMAT_JSON)
		err = render_run_queue_json(&times, profile, &options, stdout);
	else if (!err)
		err = render_run_queue_text(&times, profile, &options, stdout);
	if (err && err != -EPIPE) {
		log_error("stoker runqlat: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int command_runqlat(int argc, char **argv)
{
	struct runqlat_settings settings = {0};
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
		log_error("stoker runqlat: one FILE, please; see 'stoker runqlat --help'");
		return EXIT_USAGE;
	}
	return show(argv[first], &settings);
}
