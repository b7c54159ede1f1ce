/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/tree_input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "profiler/analysis/lock_sites.h"
#include "profiler/commands/report.h"
#include "profiler/profile/folded_reader.h"
#include "profiler/profile/profile_times.h"
#include "profiler/recording/recording_reader.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

#define PEEK_BYTES 4096

struct opened {
	const char *command;
	const char *path;
	char shown[256]; /* the path, for people: profile_input_name() */
	int fd;
	char peek[PEEK_BYTES]; /* read already */
	size_t peeked;
};

static enum exit_status fail(const struct opened *opened, int err)
{
	log_error("%s: cannot read %s: %s", opened->command, opened->shown, strerror(-err));
	return EXIT_FAILED;
}

static int read_some(int fd, char *buffer, size_t size, size_t *ret_got)
{
	ssize_t got;

	do
		got = read(fd, buffer, size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*ret_got = (size_t)got;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t put = write(fd, bytes, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

static int peek(struct opened *opened)
{
	size_t got = 1;
	int err = 0;

	while (!err && got && opened->peeked < PEEK_BYTES) {
		err = read_some(opened->fd, opened->peek + opened->peeked, PEEK_BYTES - opened->peeked, &got);
		if (!err)
			opened->peeked += got;
	}
	return err;
}

/* A pipe cannot be read twice: what was read and what is to come becomes a file. */
static int spool(struct opened *opened, int *ret_fd)
{
	_cleanup_close_ int file = memfd_create("recording", MFD_CLOEXEC);
	char buffer[1 << 16];
	size_t got = 1;
	int err;

	if (file < 0)
		return -errno;
	err = write_all(file, opened->peek, opened->peeked);
	while (!err && got) {
		err = read_some(opened->fd, buffer, sizeof(buffer), &got);
		if (!err)
			err = write_all(file, buffer, got);
	}
	if (err)
		return err;
	*ret_fd = take_fd(&file);
	return 0;
}

/* The input from its start, the second time. */
static int open_again(struct opened *opened, FILE **ret_file)
{
	_cleanup_close_ int fd = -1;
	struct stat status;
	int err = 0;

	if (!fstat(opened->fd, &status) && S_ISREG(status.st_mode))
		fd = fcntl(opened->fd, F_DUPFD_CLOEXEC, 3);
	else
		err = spool(opened, &fd);
	if (err)
		return err;
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	*ret_file = fdopen(fd, "r");
	if (!*ret_file)
		return -errno;
	take_fd(&fd);
	return 0;
}

static unsigned int wanted(const struct query_settings *settings)
{
	switch (settings->kind) {
	case PROFILE_OFFCPU:
	case PROFILE_WAKERS:
		return REPORT_WANTS_OFFCPU;
	case PROFILE_LOCKS:
		return REPORT_WANTS_LOCKS;
	default:
		return settings->by == PROFILE_BY_CALL ? RECORDING_SAMPLE_CALLS : REPORT_WANTS_THREADS;
	}
}

static enum exit_status load_recording(struct opened *opened, const struct query_settings *settings,
				       struct tree_input *input)
{
	_cleanup_(query_deinit) struct query query = {0};
	_cleanup_fclose_ FILE *file = NULL;
	char error[512] = "";
	int err;

	if (!query_init(&query, settings, opened->command))
		return EXIT_USAGE;
	err = open_again(opened, &file);
	if (err)
		return fail(opened, err);
	err = profile_load_file(file, opened->path, wanted(settings), RECORDING_MEMORY_BYTES_MAX, &input->profile,
				error, sizeof(error));
	if (err)
		return report_unreadable(opened->command, err, error);
	err = profile_call_tree(input->profile, &query.query, &input->tree, error, sizeof(error));
	if (err) {
		log_error("%s: %s", opened->command, *error ? error : strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static enum exit_status judge_lines(const struct opened *opened, const struct folded_read_report *report)
{
	uint64_t left_out = report->bad + report->too_long;
	char count[32], all[32];

	if (left_out && left_out == report->lines) {
		log_error("%s: %s is not a stoker recording, and no folded stacks either: no line ends in a count",
			  opened->command, opened->shown);
		return EXIT_FAILED;
	}
	if (left_out)
		log_warning("%s: %s of %s lines in %s are no folded stacks (the first is line %" PRIu64
			    ") and were left out",
			    opened->command, text_grouped(left_out, count, sizeof(count)),
			    text_grouped(report->lines, all, sizeof(all)), opened->shown, report->bad_line);
	if (report->two_columns)
		log_warning("%s: %s lines in %s have two counts, as differential stacks do: the second one is shown",
			    opened->command, text_grouped(report->two_columns, count, sizeof(count)), opened->shown);
	return EXIT_OK;
}

static enum exit_status load_folded(struct opened *opened, const struct query_settings *settings,
				    struct tree_input *input)
{
	_cleanup_(folded_reader_deinit) struct folded_reader reader;
	int err;

	folded_reader_init(&reader, &input->tree, settings->reverse);
	if (query_needs_recording(settings)) {
		log_error("%s: %s holds folded stacks, which --kind, --state, --by, -C, --comm, -K and -U cannot ask: "
			  "give a recording",
			  opened->command, opened->shown);
		return EXIT_USAGE;
	}
	err = folded_reader_feed(&reader, opened->peek, opened->peeked);
	if (!err)
		err = folded_reader_feed_fd(&reader, opened->fd);
	if (!err)
		err = folded_reader_finish(&reader);
	if (!err)
		err = call_tree_finish(&input->tree);
	if (err)
		return fail(opened, err);
	return judge_lines(opened, &reader.report);
}

/* What holds nothing is taken for a recording that holds nothing. */
static bool is_recording(const struct opened *opened)
{
	if (opened->peeked >= RECORDING_MAGIC_BYTES && !memcmp(opened->peek, RECORDING_MAGIC, RECORDING_MAGIC_BYTES))
		return true;
	return !opened->peeked || memchr(opened->peek, '\0', opened->peeked);
}

/* Whether the recording was made without what @settings ask for, which is then said. */
static bool say_not_recorded(const struct opened *opened, const struct query_settings *settings,
			     const struct profile *profile)
{
	_cleanup_(profile_times_deinit) struct profile_times times = {0};
	bool locks = settings->kind == PROFILE_LOCKS;
	const char *option = locks ? "--locks" : "--offcpu";
	char what[64];

	if (!profile || settings->kind == PROFILE_ONCPU || report_recorded(profile, option + 2))
		return false;
	if (locks ? lock_sites_recorded(profile)
		  : profile_times_init(&times, profile) || profile_times_have_blocks(&times, profile))
		return false;
	snprintf(what, sizeof(what), "%s: no %s", opened->command, locks ? "lock waits" : "blocked time");
	report_nothing(profile, what, option);
	return true;
}

static enum exit_status load(struct opened *opened, const struct query_settings *settings, struct tree_input *input)
{
	enum exit_status status;
	int err = peek(opened);

	if (err)
		return fail(opened, err);
	status = is_recording(opened) ? load_recording(opened, settings, input) : load_folded(opened, settings, input);
	if (status != EXIT_OK)
		return status;
	if (input->tree.nodes.items[0].total) {
		if (input->profile)
			report_cut(opened->command, opened->path, input->profile);
		return EXIT_OK;
	}
	if (say_not_recorded(opened, settings, input->profile))
		return EXIT_NO_SAMPLES;
	log_error("%s: no samples in %s%s%s", opened->command, opened->shown,
		  query_needs_recording(settings) ? " for these options" : "",
		  input->profile ? report_part(input->profile) : "");
	return EXIT_NO_SAMPLES;
}

enum exit_status tree_input_load(const char *command, const char *path, const struct query_settings *settings,
				 struct tree_input *ret_input)
{
	bool standard_input = !strcmp(path, "-");
	struct opened opened = {.command = command, .path = path};
	struct tree_input input = {0};
	enum exit_status status;
	_cleanup_close_ int fd = standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	profile_input_name(path, opened.shown, sizeof(opened.shown));
	if (fd < 0)
		return fail(&opened, -errno);
	opened.fd = fd;
	if (call_tree_init(&input.tree))
		return fail(&opened, -ENOMEM);
	status = load(&opened, settings, &input);
	if (status == EXIT_OK)
		*ret_input = input;
	else
		tree_input_deinit(&input);
	return status;
}

void tree_input_deinit(struct tree_input *input)
{
	call_tree_deinit(&input->tree);
	profile_free(input->profile);
}
