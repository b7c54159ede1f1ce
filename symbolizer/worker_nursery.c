/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/worker_nursery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/helper_process.h"
#include "symbolizer/path_lookup.h"
#include "symbolizer/process_files.h"
#include "symbolizer/worker_packet.h"
#include "symbolizer/worker_sandbox.h"

#define NAME "stoker-parser"
#define REAP_EVERY_MS 20
#define ENDING_MS 200	       /* how long a killed child may take to end before it counts as stuck */
#define ENDING_STARVED_MS 2000 /* and how long it may wait for a CPU besides, or compute */

/* Not reaped: until then a number is that child's alone. */
struct child {
	pid_t pid;
	bool left; /* behind: it was killed, and is still there */
};

struct children {
	struct child list[NURSERY_CHILDREN_MAX]; /* [count] */
	size_t count;
};

/* What the nursery knows. */
struct nursery {
	const struct worker_handler *handler;
	int control;		  /* socket to the caller */
	int socket;		  /* the caller's end of the parser's, or -1 */
	struct children children; /* the parser, who opens files, and those that cannot be killed */
	struct children lookups;
	int64_t lookups_end_ms; /* who is still there then is lost */
};

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
	struct worker_answer_header header = {answer->list.count};
	int err = send_piece(socket, &header, sizeof(header));

	for (size_t at = 0; at < answer->list.count && !err; at += WORKER_PIECE_BYTES) {
		size_t left = answer->list.count - at;

		err = send_piece(socket, answer->list.items + at,
				 left < WORKER_PIECE_BYTES ? left : WORKER_PIECE_BYTES);
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
		ssize_t got = worker_packet_take(socket, request, sizeof(request), fds, &fd_count);
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

static void reap(struct children *children)
{
	for (size_t i = children->count; i-- > 0;)
		if (waitpid(children->list[i].pid, NULL, WNOHANG) == children->list[i].pid)
			children->list[i] = children->list[--children->count];
}

static size_t left_behind(const struct children *children)
{
	size_t count = 0;

	for (size_t i = 0; i < children->count; i++)
		count += children->list[i].left;
	return count;
}

static void kill_all(const struct children *children)
{
	for (size_t i = 0; i < children->count; i++)
		kill(children->list[i].pid, SIGKILL);
}

static bool has_running(const struct children *children)
{
	for (size_t i = 0; i < children->count; i++)
		if (!children->list[i].left && process_files_state(children->list[i].pid) == 'R')
			return true;
	return false;
}

/*
 * Kills them all and waits a little: who waits for a file system in another process (FUSE) takes no signal until that one
 * answers, or ends. Returns one that is left behind from now on, whose file is not to be touched as long as it is there; or 0.
 */
static pid_t end_children(struct nursery *nursery)
{
	int64_t starved_end_ms = clock_now_ms() + ENDING_STARVED_MS;
	struct children *children = &nursery->children;
	pid_t left = 0;

	kill_all(children);
	for (int waited = 0; waited < ENDING_MS;) {
		reap(children);
		if (children->count == left_behind(children))
			break;
		poll(NULL, 0, 1);
		waited += clock_now_ms() >= starved_end_ms || !has_running(children);
	}
	for (size_t i = 0; i < children->count; i++) {
		if (!children->list[i].left)
			left = children->list[i].pid;
		children->list[i].left = true;
	}
	if (nursery->socket >= 0)
		close(nursery->socket);
	nursery->socket = -1;
	return left;
}

static pid_t fork_child(struct children *children)
{
	pid_t child;

	reap(children);
	if (children->count >= NURSERY_CHILDREN_MAX)
		return -1;
	child = fork();
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	else if (child > 0)
		children->list[children->count++] = (struct child){.pid = child};
	return child;
}

static int open_pidfd(pid_t child)
{
	return child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
}

static int replace_parser(struct nursery *nursery)
{
	pid_t us = getpid(), left = end_children(nursery);
	_cleanup_close_ int left_fd = open_pidfd(left), pidfd = -1;
	struct nursery_child answer = {.stuck = left > 0};
	size_t count = 0;
	int pair[2], given[3];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	answer.pid = fork_child(&nursery->children);
	if (!answer.pid)
		serve(nursery->handler, pair[1], us);
	close(pair[1]);
	nursery->socket = pair[0];
	pidfd = open_pidfd(answer.pid);
	if (pidfd < 0)
		answer.pid = -1;
	if (pidfd >= 0) {
		given[count++] = pair[0];
		given[count++] = pidfd;
	}
	if (left_fd >= 0)
		given[count++] = left_fd;
	return worker_packet_send(nursery->control, NULL, 0, &answer, sizeof(answer), given, count);
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
	_exit(worker_packet_send(nursery->socket, NULL, 0, request, bytes, fds, opened) ? 1 : 0);
}

/* Many may be wanted at once, when a recording begins: those before are given a moment. */
static void look_up(struct nursery *nursery, const char *request, size_t bytes, const int *fds, size_t fd_count)
{
	pid_t child;

	for (int waited = 0; waited < ENDING_MS && clock_now_ms() < nursery->lookups_end_ms; waited++) {
		reap(&nursery->lookups);
		if (nursery->lookups.count < NURSERY_CHILDREN_MAX)
			break;
		poll(NULL, 0, 1);
	}
	child = fork_child(&nursery->lookups);
	if (!child) {
		close(nursery->control);
		if (nursery->socket >= 0)
			close(nursery->socket);
		path_lookup_serve(request, bytes, fds, fd_count);
	}
	if (child > 0)
		nursery->lookups_end_ms = clock_now_ms() + PATH_LOOKUP_LIFE_MS;
}

/* Is there a child that will be done in a moment? */
static bool has_passing(const struct nursery *nursery)
{
	return nursery->children.count > left_behind(&nursery->children) + 1 ||
	       (nursery->lookups.count && clock_now_ms() < nursery->lookups_end_ms);
}

static int take_order(struct nursery *nursery, enum nursery_order order, const char *request, size_t bytes,
		      const int *fds, size_t fd_count)
{
	switch (order) {
	case NURSERY_NEW_PARSER:
		return replace_parser(nursery);
	case NURSERY_PASS_ON:
		if (nursery->socket >= 0 && !fork_child(&nursery->children))
			open_and_pass_on(nursery, request, bytes, fds, fd_count);
		return 0;
	case NURSERY_LOOK_UP:
		look_up(nursery, request, bytes, fds, fd_count);
		return 0;
	}
	return -EINVAL;
}

__attribute__((noreturn)) static void nurse(struct nursery *nursery)
{
	struct {
		enum nursery_order order;
		char request[WORKER_REQUEST_BYTES_MAX];
	} message;
	const size_t head = offsetof(__typeof__(message), request);
	int fds[WORKER_DESCRIPTORS_MAX], err = 0;
	size_t fd_count;

	while (!err) {
		struct pollfd polled = {.fd = nursery->control, .events = POLLIN};
		ssize_t got;

		/* No zombie waits for the next order. */
		while (has_passing(nursery) && !poll(&polled, 1, REAP_EVERY_MS)) {
			reap(&nursery->children);
			reap(&nursery->lookups);
		}
		got = worker_packet_take(nursery->control, &message, sizeof(message), fds, &fd_count);
		if (got < (ssize_t)head)
			break;
		err = take_order(nursery, message.order, message.request, (size_t)got - head, fds, fd_count);
		for (size_t i = 0; i < fd_count; i++)
			close(fds[i]);
	}
	kill_all(&nursery->lookups);
	end_children(nursery);
	_exit(0);
}

void worker_nursery_run(const struct worker_handler *handler, int control)
{
	struct nursery nursery = {.handler = handler, .control = HELPER_SOCKET, .socket = -1};

	helper_process_init(control, NAME);
	if (handler->nice)
		setpriority(PRIO_PROCESS, 0, handler->nice);
	nurse(&nursery);
}
