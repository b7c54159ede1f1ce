/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/render/locks.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = {"text", "json", NULL};

static const char *const groupings[] = {
	[LOCKS_BY_LOCK] = "lock",
	[LOCKS_BY_CONTAINER] = "container",
	[LOCKS_BY_STACK] = "stack",
	[LOCKS_BY_OWNER] = "owner",
	NULL,
};

struct locks_settings {
	int format, by;
	uint64_t max;
};

#define AT(member) offsetof(struct locks_settings, member)

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, AT(format), "FORMAT", "text (default) or json", .choices = formats},
	{0, "by", OPTION_CHOICE, AT(by), "WHAT",
	 "lock (default), container that waits, stack (lock and system call), or owner", .choices = groupings},
	{'n', "number", OPTION_NUMBER, AT(max), "N", "show N rows (default 20)", .min = 1, .max = 100000},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker locks",
	.arguments = "[OPTIONS] FILE",
	.about = "Waits for the kernel's locks, by container, and who held them.\n"
		 "FILE is a recording made with --locks, or - for standard input.",
	.rows = rows,
};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

static enum exit_status show(const char *path, const struct locks_settings *settings)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	_cleanup_(lock_sites_deinit) struct lock_sites sites = {0};
	struct locks_options options = {.by = (enum locks_grouping)settings->by, .max = (uint32_t)settings->max};
	char error[512];
	int err;

	if (profile_load(path, &profile, error, sizeof(error))) {
		log_error("stoker locks: %s", error);
		return EXIT_FAILED;
	}
	if (!profile_fact(profile, "locks.lost")) {
		log_error("stoker locks: no lock waits in this recording: record with --locks");
		return EXIT_NO_SAMPLES;
	}
	/* `stoker locks x.rec | head` ends quietly. */
	signal(SIGPIPE, SIG_IGN);
	err = lock_sites_init(&sites, profile, options.by);
	if (!err && settings->format == FORMAT_JSON)
		err = render_locks_json(&sites, profile, &options, stdout);
	else if (!err)
		err = render_locks_text(&sites, profile, &options, stdout);
	if (err && err != -EPIPE) {
		log_error("stoker locks: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int command_locks(int argc, char **argv)
{
	struct locks_settings settings = {0};
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
		log_error("stoker locks: one FILE, please; see 'stoker locks --help'");
		return EXIT_USAGE;
	}
	return show(argv[first], &settings);
}
