/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/flame_file.h"
#include "profiler/commands/options.h"
#include "profiler/commands/record_command.h"
#include "profiler/commands/record_loop.h"
#include "profiler/commands/record_setup.h"
#include "profiler/commands/report.h"
#include "profiler/profile/profile.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

#define DEFAULT_FILE "stoker.rec"
#define DEFAULT_PICTURE "stoker.svg"
#define HZ_MAX 10000 /* ten times as many leave the host no time for anything else */
#define MIN_BLOCK_NS 1000000
#define SECONDS_MAX (366ull * 86400)

/* In the order of enum unwind_choice. */
static const char *const unwind_choices[] = {"auto", "tables", "fp", "copy", "compare", NULL};

static const struct option_row rows[] = {
	{'F', "freq", OPTION_NUMBER, offsetof(struct record_settings, hz), "HZ", "samples a second on each CPU (99)", 1,
	 HZ_MAX, NULL},
	{'a', "all-containers", OPTION_FLAG, offsetof(struct record_settings, all), NULL,
	 "every container and the host (default)", 0, 0, NULL},
	{'p', "pid", OPTION_LIST, offsetof(struct record_settings, pids), "PID,…", "these processes and their children",
	 0, 0, NULL},
	{'C', "container", OPTION_LIST, offsetof(struct record_settings, containers), "NAME,…",
	 "these containers: name, unique id prefix or cgroup path", 0, 0, NULL},
	{0, "wait", OPTION_FLAG, offsetof(struct record_settings, wait), NULL,
	 "-C may name containers that are not there yet", 0, 0, NULL},
	{'K', "kernel", OPTION_FLAG, offsetof(struct record_settings, kernel_only), NULL, "kernel stacks only", 0, 0,
	 NULL},
	{'U', "user", OPTION_FLAG, offsetof(struct record_settings, user_only), NULL, "user stacks only", 0, 0, NULL},
	{0, "unwind", OPTION_CHOICE, offsetof(struct record_settings, unwind), "HOW",
	 "user stacks by: auto (default), tables, fp (frame pointers), copy, compare", 0, 0, unwind_choices},
	{0, "unwind-memory", OPTION_NUMBER, offsetof(struct record_settings, unwind_memory), "MIB",
	 "for the tables of --unwind (128)", UNWIND_MEMORY_MIN >> 20, 1024, NULL},
	{'o', "output", OPTION_TEXT, offsetof(struct record_settings, output), "FILE",
	 "the recording (" DEFAULT_FILE "; - for standard output); an older one becomes .old", 1, 0, NULL},
	{0, "offcpu", OPTION_FLAG, offsetof(struct record_settings, waits.offcpu), NULL,
	 "blocked time too, by stack, with who ended it", 0, 0, NULL},
	{0, "min-block", OPTION_REAL, offsetof(struct record_settings, min_block_ms), "MS",
	 "shortest block that gets a stack (1)", 0, 0, NULL},
	{0, "runq", OPTION_FLAG, offsetof(struct record_settings, waits.runq), NULL,
	 "time in the run queue too, and who ran meanwhile", 0, 0, NULL},
	{0, "locks", OPTION_FLAG, offsetof(struct record_settings, waits.locks), NULL,
	 "waits for kernel locks too, and who held them", 0, 0, NULL},
	{0, "syscalls", OPTION_FLAG, offsetof(struct record_settings, waits.syscalls), NULL,
	 "system calls too: counts, errors, times", 0, 0, NULL},
	{0, "syscall-counts", OPTION_FLAG, offsetof(struct record_settings, waits.syscall_counts), NULL,
	 "system calls too: counts and errors alone", 0, 0, NULL},
	{0, "lines", OPTION_FLAG, offsetof(struct record_settings, lines), NULL,
	 "source lines of user frames, where there is DWARF", 0, 0, NULL},
	{0, "inlines", OPTION_FLAG, offsetof(struct record_settings, inlines), NULL,
	 "functions that were inlined, where there is DWARF", 0, 0, NULL},
	{0, "java-maps", OPTION_FLAG, offsetof(struct record_settings, java_maps), NULL,
	 "have JVMs (17 and later) write the names of their code", 0, 0, NULL},
	{0, "all", OPTION_FLAG, offsetof(struct record_settings, everything), NULL,
	 "all of these: --offcpu --runq --locks --syscalls", 0, 0, NULL},
	{0, "no-progress", OPTION_UNSET, offsetof(struct record_settings, progress), NULL,
	 "no progress on the terminal", 0, 0, NULL},
	{0},
};

static const struct option_usage usage = {
	.command = "record",
	.arguments = "[OPTIONS] [SECONDS | -- COMMAND …]",
	.about = "Samples every container on this host from the kernel that they share, names the frames and writes a\n"
		 "recording. Without SECONDS or COMMAND it goes on until Ctrl-C. -p and -C together keep what fits "
		 "either.\nA wanted container that starts or starts again while recording is recorded from then on.",
	.rows = rows,
};

/* What the recording says in short; everything printed is read back from the file, so it is known to be readable. */
static int report(const char *path, bool picture)
{
	struct profile_query query = {.by = PROFILE_BY_CONTAINER};
	struct table_options options = {0};
	struct profile *profile;
	const char *what = "";
	char error[512];
	int err;

	/* The picture is of a few seconds; the table may be of days, in which threads are ever more. */
	if (profile_load(path, picture ? REPORT_WANTS_THREADS : REPORT_WANTS_SAMPLES, &profile, error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_FAILED;
	}
	if (profile_is_empty(profile)) {
		profile_free(profile);
		log_error("nothing was sampled: what was to be recorded did not run on any CPU");
		return EXIT_NO_SAMPLES;
	}
	err = render_table(profile, &options, stdout);
	if (err && err != -EPIPE) {
		what = "the table";
	} else if (picture) {
		what = DEFAULT_PICTURE;
		err = flame_file_write(profile, &query, DEFAULT_PICTURE);
	}
	if (profile->beyond_memory)
		report_cut("record", path, profile);
	profile_free(profile);
	if (err && err != -EPIPE) {
		log_error("cannot write %s: %s", what, strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

/* /dev/stdout, and what a shell has opened as it: to be written as it is, and not replaced by a new file. */
static bool is_standard_output(const char *path)
{
	struct stat named, open;

	return !stat(path, &named) && !fstat(STDOUT_FILENO, &open) && named.st_dev == open.st_dev &&
	       named.st_ino == open.st_ino;
}

/* Who reads from a pipe is somebody else; and what /dev/null was given is gone. */
static bool can_be_read_back(const char *path)
{
	struct stat status;

	return strcmp(path, "-") != 0 && !stat(path, &status) && S_ISREG(status.st_mode);
}

static int record(struct record_settings *settings)
{
	int status, ended;
	char shown[256];

	/* A mistyped one must not move an older recording out of its place. */
	status = settings->command ? record_command_check(settings->command[0]) : 0;
	if (status)
		return status;
	status = record_run(settings, &ended);
	/* What failed is said, and what there is of the recording would be told wrong. */
	if (status != EXIT_OK)
		return status;
	if (can_be_read_back(settings->output)) {
		status = report(settings->output, settings->picture);
		fprintf(stderr, "%s%s written\n", settings->picture && !status ? DEFAULT_PICTURE " drawn, " : "",
			text_printable(settings->output, shown, sizeof(shown)));
	}
	/* One that fails at once is often not sampled, and then it is why. */
	if (settings->command && (status == EXIT_OK || (status == EXIT_NO_SAMPLES && ended)))
		return ended;
	return status;
}

/* getopt moves what stands before "--" behind it; @given is in the order of the command line, up to a NULL. */
static bool stood_before(char *const *given, const char *word, const char *other)
{
	while (*given && *given != word && *given != other)
		given++;
	return *given == word;
}

static bool take_arguments(struct record_settings *settings, int argc, char **argv, char *const *given, int first)
{
	uint64_t seconds;
	char shown[64];

	/* getopt drops the "--"; what stands before it is the last thing that can be a number of seconds. */
	if (!strcmp(argv[first - 1], "--")) {
		if (first == argc)
			log_error("record: no command after --");
		else if (stood_before(given, argv[first], argv[first - 1])) {
			log_error("record: SECONDS and a command exclude each other: leave '%s' out",
				  text_printable(argv[first], shown, sizeof(shown)));
			return false;
		}
		settings->command = argv + first;
		return first < argc;
	}
	if (first == argc)
		return true;
	if (first + 1 == argc && text_to_u64(argv[first], 10, &seconds) && seconds && seconds <= SECONDS_MAX) {
		settings->seconds = seconds;
		return true;
	}
	log_error("record: '%s' is no number of seconds; a command goes after --",
		  text_printable(argv[first], shown, sizeof(shown)));
	return false;
}

static const struct record_settings defaults = {
	.hz = 99,
	.output = DEFAULT_FILE,
	.progress = true,
	.unwind_memory = UNWIND_MEMORY_DEFAULT >> 20,
	.min_block_ms = -1,
};

static void complete_waits(struct record_settings *settings)
{
	settings->waits.min_block_ns =
		settings->min_block_ms < 0 ? MIN_BLOCK_NS : (uint64_t)(settings->min_block_ms * 1e6);
	if (settings->everything)
		settings->waits.offcpu = settings->waits.runq = settings->waits.locks = settings->waits.syscalls = true;
}

static int check_and_record(struct record_settings *settings, int argc, char **argv, char *const *given, int first)
{
	complete_waits(settings);
	if (is_standard_output(settings->output))
		settings->output = "-";
	if (settings->min_block_ms >= 0 && !settings->waits.offcpu)
		log_error("record: --min-block is of blocked time: give --offcpu with it");
	else if (settings->wait && !settings->containers.entries.count)
		log_error("record: --wait is for containers: name them with -C");
	else if (settings->kernel_only && settings->user_only)
		log_error("record: -K and -U leave nothing to record");
	else if (settings->all && (settings->pids.entries.count || settings->containers.entries.count))
		log_error("record: -a is everything; leave it out to choose with -p or -C");
	else if (settings->waits.syscalls && settings->waits.syscall_counts)
		log_error("record: --syscalls and --all count calls as well: leave --syscall-counts out");
	else if (take_arguments(settings, argc, argv, given, first))
		return record(settings);
	return EXIT_USAGE;
}

int command_record(int argc, char **argv)
{
	struct record_settings settings = defaults;
	_cleanup_free_ char **given = calloc((size_t)argc + 1, sizeof(*given));
	enum exit_status ended;
	int first, status;

	if (!given) {
		log_error("record: out of memory");
		return EXIT_FAILED;
	}
	memcpy(given, argv, (size_t)argc * sizeof(*given));
	if (options_parse(&usage, argc, argv, &settings, &first, &ended))
		status = check_and_record(&settings, argc, argv, given, first);
	else
		status = ended;
	option_list_deinit(&settings.pids);
	option_list_deinit(&settings.containers);
	return status;
}

int command_oneshot(int argc, char **argv)
{
	struct record_settings settings = defaults;

	if (argc != 2 || !text_to_u64(argv[1], 10, &settings.seconds) || !settings.seconds ||
	    settings.seconds > SECONDS_MAX) {
		log_error("usage: stoker SECONDS, from 1 on; 'stoker record --help' has more");
		return EXIT_USAGE;
	}
	settings.picture = true;
	return record(&settings);
}
