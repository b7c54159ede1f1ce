/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/profile/profile_containers.h"
#include "profiler/recording/recording_reader.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

const char *const report_formats[] = {[REPORT_TEXT] = "text", [REPORT_JSON] = "json", NULL};

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

bool report_file(const struct option_usage *usage, int argc, char **argv, void *settings, const char **ret_path,
		 enum exit_status *ret_status)
{
	int first;

	if (!options_parse(usage, argc, argv, settings, &first, ret_status))
		return false;
	if (argc - first != 1) {
		log_error("%s: one FILE, please; see 'stoker %s --help'", usage->command, usage->command);
		*ret_status = EXIT_USAGE;
		return false;
	}
	*ret_path = argv[first];
	return true;
}

enum exit_status report_run(const struct option_usage *usage, int argc, char **argv, void *settings, unsigned int wants,
			    report_show *show)
{
	_cleanup_(cleanup_profile) struct profile *profile = NULL;
	enum exit_status status;
	const char *path;
	char error[512];
	int err;

	if (!report_file(usage, argc, argv, settings, &path, &status))
		return status;
	err = profile_load(path, wants, &profile, error, sizeof(error));
	if (err)
		return report_unreadable(usage->command, err, error);
	signal(SIGPIPE, SIG_IGN);
	status = EXIT_OK;
	err = show(profile, settings, &status);
	if (!err && status == EXIT_OK)
		report_cut(usage->command, path, profile);
	if (!err || err == -EPIPE || status == EXIT_FAILED)
		return status;
	log_error(err == -ENOMEM ? "%s: %s" : "%s: cannot write: %s", usage->command, strerror(-err));
	return EXIT_FAILED;
}

enum exit_status report_unreadable(const char *command, int err, const char *error)
{
	log_error("%s: %s", command, error);
	return err == -ENODATA ? EXIT_NO_SAMPLES : EXIT_FAILED;
}

/* "12 h 5 min": as exactly as one asks of so much. */
static void put_length(uint64_t ns, char *out, size_t size)
{
	unsigned int seconds = (unsigned int)(ns / 1000000000), minutes = seconds / 60;

	if (minutes >= 60)
		snprintf(out, size, "%u h %u min", minutes / 60, minutes % 60);
	else if (minutes)
		snprintf(out, size, "%u min", minutes);
	else
		snprintf(out, size, "%u s", seconds);
}

void report_cut(const char *command, const char *path, const struct profile *profile)
{
	char shown[256], length[32];

	if (profile->whole)
		return;
	profile_input_name(path, shown, sizeof(shown));
	put_length(profile_last_sample_ns(profile), length, sizeof(length));
	if (profile->beyond_memory)
		log_warning("%s: %s is larger than is read at once (%llu GiB in memory): the first %s of it are shown",
			    command, shown, RECORDING_MEMORY_BYTES_MAX >> 30, length);
	else
		log_warning("%s: %s ends in the middle: this is what was recorded before", command, shown);
}

int report_choose(const struct profile *profile, const char *command, const struct option_list *list, bool **ret_wanted,
		  enum exit_status *ret_status)
{
	_cleanup_free_ bool *wanted = calloc(profile->rows.containers.count + 1, sizeof(*wanted));
	char error[512];
	int err;

	if (!wanted)
		return -ENOMEM;
	err = profile_choose_containers(profile, (const char *const *)list->entries.items, list->entries.count, wanted,
					error, sizeof(error));
	if (err) {
		log_error("%s: %s", command, error);
		*ret_status = EXIT_FAILED;
		return err;
	}
	*ret_wanted = list->entries.count ? take_ptr(wanted) : NULL;
	return 0;
}

bool report_recorded(const struct profile *profile, const char *what)
{
	const char *recorded = profile_fact(profile, "recorded");

	/* None of their names is a part of another one. */
	return recorded && strstr(recorded, what);
}

const char *report_part(const struct profile *profile)
{
	if (profile->beyond_memory)
		return ", of which only the beginning is read";
	return profile->whole ? "" : ", which was cut early";
}

void report_nothing(const struct profile *profile, const char *what, const char *option)
{
	if (profile->beyond_memory)
		log_error("%s in the part of this recording that is read at once, or it was made without %s", what,
			  option);
	else if (profile->whole)
		log_error("%s in this recording: record with %s", what, option);
	else
		log_error("%s in this recording: it was cut early, or made without %s", what, option);
}
