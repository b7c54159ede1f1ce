/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/java_attach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/helper_process.h"
#include "symbolizer/java_protocol.h"
#include "symbolizer/process_files.h"

#define NAME "stoker-java"
#define CHILDREN_MAX 16
#define TENANT_CHILDREN_MAX 2
#define TENANT_WAITING_MAX 6
#define LOOK_EVERY_MS 10
#define GRACE_MS 100 /* after its deadline a child that is still there hangs in a system call */

struct java_attach {
	int socket;
	pid_t helper;
	uint32_t under_way;
};

struct asking {
	pid_t pid; /* 0: free */
	uint32_t tag;
	uint64_t tenant;
	int64_t killed_ms;
	bool answered; /* it hung, and does not even die yet */
};

struct helper {
	int socket;
	struct asking children[CHILDREN_MAX];
	struct java_question waiting[JAVA_ATTACH_UNDER_WAY_MAX]; /* [waiting_count], in the order in which they came */
	size_t waiting_count;
};

/* The child: its exit status is an errno. */
__attribute__((noreturn)) static void ask_and_exit(const struct java_question *question)
{
	int64_t deadline_ms = clock_now_ms() + question->timeout_ms;
	struct java_process java;
	int err, socket;

	err = java_process_init(&java, &question->identity);
	if (!err)
		err = java_protocol_connect(&java, deadline_ms, &socket);
	if (!err)
		err = java_protocol_ask(socket, deadline_ms);
	_exit(-err & 0xff);
}

static int send_answer(const struct helper *helper, uint32_t tag, int result)
{
	struct java_answer answer = {tag, result};

	return send(helper->socket, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) ? 0 : -EPIPE;
}

static struct asking *free_child(struct helper *helper)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (!helper->children[i].pid)
			return &helper->children[i];
	return NULL;
}

static int start_child(struct helper *helper, struct asking *child, const struct java_question *question)
{
	pid_t pid = fork();

	if (pid < 0)
		return send_answer(helper, question->tag, -errno);
	if (!pid) {
		close(helper->socket);
		ask_and_exit(question);
	}
	*child = (struct asking){
		.pid = pid,
		.tag = question->tag,
		.tenant = question->identity.tenant,
		.killed_ms = clock_now_ms() + question->timeout_ms + GRACE_MS,
	};
	return 0;
}

static int look_at(struct helper *helper, struct asking *child)
{
	bool answered = child->answered;
	int status;

	if (waitpid(child->pid, &status, WNOHANG) == child->pid) {
		child->pid = 0;
		if (answered)
			return 0;
		return send_answer(helper, child->tag, WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO);
	}
	if (answered || clock_now_ms() < child->killed_ms)
		return 0;
	kill(child->pid, SIGKILL);
	child->answered = true;
	return send_answer(helper, child->tag, -ETIME);
}

static bool look_at_all(struct helper *helper, bool *ret_any)
{
	*ret_any = false;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (!helper->children[i].pid)
			continue;
		*ret_any = true;
		if (look_at(helper, &helper->children[i]))
			return false;
	}
	return true;
}

/* How many children a tenant has; @ret_hanging: of them, those that do not even die. */
static size_t children_of(const struct helper *helper, uint64_t tenant, size_t *ret_hanging)
{
	size_t count = 0, hanging = 0;

	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (helper->children[i].pid && helper->children[i].tenant == tenant) {
			count++;
			hanging += helper->children[i].answered;
		}
	*ret_hanging = hanging;
	return count;
}

static size_t waiting_of(const struct helper *helper, uint64_t tenant)
{
	size_t count = 0;

	for (size_t i = 0; i < helper->waiting_count; i++)
		count += helper->waiting[i].identity.tenant == tenant;
	return count;
}

/* Starts it, or refuses it, where one or the other can be: then it waits no more. 0 or -EPIPE. */
static int try_to_start(struct helper *helper, const struct java_question *question, bool *ret_done)
{
	struct asking *child = free_child(helper);
	size_t hanging, children = children_of(helper, question->identity.tenant, &hanging);

	*ret_done = true;
	if (hanging == TENANT_CHILDREN_MAX)
		return send_answer(helper, question->tag, -EAGAIN);
	if (child && children < TENANT_CHILDREN_MAX)
		return start_child(helper, child, question);
	*ret_done = false;
	return 0;
}

static bool start_waiting(struct helper *helper)
{
	size_t kept = 0;

	for (size_t i = 0; i < helper->waiting_count; i++) {
		const struct java_question question = helper->waiting[i];
		bool done;

		if (try_to_start(helper, &question, &done))
			return false;
		if (!done)
			helper->waiting[kept++] = question;
	}
	helper->waiting_count = kept;
	return true;
}

static bool take_question(struct helper *helper)
{
	struct java_question question;

	if (recv(helper->socket, &question, sizeof(question), 0) != sizeof(question) ||
	    helper->waiting_count == JAVA_ATTACH_UNDER_WAY_MAX)
		return false;
	if (waiting_of(helper, question.identity.tenant) >= TENANT_WAITING_MAX)
		return !send_answer(helper, question.tag, -EAGAIN);
	helper->waiting[helper->waiting_count++] = question;
	return true;
}

/* Until the caller's end of the socket closes. */
static void help(struct helper *helper)
{
	bool any = false;

	while (start_waiting(helper) && look_at_all(helper, &any)) {
		struct pollfd asked = {.fd = helper->socket, .events = POLLIN};

		if (poll(&asked, 1, any ? LOOK_EVERY_MS : -1) > 0 && !take_question(helper))
			break;
	}
}

__attribute__((noreturn)) static void become_helper(int socket)
{
	struct helper helper = {.socket = HELPER_SOCKET};

	helper_process_init(socket, NAME);
	help(&helper);
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (helper.children[i].pid)
			kill(helper.children[i].pid, SIGKILL);
	_exit(0);
}

int java_attach_new(struct java_attach **ret_attach)
{
	_cleanup_free_ struct java_attach *attach = calloc(1, sizeof(*attach));
	int pair[2];

	if (!attach)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	attach->helper = fork();
	if (!attach->helper)
		become_helper(pair[1]);
	close(pair[1]);
	if (attach->helper < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	attach->socket = pair[0];
	*ret_attach = take_ptr(attach);
	return 0;
}

void java_attach_free(struct java_attach *attach)
{
	if (!attach)
		return;
	close(attach->socket);
	while (waitpid(attach->helper, NULL, 0) < 0 && errno == EINTR)
		;
	free(attach);
}

int java_attach_ask(struct java_attach *attach, const struct java_question *question)
{
	if (attach->under_way >= JAVA_ATTACH_UNDER_WAY_MAX)
		return -EAGAIN;
	if (send(attach->socket, question, sizeof(*question), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(*question))
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	attach->under_way++;
	return 0;
}

int java_attach_answer(struct java_attach *attach, int timeout_ms, struct java_answer *ret_answer)
{
	struct pollfd waited = {.fd = attach->socket, .events = POLLIN};
	struct java_answer answer;

	if (poll(&waited, 1, timeout_ms) <= 0)
		return -EAGAIN;
	if (recv(attach->socket, &answer, sizeof(answer), MSG_DONTWAIT) != sizeof(answer)) {
		attach->under_way = 0;
		return -EPIPE;
	}
	attach->under_way--;
	*ret_answer = answer;
	return 0;
}

uint32_t java_attach_under_way(const struct java_attach *attach)
{
	return attach->under_way;
}

uint64_t java_attach_cpu_ns(const struct java_attach *attach)
{
	return process_files_cpu_ns(attach->helper);
}
