/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/calls.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = {"text", "json", NULL};
static const char *const groupings[] = {
	[CALLS_BY_BOTH] = "both", [CALLS_BY_CALL] = "call", [CALLS_BY_CONTAINER] = "container", NULL};
static const char *const orders[] = {
	[CALLS_BY_COST] = "cost",     [CALLS_BY_TIME] = "time", [CALLS_BY_COUNT] = "count",
	[CALLS_BY_ERRORS] = "errors", [CALLS_BY_LOCK] = "lock", NULL,
};

struct syscalls_settings {
	int format, by, order;
	uint64_t max;
};

#define AT(member) offsetof(struct syscalls_settings, member)

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, AT(format), "FORMAT", "text (default) or json", .choices = formats},
	{0, "by", OPTION_CHOICE, AT(by), "WHAT", "sum up by call, by container, or by both (default)",
	 .choices = groupings},
	{0, "sort", OPTION_CHOICE, AT(order), "WHAT", "cost (default), time, count, errors, lock", .choices = orders},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N rows (default 40)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker syscalls",
	.arguments = "[OPTIONS] FILE",
	.about = "System calls by container: how many, how many failed, how long they took, and where that time went.\n"
		 "FILE is a recording made with --syscalls or --syscall-counts, or - for standard input.",
	.rows = rows,
};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

static enum exit_status show(const char *path, const struct syscalls_settings *settings)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	_cleanup_(profile_calls_deinit) struct profile_calls calls = {0};
	struct calls_options options = {.by = (enum calls_grouping)settings->by, .max = (uint32_t)settings->max};
	char error[512];
	int err;

	if (profile_load(path, &profile, error, sizeof(error))) {
		log_error("stoker syscalls: %s", error);
		return EXIT_FAILED;
	}
	/* `stoker syscalls x.rec | head` ends quietly. */
	signal(SIGPIPE, SIG_IGN);
	err = profile_calls_init(&calls, profile, options.by);
	if (!err && !calls.rows.count) {
		log_error("stoker syscalls: no system calls in this recording: record with --syscalls");
		return EXIT_NO_SAMPLES;
	}
	calls_sort(&calls, profile, (enum calls_order)settings->order);
	if (!err && settings->format == FORMAT_JSON)
		err = render_calls_json(&calls, profile, &options, stdout);
	else if (!err)
		err = render_calls_text(&calls, profile, &options, stdout);
	if (err && err != -EPIPE) {
		log_error("stoker syscalls: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int command_syscalls(int argc, char **argv)
{
	struct syscalls_settings settings = {0};
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
		log_error("stoker syscalls: one FILE, please; see 'stoker syscalls --help'");
		return EXIT_USAGE;
	}
	return show(argv[first], &settings);
}
