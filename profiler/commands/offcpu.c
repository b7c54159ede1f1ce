/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/commands/query_options.h"
#include "profiler/render/blocked.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = {"text", "json", NULL};

struct offcpu_settings {
	int format, state;
	bool wakers;
	uint64_t max;
};

#define AT(member) offsetof(struct offcpu_settings, member)

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, AT(format), "FORMAT", "text (default) or json", .choices = formats},
	{0, "state", OPTION_CHOICE, AT(state), "STATE", "S, D (disk or not), io (disk alone), stopped; all (default)",
	 .choices = query_states},
	{0, "wakers", OPTION_FLAG, AT(wakers), NULL, "the five that ended most of it, for each place"},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N places (default 30)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker offcpu",
	.arguments = "[OPTIONS] FILE",
	.about = "Where the containers' threads are blocked, for how long, and who wakes them.\n"
		 "FILE is a recording made with --offcpu, or - for standard input.",
	.rows = rows,
};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

static enum exit_status show(const char *path, const struct offcpu_settings *settings)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	_cleanup_(profile_times_deinit) struct profile_times times = {0};
	_cleanup_(blocked_places_deinit) struct blocked_places places = {0};
	struct blocked_options options = {.wakers = settings->wakers, .max = (uint32_t)settings->max};
	char error[512];
	int err;

	if (profile_load(path, &profile, error, sizeof(error))) {
		log_error("stoker offcpu: %s", error);
		return EXIT_FAILED;
	}
	/* `stoker offcpu x.rec | head` ends quietly. */
	signal(SIGPIPE, SIG_IGN);
	err = profile_times_init(&times, profile);
	if (!err && !times.any) {
		log_error("stoker offcpu: no blocked time in this recording: record with --offcpu");
		return EXIT_NO_SAMPLES;
	}
	if (!err)
		err = blocked_places_init(&places, profile, query_state_bits((enum query_state)settings->state));
	if (!err && settings->format == FORMAT_JSON)
		err = render_blocked_json(&places, &times, profile, &options, stdout);
	else if (!err)
		err = render_blocked_text(&places, &times, profile, &options, stdout);
	if (err && err != -EPIPE) {
		log_error("stoker offcpu: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int command_offcpu(int argc, char **argv)
{
	struct offcpu_settings settings = {0};
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
		log_error("stoker offcpu: one FILE, please; see 'stoker offcpu --help'");
		return EXIT_USAGE;
	}
	return show(argv[first], &settings);
}
