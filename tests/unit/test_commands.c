/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that read a recording, as they are called: what they print, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/wait.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/report.h"
#include "profiler/render/table.h"
#include "tests/unit/recordings.h"

#define ARGUMENTS_MAX 8

static struct {
	char recording[64];
	char output[16384]; /* of the last command, and what it logged */
} the;

/* "web" calls read and takes samples there; "idle" does nothing. */
static int set_up(void **state)
{
	struct recording_call call = {.count = 3, .timed = 3, .wall_ns = 3000, .wall_max_ns = 1000};
	struct recording_series reading = {.time_ns = 1000000000, .span_ns = 1000000000};
	struct recording_times times = {.oncpu_ns = 1000000, .woken_ns = 1000, .blocked_ns = {5000000}};
	struct recording_wait wait = {.stack = RECORDING_STACK_ROOT,
				      .waker_container = RECORDING_NONE,
				      .waker_thread = RECORDING_NONE,
				      .waker_stack = RECORDING_STACK_ROOT,
				      .count = 1,
				      .total_ns = 5000000,
				      .max_ns = 5000000};
	struct recording_queue queue = {.culprit = RECORDING_NONE, .reason = QUEUE_IDLE, .ns = 1000};
	struct maker maker;
	uint32_t row;

	maker_start(&maker);
	assert_int_equal(maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", ""), 0);
	maker_container(&maker, CONTAINER_CONTAINER, "idle", "def", "");
	maker_sample(&maker, 0, "main;k:entry_SYSCALL_64_after_hwframe;k:do_syscall_64;k:ksys_read;k:pipe_read", 60);
	call.name = maker_text(&maker, "read");
	assert_int_equal(recording_writer_sample_call(maker.writer, call.name), 0);
	assert_int_equal(recording_writer_call(maker.writer, &call, &row), 0);
	assert_int_equal(recording_writer_times(maker.writer, &times, &row), 0);
	assert_int_equal(recording_writer_queue(maker.writer, &queue), 0);
	assert_int_equal(recording_writer_wait(maker.writer, &wait), 0);
	maker_fact(&maker, "locks.spins_untraced", "0");
	series_put(&reading.values, SERIES_CPU_USAGE, 500000000);
	assert_int_equal(recording_writer_series(maker.writer, &reading), 0);
	assert_int_equal(recording_writer_accounting(maker.writer, &maker.total), 0);
	assert_int_equal(recording_writer_finish(maker.writer), 0);
	recording_writer_free(maker.writer);
	snprintf(the.recording, sizeof(the.recording), "%s", maker.path);
	return 0;
}

static int tear_down(void **state)
{
	return unlink(the.recording);
}

/* @words: "syscalls -C idle"; the recording comes behind them. Returns its exit status. */
static int run(int (*command)(int argc, char **argv), const char *words)
{
	char copy[256], *rest = copy, *argv[ARGUMENTS_MAX + 2];
	FILE *file = tmpfile();
	int argc = 0, status;
	size_t got;
	pid_t child;

	assert_non_null(file);
	snprintf(copy, sizeof(copy), "%s", words);
	while (rest && argc < ARGUMENTS_MAX)
		argv[argc++] = strsep(&rest, " ");
	argv[argc++] = the.recording;
	argv[argc] = NULL;
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(fileno(file), STDOUT_FILENO);
		dup2(fileno(file), STDERR_FILENO);
		status = command(argc, argv);
		fflush(stdout);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	rewind(file);
	got = fread(the.output, 1, sizeof(the.output) - 1, file);
	the.output[got] = '\0';
	fclose(file);
	return WEXITSTATUS(status);
}

static void printed(const char *wanted)
{
	if (!strstr(the.output, wanted))
		fail_msg("no '%s' in:\n%s", wanted, the.output);
}

static void test_commands__containers_without_a_row_are_said_to_have_none(void **state)
{
	static const struct {
		int (*run)(int argc, char **argv);
		const char *words, *line;
	} cases[] = {
		{command_syscalls, "syscalls", "No system calls"},
		{command_syscalls, "syscalls --hot", "No samples in system calls"},
		{command_series, "series", "No readings above 0"},
		{command_series, "series --all", "No readings"},
		{command_locks, "locks", "No waits for locks"},
		{command_runqlat, "runqlat", "No times"},
		{command_hotspots, "hotspots", "No hotspots"},
		{command_offcpu, "offcpu", "No times"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		char words[128], line[128];

		snprintf(words, sizeof(words), "%s -C idle", cases[i].words);
		snprintf(line, sizeof(line), "%s of the containers asked for.\n", cases[i].line);
		assert_int_equal(run(cases[i].run, words), EXIT_OK);
		printed(line);
		printed("\nOnly what concerns idle; the lines below account for the whole recording.\n");
		assert_null(strstr(the.output, "CONTAINER "));
		snprintf(words, sizeof(words), "%s -C web", cases[i].words);
		assert_int_equal(run(cases[i].run, words), EXIT_OK);
		if (cases[i].run != command_locks)
			assert_null(strstr(the.output, " of the containers asked for.\n"));
	}
	assert_int_equal(run(command_hotspots, "hotspots -C web"), EXIT_OK);
	printed("kernel time");
	assert_int_equal(run(command_syscalls, "syscalls -o json -C idle"), EXIT_OK);
	printed("\"calls\": [\n  ],");
}

static void test_commands__offcpu_says_what_was_left_out(void **state)
{
	static const char only[] = "Only places in state D; the first table and the lines below are of all states.\n";

	assert_int_equal(run(command_offcpu, "offcpu --state S"), EXIT_OK);
	printed("\nweb        S      ");
	printed("\nOnly places in state S; ");
	assert_int_equal(run(command_offcpu, "offcpu --state D"), EXIT_OK);
	printed("\nNothing was blocked for so long in state D.\n");
	printed(only);
	assert_int_equal(run(command_offcpu, "offcpu -C idle"), EXIT_OK);
	printed("\nNothing of the containers asked for was blocked for so long.\n");
	assert_null(strstr(the.output, "in state"));
	assert_int_equal(run(command_offcpu, "offcpu -C idle --state D"), EXIT_OK);
	printed("\nNothing of the containers asked for was blocked for so long in state D.\n");
	printed(only);
}

/* Two flushes, of which the second one is too much. */
static void make_large(struct maker *maker)
{
	struct recording_sample sample = {.stack = RECORDING_STACK_ROOT, .count = 1};

	maker_start(maker);
	maker_container(maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(maker, 0, "main", 60);
	for (uint64_t i = 0; i < 2; i++) {
		sample.time_ns = (i ? 9000 : 8130) * 1000000000ull;
		for (int j = 0; j < (i ? 20000 : 40); j++)
			assert_int_equal(recording_writer_sample(maker->writer, &sample), 0);
		maker->total.taken = maker->total.kept = i ? 20100 : 100;
		assert_int_equal(recording_writer_accounting(maker->writer, &maker->total), 0);
		assert_int_equal(recording_writer_flush(maker->writer), 0);
	}
	assert_int_equal(recording_writer_finish(maker->writer), 0);
	recording_writer_free(maker->writer);
}

static int account_for_part(int argc, char **argv)
{
	FILE *file = fopen(argv[1], "re");
	struct profile *profile = NULL;
	char error[256];

	if (!file || profile_load_file(file, argv[1], RECORDING_ALL, 256 << 10, &profile, error, sizeof(error)))
		return EXIT_FAILED;
	fclose(file);
	render_accounting(profile, stdout);
	report_cut("info", "days.rec", profile);
	report_nothing(profile, "locks: no lock waits", "--locks");
	profile_free(profile);
	return EXIT_OK;
}

static void test_commands__of_a_recording_that_is_too_large_its_beginning_is_shown(void **state)
{
	struct maker maker;
	char recording[64];

	memcpy(recording, the.recording, sizeof(recording));
	make_large(&maker);
	memcpy(the.recording, maker.path, sizeof(recording));
	assert_int_equal(run(account_for_part, "account"), EXIT_OK);
	unlink(maker.path);
	memcpy(the.recording, recording, sizeof(recording));
	printed("days.rec is larger than is read at once (2 GiB in memory): the first 2 h 15 min of it are shown\n");
	printed("locks: no lock waits in the part of this recording that is read at once");
	printed("100 samples taken = 100 kept + 0 filtered + 0 lost");
	assert_null(strstr(the.output, "which is not what was kept"));
	assert_null(strstr(the.output, "ends in the middle"));
	printed("This is the beginning of the recording");
	assert_null(strstr(the.output, "was cut"));
}

static void test_commands__an_older_recording_says_which_spins_were_not_counted(void **state)
{
	char before[sizeof(the.recording)];
	struct maker maker;

	maker_start(&maker);
	maker_fact(&maker, "locks.spins_lost", "1234");
	assert_int_equal(recording_writer_accounting(maker.writer, &maker.total), 0);
	assert_int_equal(recording_writer_finish(maker.writer), 0);
	recording_writer_free(maker.writer);
	memcpy(before, the.recording, sizeof(before));
	snprintf(the.recording, sizeof(the.recording), "%s", maker.path);
	assert_int_equal(run(command_locks, "locks"), EXIT_OK);
	printed("\n1,234 waits for spinlocks were not counted: ");
	assert_int_equal(run(command_locks, "locks -o json"), EXIT_OK);
	printed("\"spins_lost\": 1234");
	printed("\"spins_untraced\": null");
	unlink(the.recording);
	memcpy(the.recording, before, sizeof(before));
}

/* In the place of the one that all tests share: of one sample, with a fact or without (NULL). */
static void make_without_rows(const char *fact, const char *value)
{
	struct maker maker;

	maker_start(&maker);
	if (fact)
		maker_fact(&maker, fact, value);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	maker_sample(&maker, 0, "main", 1);
	assert_int_equal(recording_writer_accounting(maker.writer, &maker.total), 0);
	assert_int_equal(recording_writer_finish(maker.writer), 0);
	recording_writer_free(maker.writer);
	snprintf(the.recording, sizeof(the.recording), "%s", maker.path);
}

static void test_commands__what_was_recorded_and_did_not_happen_is_no_missing_option(void **state)
{
	static const struct {
		int (*run)(int argc, char **argv);
		const char *words, *recorded, *none, *option;
	} cases[] = {
		{command_syscalls, "syscalls", "offcpu, runq, locks, syscalls", "No system calls", "--syscalls"},
		{command_syscalls, "syscalls", "syscall-counts", "No system calls", "--syscalls"},
		{command_runqlat, "runqlat", "offcpu, runq", "No times", "--runq"},
		{command_locks, "locks", "locks, syscalls", "No waits for locks", "--locks"},
		{command_offcpu, "offcpu", "offcpu", "Nothing was blocked", "--offcpu"},
	};
	char shared[sizeof(the.recording)], option[64];

	memcpy(shared, the.recording, sizeof(shared));
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		make_without_rows("recorded", cases[i].recorded);
		assert_int_equal(run(cases[i].run, cases[i].words), EXIT_OK);
		printed(cases[i].none);
		assert_null(strstr(the.output, "record with"));
		unlink(the.recording);
		make_without_rows(NULL, NULL);
		assert_int_equal(run(cases[i].run, cases[i].words), EXIT_NO_SAMPLES);
		snprintf(option, sizeof(option), "record with %s", cases[i].option);
		printed(option);
		unlink(the.recording);
	}
	make_without_rows("recorded", "runq");
	assert_int_equal(run(command_fold, "fold --kind locks"), EXIT_NO_SAMPLES);
	printed("record with --locks");
	unlink(the.recording);
	make_without_rows("recorded", "locks");
	assert_int_equal(run(command_fold, "fold --kind locks"), EXIT_NO_SAMPLES);
	printed("no samples in");
	unlink(the.recording);
	/* An older one. */
	make_without_rows("calls.others", "0");
	assert_int_equal(run(command_syscalls, "syscalls"), EXIT_OK);
	unlink(the.recording);
	memcpy(the.recording, shared, sizeof(shared));
}

static void test_commands__what_is_not_found_is_not_said_of_more_than_was_read(void **state)
{
	assert_string_equal(report_part(&(struct profile){.whole = true}), "");
	assert_string_equal(report_part(&(struct profile){0}), ", which was cut early");
	assert_string_equal(report_part(&(struct profile){.beyond_memory = true}),
			    ", of which only the beginning is read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands__containers_without_a_row_are_said_to_have_none),
		cmocka_unit_test(test_commands__offcpu_says_what_was_left_out),
		cmocka_unit_test(test_commands__of_a_recording_that_is_too_large_its_beginning_is_shown),
		cmocka_unit_test(test_commands__an_older_recording_says_which_spins_were_not_counted),
		cmocka_unit_test(test_commands__what_was_recorded_and_did_not_happen_is_no_missing_option),
		cmocka_unit_test(test_commands__what_is_not_found_is_not_said_of_more_than_was_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
