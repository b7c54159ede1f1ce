/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report: what the commands have in common that show one recording on standard output, as text or as JSON.
 *
 *	struct settings { int format; … };
 *	static const struct option_row rows[] = { REPORT_FORMAT_ROW(struct settings, format), … };
 */
#ifndef STOKER_REPORT_H
#define STOKER_REPORT_H

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/profile/profile.h"

enum report_format { REPORT_TEXT, REPORT_JSON };

extern const char *const report_formats[]; /* in the order of enum report_format */

#define REPORT_FORMAT_ROW(type, member)                                                                   \
	{                                                                                                 \
		'o', "output", OPTION_CHOICE, offsetof(type, member), "FORMAT", "text (default) or json", \
			.choices = report_formats                                                         \
	}

#define REPORT_CONTAINERS_ROW(type, member)                                      \
	{                                                                        \
		'C', "container", OPTION_LIST, offsetof(type, member), "NAME,…", \
			"only these containers (names or ids)"                   \
	}

/**
 * report_choose() - the containers that were asked for
 * @command:    for the one line that is logged where there is no such container
 * @list:       of the option; empty: all
 * @ret_wanted: [containers of the profile], to be freed; NULL where all are
 * @ret_status: EXIT_FAILED where none is chosen
 * Returns 0, -ENOENT or -EEXIST (logged), or -ENOMEM.
 */
int report_choose(const struct profile *profile, const char *command, const struct option_list *list, bool **ret_wanted,
		  enum exit_status *ret_status);

/**
 * report_show - writes a report to stdout
 * @settings:   those of report_run()
 * @ret_status: EXIT_OK before; how the command is to end where nothing fails
 * Returns 0, -ENOMEM, or -EIO and the like where stdout cannot be written.
 */
typedef int report_show(const struct profile *profile, const void *settings, enum exit_status *ret_status);

/*
 * What reports read of a recording beside samples (enum recording_wants). `record` asks, too: it says when one of them cannot
 * hold all that was recorded.
 */
#define REPORT_WANTS_SAMPLES 0
#define REPORT_WANTS_THREADS RECORDING_THREADS
#define REPORT_WANTS_INFO (RECORDING_THREADS | RECORDING_SERIES)
#define REPORT_WANTS_OFFCPU (RECORDING_WAITS | RECORDING_TIMES)
#define REPORT_WANTS_RUNQLAT RECORDING_TIMES
#define REPORT_WANTS_SERIES RECORDING_SERIES
#define REPORT_WANTS_LOCKS RECORDING_LOCKS
#define REPORT_WANTS_SYSCALLS (RECORDING_CALLS | RECORDING_SAMPLE_CALLS | RECORDING_LOCKS) /* are lock times known? */

/**
 * report_run() - such a command as a whole: options, one FILE, its report
 * @settings: filled from the command line
 * @wants: REPORT_WANTS_*
 * A reader that goes away (`stoker info x.rec | head`) is no failure. Logs one line on each that is.
 */
enum exit_status report_run(const struct option_usage *usage, int argc, char **argv, void *settings, unsigned int wants,
			    report_show *show);

/**
 * report_unreadable() - the end of a command whose FILE is no recording
 * @err, @error: what profile_load() gave
 * One line on every kind of bad input, and one status, the same from each command: an empty file is one without samples.
 */
enum exit_status report_unreadable(const char *command, int err, const char *error);

/*
 * A warning where the recording was cut, or is too large: the report shows what came before. For commands that have shown
 * something.
 */
void report_cut(const char *command, const char *path, const struct profile *profile);

/* Behind the name of a recording in which something was not found: ", which was cut early" and the like, "" where all was read. */
const char *report_part(const struct profile *profile);

/**
 * report_nothing() - the one line of a report of which the recording has nothing
 * @what:   "offcpu: no blocked time"
 * @option: the one of `record` that makes it
 */
void report_nothing(const struct profile *profile, const char *what, const char *option);

/**
 * report_file() - options_parse() for a command that takes one FILE
 * @ret_path, @ret_status: the one where this is true, the other where it is false and the command ends
 */
bool report_file(const struct option_usage *usage, int argc, char **argv, void *settings, const char **ret_path,
		 enum exit_status *ret_status);

/*
 * Was the recording made with --WHAT ("runq"), whether there was anything of it or not? False for older ones, which do not say:
 * their rows do.
 */
bool report_recorded(const struct profile *profile, const char *what);

#endif
