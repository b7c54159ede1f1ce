/* SPDX-License-Identifier: BSD-2-Clause */
/* The child: what it cannot do, and what its death costs. Each request is one letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/worker.h"
#include "symbolizer/worker_sandbox.h"
#include "tests/unit/worker_children.h"

static void *start(void)
{
	static int calls;

	return &calls;
}

/* Each by its number alone: what is not allowed is refused before anybody looks at its arguments. */
static const long refused[] = {
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_io_uring_setup,
	SYS_prctl,
	SYS_kill,
	SYS_tgkill,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_prlimit64,
	SYS_setrlimit,
	SYS_clone,
	SYS_clone3,
	SYS_unshare,
	SYS_setns,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_memfd_create,
	SYS_openat2,
	SYS_getdents64,
	SYS_readlink,
	SYS_ioctl,
	SYS_sendmsg,
	SYS_setresuid,
	SYS_rt_sigaction,
	SYS_keyctl,
	SYS_mount,
	SYS_process_madvise,
	SYS_pwrite64,
	SYS_splice,
	SYS_sched_setscheduler,
};

/* The first that is not refused, or 0. */
static int not_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (syscall(refused[i], 0, 0, 0, 0, 0, 0) != -1 || errno != EPERM)
			return (int)refused[i];
	return 0;
}

/* What a child that was taken over could do: answer what it was not asked yet, and read nothing more. */
static void answer_in_advance(void)
{
	uint64_t bytes = 1;

	for (int i = 0; i < 64; i++)
		if (send(WORKER_SOCKET, &bytes, sizeof(bytes), MSG_DONTWAIT) < 0 ||
		    send(WORKER_SOCKET, "x", 1, MSG_DONTWAIT) < 0)
			break;
	for (volatile int forever = 1; forever;)
		;
}

static int result_of(char letter, const int *fds)
{
	struct stat status;
	char byte = 0;

	switch (letter) {
	case 'o':
		return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
	case 'f':
		return syscall(SYS_fork) < 0 ? errno : 0;
	case 's':
		return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
	case 'k':
		return kill(1, 0) < 0 ? errno : 0;
	case 'x':
		return execl("/bin/true", "true", NULL) < 0 ? errno : 0;
	case 'm':
		return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fds[0], 0) == MAP_FAILED ? errno : 0;
	case 'e':
		return mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
	case 'r':
		return pread(fds[0], &byte, 1, 0) == 1 && !fstat(fds[0], &status) && status.st_size == 3 ? byte : -1;
	case 'w':
		return write(fds[0], "x", 1) < 0 ? errno : 0;
	case 'n':
		return not_refused();
	case 't':
		return sendto(WORKER_SOCKET, "", 1, 0, (void *)&byte, 1) < 0 ? errno : 0;
	case 'h':
		return mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED
			       ? errno
			       : 0;
	case 'g':
		return malloc(2 * WORKER_MEMORY_BYTES_MAX) ? 0 : ENOMEM;
	default:
		return -1;
	}
}

static int counter;

static void handle(void *state, const void *request, size_t bytes, const int *fds, size_t fd_count,
		   struct worker_bytes *answer)
{
	char letter = *(const char *)request;
	volatile char *nowhere = NULL;
	volatile int forever = 1;
	int result;

	counter++;
	if (letter == 'S')
		*nowhere = 1;
	if (letter == 'A')
		abort();
	if (letter == 'P')
		answer_in_advance();
	while (letter == 'L' && forever)
		;
	/* For ever, as for a file that does not come. */
	if (letter == 'I')
		syscall(SYS_futex, &forever, 0, 1, NULL, NULL, 0);
	if (letter == '=')
		worker_bytes_add(answer, request, bytes);
	else if (letter == '#')
		worker_bytes_add(answer, &counter, sizeof(counter));
	else if (letter == 'B')
		for (int i = 0; i < 40; i++)
			worker_bytes_add(answer, request, bytes);
	else {
		result = result_of(letter, fds);
		worker_bytes_add(answer, &result, sizeof(result));
	}
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

static const struct worker_handler handler = {start, handle};

static int set_up(void **state)
{
	return worker_new(&handler, (struct worker **)state);
}

static int tear_down(void **state)
{
	worker_free(*state);
	return 0;
}

static int call(struct worker *worker, const char *request, size_t bytes, int fd, struct worker_bytes *answer)
{
	return worker_call(worker, request, bytes, &fd, fd >= 0, 2000, answer);
}

static int ask(struct worker *worker, const char *letter, int fd)
{
	struct worker_bytes answer = {0};
	int result;

	assert_int_equal(call(worker, letter, 1, fd, &answer), 0);
	assert_int_equal(answer.list.count, sizeof(result));
	memcpy(&result, answer.list.items, sizeof(result));
	array_deinit(&answer.list);
	return result;
}

static int file_of(const char *text)
{
	int fd = memfd_create("file", 0);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void test_worker__answers_what_it_was_asked(void **state)
{
	struct worker_bytes answer = {0};

	assert_int_equal(call(*state, "=hello", 6, -1, &answer), 0);
	assert_int_equal(answer.list.count, 6);
	assert_memory_equal(answer.list.items, "=hello", 6);
	array_deinit(&answer.list);
}

static void test_worker__long_answers_arrive_whole(void **state)
{
	struct worker_bytes answer = {0};
	static char request[50000] = "B";

	for (size_t i = 1; i < sizeof(request); i++)
		request[i] = (char)i;
	assert_int_equal(call(*state, request, sizeof(request), -1, &answer), 0);
	assert_int_equal(answer.list.count, 40 * sizeof(request));
	for (int i = 0; i < 40; i++)
		assert_memory_equal(answer.list.items + (size_t)i * sizeof(request), request, sizeof(request));
	array_deinit(&answer.list);
}

static void test_worker__reads_the_descriptors_that_it_is_given(void **state)
{
	int fd = file_of("abc");

	for (int i = 0; i < 5000; i++)
		if (ask(*state, "r", fd) != 'a')
			fail_msg("request %d was not answered: are descriptors leaking?", i);
	close(fd);
}

static void test_worker__can_open_fork_connect_kill_exec_and_map_nothing(void **state)
{
	int fd = file_of("abc");

	assert_int_equal(ask(*state, "o", -1), EPERM);
	assert_int_equal(ask(*state, "f", -1), EPERM);
	assert_int_equal(ask(*state, "s", -1), EPERM);
	assert_int_equal(ask(*state, "k", -1), EPERM);
	assert_int_equal(ask(*state, "x", -1), EPERM);
	assert_int_equal(ask(*state, "m", fd), EPERM);
	assert_int_equal(ask(*state, "e", -1), EPERM);
	assert_int_equal(ask(*state, "w", fd), EPERM);
	close(fd);
}

static void test_worker__can_reach_no_other_process_and_change_none_of_its_limits(void **state)
{
	assert_int_equal(ask(*state, "n", -1), 0);
	assert_int_equal(ask(*state, "t", -1), EPERM);
	assert_int_equal(ask(*state, "h", -1), EPERM);
}

#ifndef __SANITIZE_ADDRESS__
static void test_worker__memory_is_limited(void **state)
{
	assert_int_equal(ask(*state, "g", -1), ENOMEM);
}
#endif

/* What /proc says of the parser, the nursery's child. */
static void parser_file(const char *name, char *text, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", parsing_child(), name);
	file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void test_worker__is_nobody_and_may_nothing(void **state)
{
	char status[4096], uid[64];

	worker_generation(*state);
	ask(*state, "o", -1);
	parser_file("status", status, sizeof(status));
	snprintf(uid, sizeof(uid), "Uid:\t%d\t", geteuid() ? (int)geteuid() : WORKER_UID);
	assert_non_null(strstr(status, uid));
	assert_non_null(strstr(status, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(status, "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(status, "NoNewPrivs:\t1"));
	assert_non_null(strstr(status, "Seccomp:\t2"));
}

static void test_worker__CPU_time_is_limited(void **state)
{
	char limits[4096];

	ask(*state, "o", -1);
	parser_file("limits", limits, sizeof(limits));
	assert_non_null(strstr(limits, "\nMax file size"));
	assert_null(strstr(limits, "Max cpu time              unlimited"));
}

static char state_of_parser(void)
{
	char text[512], letter;

	parser_file("stat", text, sizeof(text));
	assert_int_equal(sscanf(text, "%*d (%*[^)]) %c", &letter), 1);
	return letter;
}

static char wait_for_state(char wanted)
{
	char letter = 0;

	for (int i = 0; i < 500 && (letter = state_of_parser()) != wanted; i++)
		usleep(10000);
	return letter;
}

static void test_worker__that_is_asked_nothing_does_not_run(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(*state, "o", -1), EPERM);
		assert_int_equal(wait_for_state('T'), 'T');
	}
}

static void test_worker__crash_costs_one_request(void **state)
{
	struct worker_bytes answer = {0};
	uint32_t generation = worker_generation(*state);

	assert_int_equal(ask(*state, "o", -1), EPERM);
	assert_int_equal(call(*state, "S", 1, -1, &answer), -EIO);
	assert_int_equal(call(*state, "A", 1, -1, &answer), -EIO);
	assert_int_equal(ask(*state, "#", -1), 1);
	assert_int_equal(worker_generation(*state), generation + 2);
	assert_int_equal(worker_counts(*state).crashes, 2);
	assert_int_equal(worker_counts(*state).requests, 4);
}

static void count_call(void *data)
{
	++*(int *)data;
}

static void test_worker__deadline_ends_it_while_the_caller_goes_on_with_its_work(void **state)
{
	struct worker_bytes answer = {0};
	struct timespec before, after;
	int calls = 0;

	worker_set_waiting(*state, (struct worker_waiting){count_call, &calls});
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(worker_call(*state, "L", 1, NULL, 0, 1500, &answer), -ETIME);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(calls >= 3);
	/* Its clock counts whole milliseconds. */
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec > 1498000000);
	assert_int_equal(worker_counts(*state).timeouts, 1);
	worker_set_waiting(*state, (struct worker_waiting){0});
	assert_int_equal(ask(*state, "o", -1), EPERM);
}

static void test_worker__that_has_only_waited_is_told_from_one_that_computes(void **state)
{
	struct worker_bytes answer = {0};

	assert_int_equal(worker_call(*state, "I", 1, NULL, 0, 20000, &answer), -EBUSY);
	assert_int_equal(worker_call(*state, "I", 1, NULL, 0, 300, &answer), -EBUSY);
	assert_int_equal(worker_counts(*state).timeouts, 2);
	assert_int_equal(ask(*state, "o", -1), EPERM);
}

static void test_worker__deadline_ends_it_at_once(void **state)
{
	struct worker_bytes answer = {0};

	assert_int_equal(worker_call(*state, "L", 1, NULL, 0, 50, &answer), -ETIME);
	assert_int_equal(wait_for_state('Z'), 'Z');
}

static void test_worker__that_cannot_be_killed_is_left_behind_until_it_ends(void **state)
{
	/* The second is told from the first, which is back by then. */
	for (uint64_t i = 1; i <= 2; i++) {
		struct worker_bytes answer = {0};
		struct pollfd left = {.events = POLLIN};
		pid_t child;

		assert_int_equal(ask(*state, "o", -1), EPERM);
		child = parsing_child();
		hold(child);
		assert_int_equal(worker_call(*state, "o", 1, NULL, 0, 100, &answer), -EBUSY);
		assert_int_equal(ask(*state, "o", -1), EPERM);
		assert_int_equal(worker_counts(*state).stuck, i);
		left.fd = worker_take_left(*state);
		assert_true(left.fd >= 0);
		assert_int_equal(worker_take_left(*state), -1);
		assert_int_equal(poll(&left, 1, 100), 0);
		let_go(child);
		assert_int_equal(poll(&left, 1, 5000), 1);
		close(left.fd);
		worker_stop_child(*state);
	}
}

/* Who is killed needs a CPU to end: one that shares it with somebody, and comes last, has not waited for a file. */
static void test_worker__that_is_killed_and_waits_for_a_cpu_is_not_left_behind(void **state)
{
	const struct sched_param none = {0};
	cpu_set_t cpus, one;
	pid_t other, child;
	int answered;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &cpus))
			CPU_SET(i, &one);
	assert_int_equal(ask(*state, "o", -1), EPERM);
	child = parsing_child();
	assert_int_equal(sched_setaffinity(child, sizeof(one), &one), 0);
	assert_int_equal(sched_setscheduler(child, SCHED_IDLE, &none), 0);
	other = fork();
	for (prctl(PR_SET_PDEATHSIG, other ? 0 : SIGKILL, 0, 0, 0); !other;)
		;
	sched_setaffinity(other, sizeof(one), &one);
	usleep(50000);
	worker_stop_child(*state);
	answered = ask(*state, "o", -1);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	assert_int_equal(answered, EPERM);
	assert_int_equal(worker_counts(*state).stuck, 0);
}

static void test_worker__that_answers_in_advance_and_reads_nothing_blocks_nobody(void **state)
{
	static char request[60000] = "P";
	struct worker_bytes answer = {0};
	int err = 0;

	alarm(20);
	for (int i = 0; i < 64 && !err; i++)
		err = call(*state, request, sizeof(request), -1, &answer);
	alarm(0);
	assert_int_equal(err, -EIO);
	assert_int_equal(worker_counts(*state).crashes, 1);
	array_deinit(&answer.list);
	assert_int_equal(ask(*state, "o", -1), EPERM);
}

static void kill_nursery(void *data)
{
	kill(*(pid_t *)data, SIGKILL);
}

static void test_worker__does_not_outlive_its_nursery(void **state)
{
	struct worker_bytes answer = {0};
	pid_t nursery = first_child_of(getpid());

	ask(*state, "o", -1);
	worker_set_waiting(*state, (struct worker_waiting){kill_nursery, &nursery});
	assert_int_equal(call(*state, "L", 1, -1, &answer), -EIO);
	assert_int_equal(call(*state, "o", 1, -1, &answer), -EAGAIN);
}

static void test_worker__too_long_a_request_is_refused(void **state)
{
	static char request[WORKER_REQUEST_BYTES_MAX + 1] = "=";
	struct worker_bytes answer = {0};

	assert_int_equal(call(*state, request, sizeof(request), -1, &answer), -EINVAL);
	assert_int_equal(call(*state, request, sizeof(request) - 1, -1, &answer), 0);
	assert_int_equal(answer.list.count, WORKER_REQUEST_BYTES_MAX);
	array_deinit(&answer.list);
	assert_int_equal(ask(*state, "o", -1), EPERM);
}

/* The children hold nothing that keeps a killed caller's resources alive: their sockets close and they end. */
static void test_worker__ends_with_a_caller_that_was_killed(void **state)
{
	int pair[2], ready;
	pid_t caller;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	caller = fork();
	if (!caller) {
		struct worker *worker;

		ready = !worker_new(&handler, &worker) && ask(worker, "o", -1) == EPERM;
		if (write(pair[1], ready ? "y" : "n", 1) == 1)
			pause();
		_exit(1);
	}
	close(pair[1]);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	kill(caller, SIGKILL);
	assert_int_equal(waitpid(caller, NULL, 0), caller);
	/* The nursery, orphaned, is ours now: that it ends is what is awaited here. */
	alarm(20);
	while (waitpid(-1, NULL, 0) > 0)
		;
	alarm(0);
	assert_int_equal(errno, ECHILD);
	close(pair[0]);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

#define worker_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		worker_test(test_worker__answers_what_it_was_asked),
		worker_test(test_worker__long_answers_arrive_whole),
		worker_test(test_worker__reads_the_descriptors_that_it_is_given),
		worker_test(test_worker__can_open_fork_connect_kill_exec_and_map_nothing),
		worker_test(test_worker__can_reach_no_other_process_and_change_none_of_its_limits),
#ifndef __SANITIZE_ADDRESS__
		worker_test(test_worker__memory_is_limited),
#endif
		worker_test(test_worker__is_nobody_and_may_nothing),
		worker_test(test_worker__CPU_time_is_limited),
		worker_test(test_worker__that_is_asked_nothing_does_not_run),
		worker_test(test_worker__crash_costs_one_request),
		worker_test(test_worker__deadline_ends_it_while_the_caller_goes_on_with_its_work),
		worker_test(test_worker__that_has_only_waited_is_told_from_one_that_computes),
		worker_test(test_worker__deadline_ends_it_at_once),
		worker_test(test_worker__that_cannot_be_killed_is_left_behind_until_it_ends),
		worker_test(test_worker__that_is_killed_and_waits_for_a_cpu_is_not_left_behind),
		worker_test(test_worker__that_answers_in_advance_and_reads_nothing_blocks_nobody),
		worker_test(test_worker__does_not_outlive_its_nursery),
		worker_test(test_worker__too_long_a_request_is_refused),
		cmocka_unit_test(test_worker__ends_with_a_caller_that_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
