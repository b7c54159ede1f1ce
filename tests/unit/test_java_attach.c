/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/java_attach.h"
#include "symbolizer/java_protocol.h"

#define INNER_PID 77777777 /* as the JVM's own pid namespace has it */
#define DEADLINE_MS 300
#define LATE_MS 2000	 /* what a busy machine may add */
#define PATIENT_MS 10000 /* a deadline that is not what a test is about */
#define LONG_MS 1000	 /* a deadline within which other questions are answered, on a busy machine, too */

static const char request[] = "1\0jcmd\0Compiler.perfmap\0\0";

enum manner {
	ANSWERS,
	SILENT,
	TRICKLES,
	ENDLESS,
	CLOSES,
};

/* How a child of the test plays a JVM. */
struct part {
	enum manner manner;
	const char *answer;
	bool listens; /* from its start on */
	bool on_quit; /* starts to listen at SIGQUIT, where .attach_pid is there */
	int told;     /* it tells what it got here */
};

struct stage {
	char folder[64];
	struct java_process java;
	int told[2];
};

static int listening(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.java_pid%d", folder, INNER_PID);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 64))
		_exit(3);
	return fd;
}

static void answer(const struct part *part, int connection)
{
	char piece[4096];

	memset(piece, '7', sizeof(piece));
	switch (part->manner) {
	case ANSWERS:
		if (write(connection, part->answer, strlen(part->answer)) < 0)
			_exit(4);
		break;
	case SILENT:
		pause();
		break;
	case TRICKLES:
		while (write(connection, "0", 1) == 1)
			usleep(10000);
		break;
	case ENDLESS:
		if (write(connection, "0\n", 2) != 2)
			_exit(4);
		while (write(connection, piece, sizeof(piece)) > 0)
			;
		break;
	case CLOSES:
		break;
	}
	close(connection);
}

static void on_quit(int number)
{
}

__attribute__((noreturn)) static void play(const struct part *part, const char *folder)
{
	char got[128], path[128];
	sigset_t quit;
	int listener = -1, number;

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (part->listens)
		listener = listening(folder);
	if (part->on_quit) {
		/* Caught, as the mask in /proc shows it, and taken when there is time. */
		signal(SIGQUIT, on_quit);
		sigemptyset(&quit);
		sigaddset(&quit, SIGQUIT);
		sigprocmask(SIG_BLOCK, &quit, NULL);
	}
	if (write(part->told, "+", 1) != 1)
		_exit(5);
	if (part->on_quit) {
		sigwait(&quit, &number);
		snprintf(path, sizeof(path), "%s/.attach_pid%d", folder, INNER_PID);
		if (write(part->told, access(path, F_OK) ? "?" : "!", 1) != 1)
			_exit(5);
		listener = listening(folder);
	}
	while (listener >= 0) {
		int connection = accept(listener, NULL, NULL);
		ssize_t length = recv(connection, got, sizeof(got), 0);

		if (length > 0 && write(part->told, got, (size_t)length) != length)
			_exit(5);
		answer(part, connection);
	}
	for (;;)
		pause();
}

static void start(struct stage *stage, struct part part)
{
	char ready;

	part.told = stage->told[1];
	stage->java.pid = fork();
	if (!stage->java.pid)
		play(&part, stage->folder);
	assert_true(stage->java.pid > 0);
	stage->java.pidfd = (int)syscall(SYS_pidfd_open, stage->java.pid, 0);
	assert_true(stage->java.pidfd >= 0);
	assert_int_equal(read(stage->told[0], &ready, 1), 1);
	assert_int_equal(ready, '+');
}

static int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	snprintf(stage->folder, sizeof(stage->folder), "/tmp/java_attach.XXXXXX");
	*state = stage;
	if (!mkdtemp(stage->folder) || pipe2(stage->told, O_CLOEXEC | O_NONBLOCK))
		return -1;
	fcntl(stage->told[0], F_SETFL, 0);
	stage->java = (struct java_process){
		.ns_pid = INNER_PID,
		.pidfd = -1,
		.temp = open(stage->folder, O_PATH | O_DIRECTORY | O_CLOEXEC),
		.uid = geteuid(),
		.gid = getegid(),
	};
	return stage->java.temp < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	char command[128];

	if (stage->java.pid > 0) {
		kill(stage->java.pid, SIGKILL);
		waitpid(stage->java.pid, NULL, 0);
		/* Of the one test that needs the real /tmp. */
		snprintf(command, sizeof(command), "/tmp/.java_pid%d", stage->java.pid);
		unlink(command);
	}
	java_process_deinit(&stage->java);
	close(stage->told[0]);
	close(stage->told[1]);
	snprintf(command, sizeof(command), "rm -rf '%s'", stage->folder);
	if (system(command))
		return -1;
	free(stage);
	return 0;
}

static int ask_within(struct stage *stage, int timeout_ms)
{
	int64_t begin = clock_now_ms(), deadline = begin + timeout_ms;
	int socket, err = java_protocol_connect(&stage->java, deadline, &socket);

	if (!err) {
		err = java_protocol_ask(socket, deadline);
		close(socket);
	}
	assert_in_range(clock_now_ms() - begin, 0, timeout_ms + LATE_MS);
	return err;
}

static int ask_it(struct stage *stage)
{
	return ask_within(stage, PATIENT_MS);
}

static void assert_alive(const struct stage *stage)
{
	assert_int_equal(waitpid(stage->java.pid, NULL, WNOHANG), 0);
}

/* What the JVM was told after "ready": [length]. */
static void assert_told(const struct stage *stage, const char *text, size_t length)
{
	char got[256];

	fcntl(stage->told[0], F_SETFL, O_NONBLOCK);
	if (!length) {
		assert_int_equal(read(stage->told[0], got, sizeof(got)), -1);
		return;
	}
	assert_int_equal(read(stage->told[0], got, sizeof(got)), (ssize_t)length);
	assert_memory_equal(got, text, length);
}

static void test_java_attach__a_jvm_gets_the_command_and_its_answer_counts(void **state)
{
	struct stage *stage = *state;

	start(stage, (struct part){.listens = true, .answer = "0\nCommand executed successfully\n"});
	assert_int_equal(ask_it(stage), 0);
	assert_told(stage, request, sizeof(request));
}

static void test_java_attach__an_older_jvm_says_that_it_does_not_know_the_command(void **state)
{
	start(*state, (struct part){.listens = true, .answer = "1\njava.lang.IllegalArgumentException\n"});
	assert_int_equal(ask_it(*state), -ENOSYS);
}

static void test_java_attach__what_is_no_answer_is_none(void **state)
{
	start(*state, (struct part){.listens = true, .answer = "HTTP/1.1 400 Bad Request\r\n\r\n"});
	assert_int_equal(ask_it(*state), -EBADMSG);
}

static void test_java_attach__a_silent_jvm_costs_the_deadline_and_no_more(void **state)
{
	start(*state, (struct part){.listens = true, .manner = SILENT});
	assert_int_equal(ask_within(*state, DEADLINE_MS), -ETIME);
}

static void test_java_attach__each_byte_of_a_slow_answer_counts_against_the_same_deadline(void **state)
{
	start(*state, (struct part){.listens = true, .manner = TRICKLES});
	assert_int_equal(ask_within(*state, DEADLINE_MS), -ETIME);
}

static void test_java_attach__an_endless_answer_is_left(void **state)
{
	start(*state, (struct part){.listens = true, .manner = ENDLESS});
	assert_int_equal(ask_it(*state), -EMSGSIZE);
}

static void test_java_attach__a_jvm_that_hangs_up_has_not_answered(void **state)
{
	start(*state, (struct part){.listens = true, .manner = CLOSES});
	assert_int_equal(ask_it(*state), -ECONNRESET);
}

static void test_java_attach__a_socket_of_another_process_gets_not_one_byte(void **state)
{
	struct stage *stage = *state;
	pid_t listener;

	start(stage, (struct part){.listens = true, .answer = "0\n"});
	listener = stage->java.pid;
	stage->java.pid = getpid();
	assert_int_equal(ask_it(stage), -EPERM);
	stage->java.pid = listener;
	usleep(20000);
	assert_told(stage, NULL, 0);
}

static void test_java_attach__only_a_socket_is_connected_to(void **state)
{
	struct stage *stage = *state;
	char path[128], real[192];

	start(stage, (struct part){.listens = true, .answer = "0\n"});
	snprintf(path, sizeof(path), "%s/.java_pid%d", stage->folder, INNER_PID);
	snprintf(real, sizeof(real), "%s.real", path);
	assert_int_equal(rename(path, real), 0);
	assert_int_equal(symlink(real, path), 0);
	assert_int_equal(ask_it(stage), -EPERM);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(ask_it(stage), -EPERM);
	assert_told(stage, NULL, 0);
}

static void test_java_attach__a_process_without_a_handler_is_not_signalled(void **state)
{
	struct stage *stage = *state;

	start(stage, (struct part){0});
	assert_int_equal(ask_it(stage), -ENOTSUP);
	assert_alive(stage);
}

static bool attach_file_is_there(const struct stage *stage)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/.attach_pid%d", stage->folder, INNER_PID);
	return !access(path, F_OK);
}

static void test_java_attach__a_jvm_that_does_not_listen_yet_is_asked_to(void **state)
{
	struct stage *stage = *state;
	char told[1 + sizeof(request)];

	start(stage, (struct part){.on_quit = true, .answer = "0\n"});
	assert_int_equal(ask_it(stage), 0);
	told[0] = '!';
	memcpy(told + 1, request, sizeof(request));
	assert_told(stage, told, sizeof(told));
	assert_false(attach_file_is_there(stage));
}

static void test_java_attach__a_socket_left_by_an_older_process_is_no_jvm(void **state)
{
	struct stage *stage = *state;
	pid_t older = fork();

	if (!older) {
		listening(stage->folder);
		_exit(0);
	}
	waitpid(older, NULL, 0);
	start(stage, (struct part){0});
	assert_int_equal(ask_it(stage), -ENOTSUP);
	assert_alive(stage);
	assert_false(attach_file_is_there(stage));
}

static void test_java_attach__nobody_is_signalled_where_the_attach_file_is_a_strangers(void **state)
{
	struct stage *stage = *state;
	char path[128];

	start(stage, (struct part){.on_quit = true});
	snprintf(path, sizeof(path), "%s/.attach_pid%d", stage->folder, INNER_PID);
	assert_int_equal(symlink("/tmp/nowhere", path), 0);
	assert_int_equal(ask_it(stage), -EEXIST);
	usleep(20000);
	assert_told(stage, NULL, 0);
}

/* The helper finds the process's own /tmp, which here is that of the machine. */
static struct java_question question_for(pid_t pid)
{
	struct java_question question = {.tag = 7, .timeout_ms = PATIENT_MS};

	assert_int_equal(symbolizer_identify(pid, &question.identity), 0);
	return question;
}

static void test_java_attach__asking_does_not_wait_and_the_answer_comes(void **state)
{
	struct stage *stage = *state;
	struct java_question question;
	struct java_attach *attach;
	struct java_answer got;

	start(stage, (struct part){0});
	question = question_for(stage->java.pid);
	assert_int_equal(java_attach_new(&attach), 0);
	assert_int_equal(java_attach_answer(attach, 0, &got), -EAGAIN);
	assert_int_equal(java_attach_ask(attach, &question), 0);
	assert_int_equal(java_attach_under_way(attach), 1);
	assert_int_equal(java_attach_answer(attach, PATIENT_MS + LATE_MS, &got), 0);
	assert_int_equal(got.tag, 7);
	assert_int_equal(got.result, -ENOTSUP);
	assert_int_equal(java_attach_under_way(attach), 0);
	java_attach_free(attach);
	assert_alive(stage);
}

static void test_java_attach__another_image_of_the_process_is_not_asked(void **state)
{
	struct stage *stage = *state;
	struct java_question question;
	struct java_attach *attach;
	struct java_answer got;

	start(stage, (struct part){0});
	question = question_for(stage->java.pid);
	question.identity.start_ns -= 1000000000;
	assert_int_equal(java_attach_new(&attach), 0);
	assert_int_equal(java_attach_ask(attach, &question), 0);
	assert_int_equal(java_attach_answer(attach, PATIENT_MS + LATE_MS, &got), 0);
	assert_int_equal(got.result, -ESRCH);
	java_attach_free(attach);
}

/* A silent JVM, whose socket the helper finds in the machine's /tmp, too. */
static struct java_question silent_question(struct stage *stage, char path[64])
{
	struct java_question question;

	start(stage, (struct part){.listens = true, .manner = SILENT});
	question = question_for(stage->java.pid);
	question.timeout_ms = DEADLINE_MS;
	/* A socket's hard link is the socket. */
	snprintf(path, 64, "/tmp/.java_pid%u", question.identity.ns_pid);
	assert_int_equal(linkat(stage->java.temp, ".java_pid77777777", AT_FDCWD, path, 0), 0);
	return question;
}

/* Of this process, which handles no SIGQUIT. */
static void ask_deaf(struct java_attach *attach, uint64_t tenant)
{
	struct java_question question = question_for(getpid());

	question.identity.tenant = tenant;
	question.tag = 1000;
	assert_int_equal(java_attach_ask(attach, &question), 0);
}

static void expect_answer(struct java_attach *attach, uint32_t tag, int result)
{
	struct java_answer got;

	assert_int_equal(java_attach_answer(attach, LONG_MS + LATE_MS, &got), 0);
	assert_int_equal(got.tag, tag);
	assert_int_equal(got.result, result);
}

static void test_java_attach__a_container_of_silent_jvms_holds_no_other_one_up(void **state)
{
	struct java_attach *attach;
	struct java_question question;
	struct java_answer got;
	char path[64];

	question = silent_question(*state, path);
	question.identity.tenant = 1;
	question.timeout_ms = LONG_MS;
	assert_int_equal(java_attach_new(&attach), 0);
	/* Two are asked, six wait. */
	for (question.tag = 0; question.tag < 10; question.tag++)
		assert_int_equal(java_attach_ask(attach, &question), 0);
	ask_deaf(attach, 2);
	expect_answer(attach, 8, -EAGAIN);
	expect_answer(attach, 9, -EAGAIN);
	expect_answer(attach, 1000, -ENOTSUP);
	/* The two that were asked, in any order; the others are given up. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(java_attach_answer(attach, LONG_MS + LATE_MS, &got), 0);
		assert_in_range(got.tag, 0, 1);
		assert_int_equal(got.result, -ETIME);
	}
	java_attach_free(attach);
}

/* The last child of a process, waited for until there are so many. */
static pid_t child_of(pid_t pid, int number)
{
	char path[64];
	pid_t child = 0;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	for (int64_t until = clock_now_ms() + LATE_MS; found < number && clock_now_ms() < until;) {
		FILE *file = fopen(path, "re");

		for (found = 0; file && found < number && fscanf(file, "%d", &child) == 1;)
			found++;
		fclose(file);
	}
	assert_int_equal(found, number);
	return child;
}

/* Who is traced is not gone for its parent as long as who traces does not wait for it: like one that cannot be killed. */
static void test_java_attach__who_cannot_be_killed_keeps_the_places_of_its_own_container_alone(void **state)
{
	struct java_question question;
	struct java_attach *attach;
	struct java_answer got = {.result = -EAGAIN};
	pid_t children[2];
	char path[64];

	question = silent_question(*state, path);
	question.identity.tenant = 1;
	question.timeout_ms = LONG_MS;
	assert_int_equal(java_attach_new(&attach), 0);
	for (int i = 0; i < 2; i++) {
		question.tag = (uint32_t)i;
		assert_int_equal(java_attach_ask(attach, &question), 0);
		/* The JVM is the first child. */
		children[i] = child_of(child_of(getpid(), 2), i + 1);
		assert_int_equal(ptrace(PTRACE_SEIZE, children[i], NULL, NULL), 0);
	}
	expect_answer(attach, 0, -ETIME);
	question.tag = 2;
	assert_int_equal(java_attach_ask(attach, &question), 0);
	expect_answer(attach, 1, -ETIME);
	expect_answer(attach, 2, -EAGAIN);
	for (int i = 0; i < 20; i++)
		assert_int_equal(java_attach_ask(attach, &question), 0);
	ask_deaf(attach, 2);
	for (int i = 0; i < 20; i++)
		expect_answer(attach, 2, -EAGAIN);
	expect_answer(attach, 1000, -ENOTSUP);
	for (int i = 0; i < 2; i++)
		assert_int_equal(waitpid(children[i], NULL, __WALL), children[i]);
	/* They are gone, which the helper sees within some ms, or later on a busy machine. */
	for (int i = 0; i < 500 && got.result == -EAGAIN; i++) {
		usleep(10000);
		assert_int_equal(java_attach_ask(attach, &question), 0);
		assert_int_equal(java_attach_answer(attach, LONG_MS + LATE_MS, &got), 0);
	}
	assert_int_equal(got.tag, 2);
	assert_int_equal(got.result, -ETIME);
	java_attach_free(attach);
}

static void test_java_attach__many_silent_jvms_are_waited_for_together_and_limited(void **state)
{
	struct java_question question;
	struct java_attach *attach;
	struct java_answer got;
	char path[64];
	int64_t begin;

	question = silent_question(*state, path);
	assert_int_equal(java_attach_new(&attach), 0);
	begin = clock_now_ms();
	for (uint64_t i = 0; i < JAVA_ATTACH_UNDER_WAY_MAX; i++) {
		question.identity.tenant = i / 2;
		assert_int_equal(java_attach_ask(attach, &question), 0);
	}
	assert_int_equal(java_attach_ask(attach, &question), -EAGAIN);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(java_attach_answer(attach, LATE_MS, &got), 0);
		assert_int_equal(got.result, -ETIME);
	}
	assert_in_range(clock_now_ms() - begin, DEADLINE_MS - 10, DEADLINE_MS + LATE_MS);
	/* The others are given up. */
	begin = clock_now_ms();
	java_attach_free(attach);
	assert_in_range(clock_now_ms() - begin, 0, LATE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_java_attach__a_jvm_gets_the_command_and_its_answer_counts, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__an_older_jvm_says_that_it_does_not_know_the_command,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__what_is_no_answer_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_silent_jvm_costs_the_deadline_and_no_more, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_java_attach__each_byte_of_a_slow_answer_counts_against_the_same_deadline, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__an_endless_answer_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_jvm_that_hangs_up_has_not_answered, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_socket_of_another_process_gets_not_one_byte, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__only_a_socket_is_connected_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_process_without_a_handler_is_not_signalled, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_jvm_that_does_not_listen_yet_is_asked_to, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_socket_left_by_an_older_process_is_no_jvm, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_java_attach__nobody_is_signalled_where_the_attach_file_is_a_strangers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__asking_does_not_wait_and_the_answer_comes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__another_image_of_the_process_is_not_asked, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__a_container_of_silent_jvms_holds_no_other_one_up,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_java_attach__who_cannot_be_killed_keeps_the_places_of_its_own_container_alone, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_java_attach__many_silent_jvms_are_waited_for_together_and_limited,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
