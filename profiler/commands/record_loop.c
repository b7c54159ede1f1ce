/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/record_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/record_command.h"
#include "profiler/commands/record_facts.h"
#include "profiler/commands/record_length.h"
#include "profiler/recording/recording_reader.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/unwind_parser.h"

#define EVENTS_EVERY_MS 200
#define TICK_NS 1000000000ull
#define FLUSH_EVERY_TICKS 5
#define COMMAND_ENDS_MS 3000
#define LOOP_NICE -10 /* it has little to do, and a process that is sampled for the first time may soon be gone */

struct loop {
	const struct record_settings *settings;
	struct record_session session;
	sigset_t blocked;
	/* As the command is to find them: both are ignored here. */
	void (*on_pipe)(int), (*on_file_size)(int);
	struct rlimit files; /* likewise: raised here */
	int signals;	     /* signalfd */
	pid_t child;	     /* 0: none, or it has ended */
	int child_status;
	bool ended;
	bool too_long; /* and that was said */
};

static void restore(const struct loop *loop)
{
	signal(SIGPIPE, loop->on_pipe);
	signal(SIGXFSZ, loop->on_file_size);
	setrlimit(RLIMIT_NOFILE, &loop->files);
	sigprocmask(SIG_UNBLOCK, &loop->blocked, NULL);
}

/* The child waits for a byte, so that nothing of it runs before the first tick. */
static int start_command(struct loop *loop, int *ret_go)
{
	int go[2];
	char byte;

	if (pipe(go))
		return -errno;
	loop->child = fork();
	if (loop->child < 0)
		return -errno;
	if (!loop->child) {
		close(go[1]);
		restore(loop);
		/* No byte: the recording has not begun, and says why itself. */
		if (read(go[0], &byte, 1) != 1)
			_exit(126);
		close(go[0]);
		record_command_exec(loop->settings->command);
	}
	close(go[0]);
	*ret_go = go[1];
	return 0;
}

static void reap(struct loop *loop)
{
	int status;

	if (!loop->child || waitpid(loop->child, &status, WNOHANG) != loop->child)
		return;
	loop->child = 0;
	loop->child_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	loop->ended = true;
}

static void take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(loop);
		else
			loop->ended = true;
	}
}

static void show_progress(const struct loop *loop, uint64_t elapsed_ns)
{
	char samples[32];

	if (!loop->settings->progress || !isatty(STDERR_FILENO))
		return;
	text_grouped(recorder_samples(loop->session.recorder), samples, sizeof(samples));
	if (loop->settings->seconds)
		fprintf(stderr, "\r\033[Krecording: %llu of %llu s, %s samples",
			(unsigned long long)(elapsed_ns / TICK_NS), (unsigned long long)loop->settings->seconds,
			samples);
	else
		fprintf(stderr, "\r\033[Krecording: %llu s, %s samples, Ctrl-C ends",
			(unsigned long long)(elapsed_ns / TICK_NS), samples);
}

static int wait_ms(const struct loop *loop, uint64_t now)
{
	uint64_t end = loop->session.start_ns + loop->settings->seconds * TICK_NS;

	if (loop->settings->seconds && end < now + EVENTS_EVERY_MS * 1000000ull)
		return end > now ? (int)((end - now) / 1000000) + 1 : 0;
	return EVENTS_EVERY_MS;
}

/* The first report that cannot hold it all any more: said while there is time to end this one and start another. */
static void warn_of_length(struct loop *loop)
{
	const char *report;

	if (loop->too_long)
		return;
	report = record_length_beyond(loop->session.writer, sampler_wait_settings(loop->session.sampler),
				      RECORDING_MEMORY_BYTES_MAX);
	loop->too_long = report;
	if (report)
		log_warning("the recording is now longer than 'stoker %s' reads at once (%llu GiB in memory): it will "
			    "show what was recorded until now",
			    report, RECORDING_MEMORY_BYTES_MAX >> 30);
}

static int loop_until_end(struct loop *loop)
{
	uint64_t end =
		loop->settings->seconds ? loop->session.start_ns + loop->settings->seconds * TICK_NS : UINT64_MAX;
	uint64_t next_tick = loop->session.start_ns + TICK_NS, next_flush = FLUSH_EVERY_TICKS, ticks, now;
	struct pollfd waited[] = {
		{.fd = sampler_fd(loop->session.sampler), .events = POLLIN},
		{.fd = loop->signals, .events = POLLIN},
	};
	int err = 0;

	while (!err && !loop->ended && (now = clock_now_ns()) < end) {
		if (poll(waited, 2, wait_ms(loop, now)) < 0 && errno != EINTR)
			return -errno;
		take_signals(loop);
		err = recorder_events(loop->session.recorder);
		now = clock_now_ns();
		if (err || now < next_tick)
			continue;
		/* Those that were missed are not made up for: who is late must not have more to do. */
		ticks = (now - loop->session.start_ns) / TICK_NS;
		next_tick = loop->session.start_ns + (ticks + 1) * TICK_NS;
		if (ticks < next_flush) {
			err = recorder_tick(loop->session.recorder, ticks);
		} else {
			err = recorder_flush(loop->session.recorder, ticks);
			next_flush = ticks + FLUSH_EVERY_TICKS;
			warn_of_length(loop);
		}
		show_progress(loop, clock_now_ns() - loop->session.start_ns);
	}
	return err;
}

static int finish(struct loop *loop, int err)
{
	uint64_t duration_ns;
	int last;

	sampler_stop(loop->session.sampler);
	duration_ns = clock_now_ns() - loop->session.start_ns;
	if (loop->settings->progress && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	last = recorder_finish(loop->session.recorder);
	if (!last)
		last = record_last_facts(&loop->session, duration_ns);
	if (!last && !err)
		last = recording_writer_finish(loop->session.writer);
	return err ? err : last;
}

/* A container's file that crashes or stalls a parser was made to, or has found a fault of ours: worth a line. */
static void warn_of_parsers(const struct record_session *session)
{
	struct symbolizer_costs names = symbolizer_costs(session->symbolizer);
	struct unwind_parser_costs rows = {0};
	char shown[128] = "";

	if (session->unwind_parser)
		rows = unwind_parser_costs(session->unwind_parser);
	if (!names.crashes && !names.timeouts && !rows.crashes && !rows.timeouts)
		return;
	if (names.quarantined)
		text_printable(string_table_text(symbolizer_strings(session->symbolizer), names.quarantined_last),
			       shown, sizeof(shown));
	log_warning("parsers were killed by files: %llu crashes, %llu time-outs; not asked for names again: %zu%s%s",
		    (unsigned long long)(names.crashes + rows.crashes),
		    (unsigned long long)(names.timeouts + rows.timeouts), names.quarantined,
		    names.quarantined ? ", last " : "", shown);
}

/* What was left out, so that one container costs no other one its names. */
static void warn_of_time(const struct record_session *session)
{
	struct symbolizer_costs names = symbolizer_costs(session->symbolizer);
	char shown[128] = "";

	if (names.slow) {
		text_printable(string_table_text(symbolizer_strings(session->symbolizer), names.slow_last), shown,
			       sizeof(shown));
		log_warning("files that took too long, and were asked for names less often: %zu, last %s", names.slow,
			    shown);
	}
	if (names.skipped)
		log_warning(
			"addresses without a name, as the files of their containers had used up their time: %llu, in "
			"%zu containers",
			(unsigned long long)names.skipped, names.tenants_over);
	if (recorder_names_given_up(session->recorder))
		log_warning("addresses without a name, as too many waited for one: %llu",
			    (unsigned long long)recorder_names_given_up(session->recorder));
	if (names.lookups_lost)
		log_warning("look-ups in containers that waited for a file system which did not answer: %llu",
			    (unsigned long long)names.lookups_lost);
}

static int sample(struct loop *loop)
{
	_cleanup_close_ int go = -1;
	char error[512] = "", shown[256];
	int err;

	if (loop->settings->command) {
		err = start_command(loop, &go);
		if (err) {
			log_error("cannot start the command: %s", strerror(-err));
			return EXIT_FAILED;
		}
	}
	/* After whoever was forked: the command and what parses have no part in it. */
	if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOOP_NICE))
		log_debug("the priority stays what it is: %s", strerror(errno));
	err = sampler_start(loop->session.sampler, error, sizeof(error));
	if (err) {
		log_error("%s", error);
		return err == -EPERM || err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
	}
	loop->session.start_ns = clock_now_ns();
	err = record_catch_up(loop->settings, &loop->session);
	if (!err)
		err = recorder_start(loop->session.recorder);
	if (!err)
		err = record_first_facts(loop->settings, &loop->session);
	if (go >= 0 && write(go, "", 1) != 1)
		err = -errno;
	if (!err)
		err = loop_until_end(loop);
	err = finish(loop, err);
	if (recorder_kernel_hidden(loop->session.recorder))
		log_warning("kernel functions have no names: set kernel.kptr_restrict to 0 or 1 and run as root");
	warn_of_time(&loop->session);
	warn_of_parsers(&loop->session);
	if (!err)
		return EXIT_OK;
	log_error("writing %s failed: %s; what was recorded before is readable",
		  text_printable(loop->settings->output, shown, sizeof(shown)), strerror(-err));
	return EXIT_FAILED;
}

/* A command that does not want to end costs neither the report nor the terminal. */
static void end_child(struct loop *loop)
{
	struct pollfd waited = {.fd = loop->signals, .events = POLLIN};
	int64_t left_ms, end_ms;

	if (loop->child <= 0)
		return;
	/* Signals of before this have had their effect. */
	take_signals(loop);
	loop->ended = !loop->child;
	/* Ended early by a signal: the command is told too, as a shell would. */
	if (loop->child)
		kill(loop->child, SIGTERM);
	end_ms = clock_now_ms() + COMMAND_ENDS_MS;
	while (!loop->ended && (left_ms = end_ms - clock_now_ms()) > 0) {
		if (poll(&waited, 1, (int)left_ms) < 0 && errno != EINTR)
			break;
		take_signals(loop);
	}
	reap(loop);
	if (loop->child)
		log_warning("the command was told to end and still runs, as process %d", (int)loop->child);
}

int record_run(const struct record_settings *settings, int *ret_command)
{
	struct loop loop = {.settings = settings, .signals = -1};
	int status;

	loop.on_pipe = signal(SIGPIPE, SIG_IGN);
	loop.on_file_size = signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &loop.files);
	sigemptyset(&loop.blocked);
	sigaddset(&loop.blocked, SIGINT);
	sigaddset(&loop.blocked, SIGTERM);
	sigaddset(&loop.blocked, SIGHUP);
	sigaddset(&loop.blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &loop.blocked, NULL);
	loop.signals = signalfd(-1, &loop.blocked, SFD_NONBLOCK | SFD_CLOEXEC);
	status = record_setup(settings, &loop.session);
	if (status == EXIT_OK)
		status = sample(&loop);
	end_child(&loop);
	*ret_command = loop.child_status;
	record_session_deinit(&loop.session);
	if (loop.signals >= 0)
		close(loop.signals);
	sigprocmask(SIG_UNBLOCK, &loop.blocked, NULL);
	return status;
}
