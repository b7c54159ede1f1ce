/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>

#include "profiler/commands/query_options.h"
#include "profiler/commands/report.h"
#include "profiler/render/blocked.h"
#include "symbolizer/base/cleanup.h"

struct offcpu_settings {
	int format, state;
	struct option_list containers;
	bool wakers;
	uint64_t max;
};

#define AT(member) offsetof(struct offcpu_settings, member)

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct offcpu_settings, format),
	REPORT_CONTAINERS_ROW(struct offcpu_settings, containers),
	{0, "state", OPTION_CHOICE, AT(state), "STATE", "S, D (disk or not), io (disk alone), stopped; all (default)",
	 .choices = query_states},
	{0, "wakers", OPTION_FLAG, AT(wakers), NULL, "the five that ended most of it, for each place"},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N containers (default 40) and N places (30)", .min = 1,
	 .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "offcpu",
	.arguments = "[OPTIONS] FILE",
	.about = "Where the containers' threads are blocked, for how long, and who wakes them.\n"
		 "FILE is a recording made with --offcpu, or - for standard input.",
	.rows = rows,
};

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct offcpu_settings *settings = data;
	_cleanup_(profile_times_deinit) struct profile_times times = {0};
	_cleanup_(blocked_places_deinit) struct blocked_places places = {0};
	_cleanup_free_ bool *wanted = NULL;
	struct blocked_options options = {.wakers = settings->wakers, .max = (uint32_t)settings->max};
	int err;

	if (settings->state != QUERY_ALL_STATES)
		options.state = query_states[settings->state];
	err = report_choose(profile, usage.command, &settings->containers, &wanted, ret_status);
	options.wanted = wanted;
	if (!err)
		err = profile_times_init(&times, profile);
	if (!err && !profile_times_have_blocks(&times, profile) && !report_recorded(profile, "offcpu")) {
		report_nothing(profile, "offcpu: no blocked time", "--offcpu");
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	if (!err)
		err = blocked_places_init(&places, profile, query_state_bits((enum query_state)settings->state));
	if (!err && settings->format == REPORT_JSON)
		err = render_blocked_json(&places, &times, profile, &options, stdout);
	else if (!err)
		err = render_blocked_text(&places, &times, profile, &options, stdout);
	return err;
}

int command_offcpu(int argc, char **argv)
{
	struct offcpu_settings settings = {0};
	int status = report_run(&usage, argc, argv, &settings, REPORT_WANTS_OFFCPU, show);

	option_list_deinit(&settings.containers);
	return status;
}
