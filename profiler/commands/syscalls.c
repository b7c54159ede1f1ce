/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/hot_calls.h"

#include "profiler/commands/report.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

static const char *const groupings[] = {
	[CALLS_BY_BOTH] = "both", [CALLS_BY_CALL] = "call", [CALLS_BY_CONTAINER] = "container", NULL};
static const char *const orders[] = {
	[CALLS_BY_COST] = "cost",     [CALLS_BY_TIME] = "time", [CALLS_BY_COUNT] = "count",
	[CALLS_BY_ERRORS] = "errors", [CALLS_BY_LOCK] = "lock", NULL,
};

struct syscalls_settings {
	int format, by, order;
	struct option_list containers;
	bool hot;
	uint64_t max;
};

#define AT(member) offsetof(struct syscalls_settings, member)

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct syscalls_settings, format),
	{0, "by", OPTION_CHOICE, AT(by), "WHAT", "sum up by call, by container, or by both (default)",
	 .choices = groupings},
	{0, "sort", OPTION_CHOICE, AT(order), "WHAT", "cost (default), time, count, errors, lock", .choices = orders},
	REPORT_CONTAINERS_ROW(struct syscalls_settings, containers),
	{0, "hot", OPTION_FLAG, AT(hot), NULL, "what ran in the kernel for each call, by samples: of any recording"},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N rows (default 40)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "syscalls",
	.arguments = "[OPTIONS] FILE",
	.about = "System calls by container: how many, how many failed, how long they took, and where that time went.\n"
		 "FILE is a recording made with --syscalls or --syscall-counts (with --hot: any), or - for standard "
		 "input.",
	.rows = rows,
};

static int show_hot(const struct profile *profile, const struct syscalls_settings *settings,
		    const struct calls_options *options, enum exit_status *ret_status)
{
	_cleanup_(hot_calls_deinit) struct hot_calls hot = {0};
	int err;

	if (settings->order != CALLS_BY_COST) {
		log_error("syscalls: --hot has the most samples first: give --sort without it");
		*ret_status = EXIT_USAGE;
		return 0;
	}
	if (!hot_calls_known(profile)) {
		log_error("syscalls: no sample in this recording was taken in a system call, or it is older than "
			  "samples that know theirs%s",
			  profile->whole ? "" : ", or it was cut before these");
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	err = hot_calls_init(&hot, profile, options->by, options->wanted);
	if (err)
		return err;
	return settings->format == REPORT_JSON ? render_hot_calls_json(&hot, profile, options, stdout)
					       : render_hot_calls_text(&hot, profile, options, stdout);
}

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct syscalls_settings *settings = data;
	_cleanup_(profile_calls_deinit) struct profile_calls calls = {0};
	struct calls_options options = {.by = (enum calls_grouping)settings->by, .max = (uint32_t)settings->max};
	_cleanup_free_ bool *wanted = NULL;
	int err = report_choose(profile, usage.command, &settings->containers, &wanted, ret_status);

	if (err)
		return err;
	options.wanted = wanted;
	if (settings->hot)
		return show_hot(profile, settings, &options, ret_status);
	/* The fact of their end is in older ones, too. */
	if (!profile->rows.calls.count && !profile_fact(profile, "calls.others") &&
	    !report_recorded(profile, "syscall")) {
		report_nothing(profile, "syscalls: no system calls were counted", "--syscalls, or see --hot");
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	err = profile_calls_init(&calls, profile, options.by, wanted);
	if (!err)
		err = calls_sort(&calls, profile, (enum calls_order)settings->order);
	if (err)
		return err;
	return settings->format == REPORT_JSON ? render_calls_json(&calls, profile, &options, stdout)
					       : render_calls_text(&calls, profile, &options, stdout);
}

int command_syscalls(int argc, char **argv)
{
	struct syscalls_settings settings = {0};
	int status = report_run(&usage, argc, argv, &settings, REPORT_WANTS_SYSCALLS, show);

	option_list_deinit(&settings.containers);
	return status;
}
