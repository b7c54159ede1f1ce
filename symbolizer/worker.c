/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"
#include "symbolizer/process_files.h"
#include "symbolizer/worker_sandbox.h"

#define NAME "stoker-parser"
#define PIECE_BYTES 65536 /* of an answer, in one message */
#define WAITING_EVERY_MS 20
#define START_TIMEOUT_MS 5000
#define IDLE_MS 2000	 /* a child that neither computes nor answers for so long is given up */
#define ENDING_MS 200	 /* how long a killed child may take to end before it counts as stuck */
#define LEFTOVERS_MAX 64 /* children that wait for a file system that does not answer */

struct worker {
	const struct worker_handler *handler;
	pid_t nursery_pid;
	int nursery; /* socket to it */
	bool asked;  /* it owes an answer: a child that took too long to start */
	int socket;  /* to the child, or -1 */
	int pidfd;   /* the child, or -1 */
	pid_t child;
	uint32_t generation;
	struct worker_waiting waiting;
	struct worker_counts counts;
};

/* The nursery's word of a new parser. */
struct new_child {
	pid_t pid;  /* -1: there is none */
	bool stuck; /* what was before it could not be killed */
};

/* What the nursery knows. */
struct nursery {
	const struct worker_handler *handler;
	int control; /* socket to the caller */
	int socket;  /* the caller's end of the parser's, or -1 */
	pid_t children
		[LEFTOVERS_MAX]; /* [count], not reaped: the parser, who opens files, and those that cannot be killed */
	size_t count;
	size_t stuck; /* of them, when last counted */
};

/* Before each answer's bytes. */
struct answer_header {
	uint64_t bytes;
};

/* A message with descriptors, as both sides send and take it. */
struct packet {
	struct iovec part;
	struct msghdr message;
	union {
		char space[CMSG_SPACE(WORKER_DESCRIPTORS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
};

int worker_bytes_add(struct worker_bytes *bytes, const void *data, size_t size)
{
	if (array_reserve(&bytes->list, size))
		return -ENOMEM;
	/* An empty part may have no address. */
	if (size)
		memcpy(bytes->list.items + bytes->list.count, data, size);
	bytes->list.count += size;
	return 0;
}

static void packet_init(struct packet *packet, void *data, size_t bytes)
{
	memset(packet, 0, sizeof(*packet));
	packet->part = (struct iovec){data, bytes};
	packet->message.msg_iov = &packet->part;
	packet->message.msg_iovlen = 1;
}

/* Never blocks: each side has read everything before the other writes, but for one that has been taken over. */
static int send_packet(int socket, const void *data, size_t bytes, const int *fds, size_t fd_count)
{
	struct packet packet;
	ssize_t sent;

	packet_init(&packet, (void *)data, bytes);
	if (fd_count) {
		struct cmsghdr *header;

		packet.message.msg_control = packet.control.space;
		packet.message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&packet.message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(socket, &packet.message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)bytes ? 0 : -EPIPE;
}

/* Returns the bytes, 0 at the other side's end, or a negative errno. */
static ssize_t take_packet(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count)
{
	struct packet packet;
	ssize_t got;

	packet_init(&packet, data, size);
	packet.message.msg_control = packet.control.space;
	packet.message.msg_controllen = sizeof(packet.control.space);
	do
		got = recvmsg(socket, &packet.message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	*ret_fd_count = 0;
	if (got < 0)
		return -errno;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&packet.message); header;
	     header = CMSG_NXTHDR(&packet.message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
		*ret_fd_count = count;
	}
	return packet.message.msg_flags & MSG_TRUNC ? -EMSGSIZE : got;
}

/* Waits for room, and by a call that can send no descriptors: the sandbox has no other. */
static int send_piece(int socket, const void *data, size_t bytes)
{
	ssize_t sent;

	do
		sent = send(socket, data, bytes, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)bytes ? 0 : -EPIPE;
}

static int send_answer(int socket, const struct worker_bytes *answer)
{
	struct answer_header header = {answer->list.count};
	int err = send_piece(socket, &header, sizeof(header));

	for (size_t at = 0; at < answer->list.count && !err; at += PIECE_BYTES) {
		size_t left = answer->list.count - at;

		err = send_piece(socket, answer->list.items + at, left < PIECE_BYTES ? left : PIECE_BYTES);
	}
	return err;
}

/* The child: until its socket closes. */
__attribute__((noreturn)) static void serve(const struct worker_handler *handler, int socket, pid_t nursery)
{
	_Alignas(8) char request[WORKER_REQUEST_BYTES_MAX];
	int fds[WORKER_DESCRIPTORS_MAX];
	size_t fd_count;
	void *state;

	if (worker_sandbox_enter(socket, nursery))
		_exit(1);
	socket = WORKER_SOCKET;
	state = handler->start();
	while (state) {
		struct worker_bytes answer = {0};
		ssize_t got = take_packet(socket, request, sizeof(request), fds, &fd_count);
		int err;

		if (got <= 0)
			break;
		handler->handle(state, request, (size_t)got, fds, fd_count, &answer);
		err = send_answer(socket, &answer);
		array_deinit(&answer.list);
		if (err)
			break;
	}
	_exit(0);
}

static void reap(struct nursery *nursery)
{
	for (size_t i = nursery->count; i-- > 0;)
		if (waitpid(nursery->children[i], NULL, WNOHANG) == nursery->children[i])
			nursery->children[i] = nursery->children[--nursery->count];
}

/*
 * Kills them all and waits a little: who waits for a file system in another process (FUSE) takes no signal until that one
 * answers, or ends. True where more are left than before: what they were at is not to be touched again.
 */
static bool end_children(struct nursery *nursery)
{
	size_t stuck = nursery->stuck;

	for (size_t i = 0; i < nursery->count; i++)
		kill(nursery->children[i], SIGKILL);
	for (int waited = 0; waited < ENDING_MS; waited++) {
		reap(nursery);
		if (nursery->count <= stuck)
			break;
		poll(NULL, 0, 1);
	}
	nursery->stuck = nursery->count;
	if (nursery->socket >= 0)
		close(nursery->socket);
	nursery->socket = -1;
	return nursery->stuck > stuck;
}

/* The child's number is kept until it was reaped. */
static pid_t fork_child(struct nursery *nursery)
{
	pid_t child;

	reap(nursery);
	if (nursery->count >= LEFTOVERS_MAX)
		return -1;
	child = fork();
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	else if (child > 0)
		nursery->children[nursery->count++] = child;
	return child;
}

/* A new parser in place of the old one; the answer comes with the caller's end of its socket, and its pidfd. */
static int replace_parser(struct nursery *nursery)
{
	struct new_child answer = {.stuck = end_children(nursery)};
	int pair[2], pidfd, given[2], err;
	pid_t us = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	answer.pid = fork_child(nursery);
	if (!answer.pid)
		serve(nursery->handler, pair[1], us);
	close(pair[1]);
	nursery->socket = pair[0];
	pidfd = answer.pid > 0 ? (int)syscall(SYS_pidfd_open, answer.pid, 0) : -1;
	given[0] = pair[0];
	given[1] = pidfd;
	err = send_packet(nursery->control, &answer, sizeof(answer), given, pidfd < 0 ? 0 : 2);
	if (pidfd >= 0)
		close(pidfd);
	return err;
}

/*
 * Opens what a request is about and hands both to the parser. This one has the caller's rights and looks at nothing: it
 * only waits, for as long as the files' system likes. A file that cannot be opened is left out, and those after it.
 */
__attribute__((noreturn)) static void open_and_pass_on(const struct nursery *nursery, const char *request, size_t bytes,
						       const int *path_fds, size_t count)
{
	int fds[WORKER_DESCRIPTORS_MAX];
	size_t opened = 0;

	close(nursery->control);
	while (opened < count) {
		fds[opened] = process_files_reopen(path_fds[opened]);
		if (fds[opened] < 0)
			break;
		opened++;
	}
	_exit(send_packet(nursery->socket, request, bytes, fds, opened) ? 1 : 0);
}

/* One byte alone asks for a new parser; O_PATH descriptors come with a request for the one that there is. */
__attribute__((noreturn)) static void nurse(struct nursery *nursery)
{
	char request[WORKER_REQUEST_BYTES_MAX];
	int fds[WORKER_DESCRIPTORS_MAX];
	size_t fd_count;

	for (;;) {
		struct pollfd polled = {.fd = nursery->control, .events = POLLIN};
		ssize_t got;

		/* Who has opened something is done in a moment: no zombie waits for the next request. */
		while (nursery->count > nursery->stuck + 1 && !poll(&polled, 1, WAITING_EVERY_MS))
			reap(nursery);
		got = take_packet(nursery->control, request, sizeof(request), fds, &fd_count);

		if (got <= 0 || (got == 1 && !fd_count && replace_parser(nursery)))
			break;
		if (fd_count && nursery->socket >= 0 && !fork_child(nursery))
			open_and_pass_on(nursery, request, (size_t)got, fds, fd_count);
		for (size_t i = 0; i < fd_count; i++)
			close(fds[i]);
	}
	end_children(nursery);
	_exit(0);
}

__attribute__((noreturn)) static void become_nursery(const struct worker_handler *handler, int control)
{
	static const int terminal_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	struct nursery nursery = {.handler = handler, .control = 3, .socket = -1};
	sigset_t none;

	/* The caller decides when this ends: Ctrl-C is for it alone, and its last names are still to be found. */
	for (size_t i = 0; i < ARRAY_LENGTH(terminal_signals); i++)
		signal(terminal_signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, NAME, 0, 0, 0);
	if (dup2(control, 3) < 0 || close_range(4, ~0u, 0))
		_exit(1);
	nurse(&nursery);
}

int worker_new(const struct worker_handler *handler, struct worker **ret_worker)
{
	_cleanup_free_ struct worker *worker = calloc(1, sizeof(*worker));
	int pair[2];

	if (!worker)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	worker->handler = handler;
	worker->socket = worker->pidfd = -1;
	worker->nursery_pid = fork();
	if (!worker->nursery_pid)
		become_nursery(handler, pair[1]);
	close(pair[1]);
	if (worker->nursery_pid < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	worker->nursery = pair[0];
	*ret_worker = take_ptr(worker);
	return 0;
}

static void signal_child(const struct worker *worker, int number)
{
	syscall(SYS_pidfd_send_signal, worker->pidfd, number, NULL, 0);
}

static void drop_child(struct worker *worker)
{
	if (worker->socket < 0)
		return;
	signal_child(worker, SIGKILL);
	close(worker->pidfd);
	close(worker->socket);
	worker->socket = worker->pidfd = -1;
}

bool worker_has_child(const struct worker *worker)
{
	return worker->socket >= 0;
}

void worker_stop_child(struct worker *worker)
{
	drop_child(worker);
}

void worker_discard(struct worker *worker)
{
	drop_child(worker);
	worker->counts.crashes++;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	drop_child(worker);
	close(worker->nursery);
	while (waitpid(worker->nursery_pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(worker);
}

void worker_set_waiting(struct worker *worker, struct worker_waiting waiting)
{
	worker->waiting = waiting;
}

struct worker_counts worker_counts(const struct worker *worker)
{
	return worker->counts;
}

static uint64_t child_cpu_ns(const struct worker *worker)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(worker->child, &clock) || clock_gettime(clock, &used))
		return 0;
	return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
}

static int wait_until(struct worker *worker, int socket, int64_t deadline_ms)
{
	struct pollfd polled = {.fd = socket, .events = POLLIN};
	uint64_t cpu_ns = 0;
	bool called = false;
	int idle = 0;

	for (;;) {
		int64_t left = deadline_ms - clock_now_ms();

		/* Whoever was stopped or starved past the deadline looks once before it gives up. */
		if (poll(&polled, 1, left <= 0 ? 0 : left < WAITING_EVERY_MS ? (int)left : WAITING_EVERY_MS) > 0)
			return 0;
		if (left <= 0 && (called || !worker->waiting.call))
			return -ETIME;
		/* It computes or it reads; who does neither for so long waits for a file that does not come. */
		idle = child_cpu_ns(worker) == cpu_ns ? idle + 1 : 0;
		cpu_ns = child_cpu_ns(worker);
		if (socket == worker->socket && idle > IDLE_MS / WAITING_EVERY_MS)
			return -ETIME;
		if (worker->waiting.call)
			worker->waiting.call(worker->waiting.data);
		called = true;
	}
}

static int start_child(struct worker *worker)
{
	int64_t deadline_ms = clock_now_ms() + (worker->asked ? 0 : START_TIMEOUT_MS);
	int fds[WORKER_DESCRIPTORS_MAX];
	size_t fd_count = 0;
	struct new_child child = {0};
	char byte = 0;

	if (!worker->asked && send_packet(worker->nursery, &byte, 1, NULL, 0))
		return -EAGAIN;
	worker->asked = true;
	if (wait_until(worker, worker->nursery, deadline_ms))
		return -EAGAIN;
	worker->asked = false;
	if (take_packet(worker->nursery, &child, sizeof(child), fds, &fd_count) != sizeof(child) || fd_count != 2)
		return -EAGAIN;
	worker->socket = fds[0];
	worker->pidfd = fds[1];
	worker->generation++;
	worker->child = child.pid;
	worker->counts.stuck += child.stuck;
	return 0;
}

uint32_t worker_generation(struct worker *worker)
{
	if (worker->socket < 0 && start_child(worker))
		log_debug("no child to parse in can be started");
	return worker->generation;
}

static int take_piece(struct worker *worker, void *data, size_t size, int64_t deadline_ms)
{
	int fds[WORKER_DESCRIPTORS_MAX], err = wait_until(worker, worker->socket, deadline_ms);
	size_t fd_count = 0;
	ssize_t got;

	if (err)
		return err;
	got = take_packet(worker->socket, data, size, fds, &fd_count);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	return got == (ssize_t)size ? 0 : -EIO;
}

static int take_answer(struct worker *worker, int64_t deadline_ms, struct worker_bytes *answer)
{
	struct answer_header header;
	int err = take_piece(worker, &header, sizeof(header), deadline_ms);

	if (!err && header.bytes > WORKER_ANSWER_BYTES_MAX)
		err = -EIO;
	if (!err && array_reserve(&answer->list, header.bytes))
		err = -ENOMEM;
	while (!err && answer->list.count < header.bytes) {
		size_t left = header.bytes - answer->list.count, size = left < PIECE_BYTES ? left : PIECE_BYTES;

		err = take_piece(worker, answer->list.items + answer->list.count, size, deadline_ms);
		answer->list.count += size;
	}
	return err;
}

int worker_call(struct worker *worker, const void *request, size_t bytes, const int *fds, size_t fd_count,
		int timeout_ms, struct worker_bytes *ret_answer)
{
	struct worker_bytes answer = {0};
	int err;

	if (!bytes || bytes > WORKER_REQUEST_BYTES_MAX || fd_count > WORKER_DESCRIPTORS_MAX)
		return -EINVAL;
	if (worker->socket < 0 && start_child(worker))
		return -EAGAIN;
	worker->counts.requests++;
	signal_child(worker, SIGCONT);
	/* Opening may wait for ever: another child does that, and sends the request on. */
	err = send_packet(fd_count ? worker->nursery : worker->socket, request, bytes, fds, fd_count) ? -EIO : 0;
	if (!err)
		err = take_answer(worker, clock_now_ms() + timeout_ms, &answer);
	if (err) {
		/* Whatever went wrong, this child is out of step: the next request gets a new one. */
		drop_child(worker);
		worker->counts.crashes += err == -EIO;
		worker->counts.timeouts += err == -ETIME;
		array_deinit(&answer.list);
		return err;
	}
	/* One that was taken over could go on for nobody, and take back any limit that it had set itself. */
	signal_child(worker, SIGSTOP);
	array_deinit(&ret_answer->list);
	*ret_answer = answer;
	return 0;
}
