/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>

#include "profiler/commands/report.h"
#include "profiler/render/locks.h"
#include "symbolizer/base/cleanup.h"

static const char *const groupings[] = {
	[LOCKS_BY_LOCK] = "lock",
	[LOCKS_BY_CONTAINER] = "container",
	[LOCKS_BY_STACK] = "stack",
	[LOCKS_BY_OWNER] = "owner",
	NULL,
};

struct locks_settings {
	int format, by;
	struct option_list containers;
	uint64_t max;
};

#define AT(member) offsetof(struct locks_settings, member)

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct locks_settings, format),
	{0, "by", OPTION_CHOICE, AT(by), "WHAT",
	 "lock (default), container that waits, stack (lock and system call), or owner", .choices = groupings},
	REPORT_CONTAINERS_ROW(struct locks_settings, containers),
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N rows (default 20)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "locks",
	.arguments = "[OPTIONS] FILE",
	.about = "Waits for the kernel's locks, by container, and who held them.\n"
		 "FILE is a recording made with --locks, or - for standard input.",
	.rows = rows,
};

static int show(const struct profile *profile, const void *data, enum exit_status *ret_status)
{
	const struct locks_settings *settings = data;
	_cleanup_(lock_sites_deinit) struct lock_sites sites = {0};
	struct locks_options options = {.by = (enum locks_grouping)settings->by, .max = (uint32_t)settings->max};
	_cleanup_free_ bool *wanted = NULL;
	int err = report_choose(profile, usage.command, &settings->containers, &wanted, ret_status);

	if (err)
		return err;
	options.wanted = wanted;
	if (!lock_sites_recorded(profile) && !report_recorded(profile, "locks")) {
		report_nothing(profile, "locks: no lock waits", "--locks");
		*ret_status = EXIT_NO_SAMPLES;
		return 0;
	}
	err = lock_sites_init(&sites, profile, options.by, wanted);
	if (!err && settings->format == REPORT_JSON)
		err = render_locks_json(&sites, profile, &options, stdout);
	else if (!err)
		err = render_locks_text(&sites, profile, &options, stdout);
	return err;
}

int command_locks(int argc, char **argv)
{
	struct locks_settings settings = {0};
	int status = report_run(&usage, argc, argv, &settings, REPORT_WANTS_LOCKS, show);

	option_list_deinit(&settings.containers);
	return status;
}
