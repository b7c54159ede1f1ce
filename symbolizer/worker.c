/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"
#include "symbolizer/process_files.h"
#include "symbolizer/worker_nursery.h"
#include "symbolizer/worker_packet.h"

#define WAITING_EVERY_MS 20
#define START_TIMEOUT_MS 5000
#define STARVED_TIMES 5 /* the time of a request, for a child that gets no CPU */
#define IDLE_MS \
	1000 /* a child that neither computes, wants to, nor answers for so long waits for a file that does not come */

/* A request under way. */
struct turn {
	uint64_t timeout_ns; /* of busy_ns */
	uint64_t end_ns;     /* of time that passes */
	uint64_t cpu_ns;     /* the child's, when last looked at */
	uint64_t busy_ns;    /* that it has computed, or waited for something but a CPU */
	uint64_t waited_ns;  /* of it */
	int idle_ms;	     /* that it has waited since it computed last */
	bool passed_on;	     /* it came by the nursery, and the child has not computed since */
};

struct worker {
	const struct worker_handler *handler;
	pid_t nursery_pid;
	int nursery; /* socket to it */
	bool asked;  /* it owes an answer: a child that took too long to start */
	int socket;  /* to the child, or -1 */
	int pidfd;   /* the child, or -1 */
	int left;    /* the pidfd of who was left behind last, or -1 */
	pid_t child;
	uint32_t generation;
	struct worker_waiting waiting;
	struct worker_counts counts;
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

int worker_new(const struct worker_handler *handler, struct worker **ret_worker)
{
	_cleanup_free_ struct worker *worker = calloc(1, sizeof(*worker));
	int pair[2];

	if (!worker)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	worker->handler = handler;
	worker->socket = worker->pidfd = worker->left = -1;
	worker->nursery_pid = fork();
	if (!worker->nursery_pid)
		worker_nursery_run(handler, pair[1]);
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

static void note_left(struct worker *worker, int pidfd)
{
	if (worker->left >= 0)
		close(worker->left);
	worker->left = pidfd;
}

int worker_take_left(struct worker *worker)
{
	return take_fd(&worker->left);
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	drop_child(worker);
	close(worker->nursery);
	note_left(worker, -1);
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

/* It waits for something; who only waits for a CPU does not. */
static bool child_sleeps(const struct worker *worker)
{
	return process_files_state(worker->child) != 'R';
}

/* The nursery, or the child of its that opens files, has no CPU: then nobody waits for a file. */
static bool is_on_its_way(const struct worker *worker)
{
	char name[48], pids[1024], *at = pids, *end;

	if (process_files_state(worker->nursery_pid) == 'R')
		return true;
	snprintf(name, sizeof(name), "task/%d/children", worker->nursery_pid);
	if (process_files_read(worker->nursery_pid, name, pids, sizeof(pids)))
		return false;
	for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end)
		if (process_files_state((pid_t)pid) == 'R')
			return true;
	return false;
}

uint64_t worker_cpu_ns(const struct worker *worker)
{
	return process_files_cpu_ns(worker->nursery_pid);
}

static uint64_t child_cpu_ns(const struct worker *worker)
{
	clockid_t clock;

	return clock_getcpuclockid(worker->child, &clock) ? 0 : clock_read_ns(clock);
}

int worker_wait(struct worker *worker, int socket, int64_t deadline_ms)
{
	struct pollfd polled = {.fd = socket, .events = POLLIN};
	int64_t left = deadline_ms - clock_now_ms();
	bool called = false;
	int late_ms = left > 0 ? CLOCK_LATE_MS : 0;

	for (;; left = deadline_ms - clock_now_ms()) {
		if (poll(&polled, 1, left <= 0 ? late_ms : left < WAITING_EVERY_MS ? (int)left : WAITING_EVERY_MS) > 0)
			return 0;
		if (left <= 0 && (called || !worker->waiting.call))
			return -ETIME;
		if (worker->waiting.call)
			worker->waiting.call(worker->waiting.data);
		called = true;
	}
}

/* Has the child computed since it was last looked at? */
static bool count_cpu(const struct worker *worker, struct turn *turn)
{
	uint64_t cpu_ns = child_cpu_ns(worker);

	if (cpu_ns <= turn->cpu_ns)
		return false;
	turn->busy_ns += cpu_ns - turn->cpu_ns;
	turn->cpu_ns = cpu_ns;
	turn->passed_on = false;
	return true;
}

static void look_at_child(const struct worker *worker, struct turn *turn)
{
	if (count_cpu(worker, turn)) {
		turn->idle_ms = 0;
	} else if (child_sleeps(worker) && !(turn->passed_on && is_on_its_way(worker))) {
		turn->busy_ns += WAITING_EVERY_MS * 1000000ull;
		turn->waited_ns += WAITING_EVERY_MS * 1000000ull;
		turn->idle_ms += WAITING_EVERY_MS;
	}
}

/* 0: not yet. Who has waited more than it has computed could not help it: a disk may have much to do. */
static int is_over(const struct turn *turn)
{
	if (turn->idle_ms <= IDLE_MS && turn->busy_ns < turn->timeout_ns && clock_now_ns() < turn->end_ns)
		return 0;
	return turn->idle_ms > IDLE_MS || turn->waited_ns > turn->busy_ns / 2 ? -EBUSY : -ETIME;
}

static int wait_for_child(struct worker *worker, struct turn *turn)
{
	struct pollfd polled = {.fd = worker->socket, .events = POLLIN};
	int over;

	while (poll(&polled, 1, WAITING_EVERY_MS) <= 0) {
		look_at_child(worker, turn);
		over = is_over(turn);
		if (over)
			return over;
		if (worker->waiting.call)
			worker->waiting.call(worker->waiting.data);
	}
	return 0;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static int take_new_child(struct worker *worker)
{
	int64_t deadline_ms = clock_now_ms() + (worker->asked ? 0 : START_TIMEOUT_MS);
	int fds[WORKER_DESCRIPTORS_MAX];
	size_t fd_count = 0, own;
	struct nursery_child child = {0};
	enum nursery_order order = NURSERY_NEW_PARSER;

	if (!worker->asked && worker_packet_send(worker->nursery, &order, sizeof(order), NULL, 0, NULL, 0))
		return -EAGAIN;
	worker->asked = true;
	if (worker_wait(worker, worker->nursery, deadline_ms))
		return -EAGAIN;
	worker->asked = false;
	if (worker_packet_take(worker->nursery, &child, sizeof(child), fds, &fd_count) != sizeof(child))
		child = (struct nursery_child){.pid = -1};
	own = child.pid > 0 ? 2 : 0;
	if (fd_count != own && fd_count != own + child.stuck) {
		close_all(fds, fd_count);
		return -EAGAIN;
	}
	worker->counts.stuck += child.stuck;
	if (child.stuck)
		note_left(worker, fd_count > own ? fds[own] : -1);
	if (!own)
		return -EAGAIN;
	worker->socket = fds[0];
	worker->pidfd = fds[1];
	worker->generation++;
	worker->child = child.pid;
	return 0;
}

static int start_child(struct worker *worker)
{
	uint64_t begun_ns = clock_now_ns();
	int err = take_new_child(worker);

	worker->counts.start_ns += clock_now_ns() - begun_ns;
	return err;
}

uint32_t worker_generation(struct worker *worker)
{
	if (worker->socket < 0 && start_child(worker))
		log_debug("no child to parse in can be started");
	return worker->generation;
}

static int take_piece(struct worker *worker, void *data, size_t size, struct turn *turn)
{
	int fds[WORKER_DESCRIPTORS_MAX], err = wait_for_child(worker, turn);
	size_t fd_count = 0;
	ssize_t got;

	if (err)
		return err;
	got = worker_packet_take(worker->socket, data, size, fds, &fd_count);
	close_all(fds, fd_count);
	return got == (ssize_t)size ? 0 : -EIO;
}

static int take_answer(struct worker *worker, struct turn *turn, struct worker_bytes *answer)
{
	struct worker_answer_header header;
	int err = take_piece(worker, &header, sizeof(header), turn);

	if (!err && header.bytes > WORKER_ANSWER_BYTES_MAX)
		err = -EIO;
	if (!err && array_reserve(&answer->list, header.bytes))
		err = -ENOMEM;
	while (!err && answer->list.count < header.bytes) {
		size_t left = header.bytes - answer->list.count,
		       size = left < WORKER_PIECE_BYTES ? left : WORKER_PIECE_BYTES;

		err = take_piece(worker, answer->list.items + answer->list.count, size, turn);
		answer->list.count += size;
	}
	return err;
}

/* Opening may wait for ever: another child does that, and passes the request on. */
static int send_request(struct worker *worker, const void *request, size_t bytes, const int *fds, size_t fd_count)
{
	enum nursery_order order = NURSERY_PASS_ON;

	if (!fd_count)
		return worker_packet_send(worker->socket, NULL, 0, request, bytes, NULL, 0);
	return worker_packet_send(worker->nursery, &order, sizeof(order), request, bytes, fds, fd_count);
}

int worker_call(struct worker *worker, const void *request, size_t bytes, const int *fds, size_t fd_count,
		int timeout_ms, struct worker_bytes *ret_answer)
{
	struct worker_bytes answer = {0};
	struct turn turn = {.timeout_ns = (uint64_t)timeout_ms * 1000000, .passed_on = fd_count > 0};
	int err;

	if (!bytes || bytes > WORKER_REQUEST_BYTES_MAX || fd_count > WORKER_DESCRIPTORS_MAX)
		return -EINVAL;
	if (worker->socket < 0 && start_child(worker))
		return -EAGAIN;
	turn.cpu_ns = child_cpu_ns(worker);
	turn.end_ns = clock_now_ns() + STARVED_TIMES * turn.timeout_ns;
	worker->counts.requests++;
	signal_child(worker, SIGCONT);
	if (send_request(worker, request, bytes, fds, fd_count))
		err = -EIO;
	else
		err = take_answer(worker, &turn, &answer);
	count_cpu(worker, &turn);
	worker->counts.busy_ns += turn.busy_ns;
	if (err) {
		/* Whatever went wrong, this child is out of step: the next request gets a new one. */
		drop_child(worker);
		worker->counts.crashes += err == -EIO;
		worker->counts.timeouts += err == -ETIME || err == -EBUSY;
		array_deinit(&answer.list);
		return err;
	}
	/* One that was taken over could go on for nobody, and take back any limit that it had set itself. */
	signal_child(worker, SIGSTOP);
	array_deinit(&ret_answer->list);
	*ret_answer = answer;
	return 0;
}

int worker_look_up(struct worker *worker, const void *request, size_t bytes, const int *fds, size_t fd_count,
		   int *ret_socket)
{
	enum nursery_order order = NURSERY_LOOK_UP;
	int pair[2], given[WORKER_DESCRIPTORS_MAX], err;

	if (bytes > WORKER_REQUEST_BYTES_MAX || fd_count >= WORKER_DESCRIPTORS_MAX)
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	given[0] = pair[1];
	for (size_t i = 0; i < fd_count; i++)
		given[1 + i] = fds[i];
	err = worker_packet_send(worker->nursery, &order, sizeof(order), request, bytes, given, fd_count + 1);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return -EAGAIN;
	}
	*ret_socket = pair[0];
	return 0;
}
