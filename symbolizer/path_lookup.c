/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/path_lookup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/process_files.h"
#include "symbolizer/process_maps.h"

enum kind { PERF_MAP, DEBUG_FILE, BELOW };

/* debug_files' fields, without a pointer. The descriptors of the roots that there are come with it, the host's first. */
struct debug_request {
	bool has_host, has_inside, alternate;
	unsigned int next;
	size_t build_id_bytes;
	unsigned char build_id[64];
	char link[256];
	char path[PATH_MAX];
};

struct request {
	enum kind kind;
	union {
		struct process_identity process;
		struct debug_request debug;
		char paths[2][PATH_MAX];
	};
};

/* What the child says; with a descriptor where @error is 0. */
struct reply {
	int32_t error;
	uint32_t next;
	bool inside;
};

/* The child's side */

static int look_for_perf_map(const struct process_identity *identity)
{
	pid_t pid;
	int err = process_maps_check(identity->pid, identity->start_ns, identity->address_space, &pid);

	return err ? err : process_files_perf_map(pid, identity->ns_pid, identity->start_ns);
}

static int look_for_debug_file(const struct debug_request *request, const int *fds, size_t fd_count,
			       struct reply *reply)
{
	struct debug_files search = {
		.host_root = request->has_host && fd_count > 0 ? fds[0] : -1,
		.inside_root = request->has_inside && fd_count > request->has_host ? fds[request->has_host] : -1,
		.alternate = request->alternate,
		.build_id = request->build_id,
		.build_id_bytes = request->build_id_bytes,
		.link = request->link,
		.path = request->path,
		.next = request->next,
	};
	struct debug_file found;
	int err = debug_files_next(&search, &found);

	reply->next = search.next;
	reply->inside = !err && found.inside;
	return err ? err : found.fd;
}

static int look_below(char paths[2][PATH_MAX], const int *fds, size_t fd_count)
{
	for (size_t i = 0; i < 2 && fd_count; i++) {
		struct stat status;
		int fd;

		if (paths[i][0] && !process_files_below(fds[0], paths[i], &fd, &status) && S_ISREG(status.st_mode))
			return fd;
	}
	return -ENOENT;
}

static int look(struct request *request, const int *fds, size_t fd_count, struct reply *reply)
{
	switch (request->kind) {
	case PERF_MAP:
		return look_for_perf_map(&request->process);
	case DEBUG_FILE:
		return look_for_debug_file(&request->debug, fds, fd_count, reply);
	case BELOW:
		return look_below(request->paths, fds, fd_count);
	}
	return -EINVAL;
}

void path_lookup_serve(const void *bytes, size_t size, const int *fds, size_t fd_count)
{
	const struct itimerval life = {.it_value = {PATH_LOOKUP_LIFE_MS / 1000, PATH_LOOKUP_LIFE_MS % 1000 * 1000}};
	struct request request = {0};
	struct reply reply = {0};
	int fd;

	/* Who waits can be ended as long as the server has not taken the question. */
	signal(SIGALRM, SIG_DFL);
	if (!fd_count || size > sizeof(request) || setitimer(ITIMER_REAL, &life, NULL))
		_exit(1);
	memcpy(&request, bytes, size);
	fd = look(&request, fds + 1, fd_count - 1, &reply);
	reply.error = fd < 0 ? fd : 0;
	_exit(worker_packet_send(fds[0], NULL, 0, &reply, sizeof(reply), &fd, fd >= 0) ? 1 : 0);
}

/* The caller's side */

/* Has the child ended, whatever it said before? */
static bool has_ended(int socket)
{
	struct pollfd polled = {.fd = socket};

	return poll(&polled, 1, 0) > 0 && polled.revents & (POLLHUP | POLLERR);
}

/* Forgets those that are back by now. Is there one whose time is over? */
static bool has_lost(struct path_lookups *lookups)
{
	int64_t now_ms = clock_now_ms();
	bool lost = false;

	for (size_t i = lookups->left_count; i-- > 0;) {
		if (has_ended(lookups->left[i].socket)) {
			close(lookups->left[i].socket);
			lookups->left[i] = lookups->left[--lookups->left_count];
		} else {
			lost |= now_ms >= lookups->left[i].deadline_ms;
		}
	}
	return lost;
}

static int begin(struct worker *worker, struct path_lookups *lookups, const struct request *request, size_t bytes,
		 const int *fds, size_t fd_count, struct path_lookup *ret_lookup)
{
	if (has_lost(lookups))
		return -EHOSTDOWN;
	if (lookups->under_way + lookups->left_count >= PATH_LOOKUPS_MAX ||
	    worker_look_up(worker, request, offsetof(struct request, process) + bytes, fds, fd_count,
			   &ret_lookup->socket))
		return -EAGAIN;
	lookups->under_way++;
	ret_lookup->awaited = false;
	ret_lookup->deadline_ms = clock_now_ms() + PATH_LOOKUP_MS;
	return 0;
}

int path_lookup_perf_map(struct worker *worker, struct path_lookups *lookups, const struct process_identity *identity,
			 struct path_lookup *ret_lookup)
{
	struct request request = {.kind = PERF_MAP, .process = *identity};

	return begin(worker, lookups, &request, sizeof(request.process), NULL, 0, ret_lookup);
}

int path_lookup_debug_file(struct worker *worker, struct path_lookups *lookups, const struct debug_files *search,
			   struct path_lookup *ret_lookup)
{
	struct request request = {.kind = DEBUG_FILE};
	struct debug_request *debug = &request.debug;
	size_t count = 0;
	int roots[2];

	if (search->host_root >= 0)
		roots[count++] = search->host_root;
	if (search->inside_root >= 0)
		roots[count++] = search->inside_root;
	debug->has_host = search->host_root >= 0;
	debug->has_inside = search->inside_root >= 0;
	debug->alternate = search->alternate;
	debug->next = search->next;
	if (search->build_id_bytes <= sizeof(debug->build_id)) {
		memcpy(debug->build_id, search->build_id, search->build_id_bytes);
		debug->build_id_bytes = search->build_id_bytes;
	}
	snprintf(debug->link, sizeof(debug->link), "%s", search->link);
	snprintf(debug->path, sizeof(debug->path), "%s", search->path);
	return begin(worker, lookups, &request, offsetof(struct debug_request, path) + strlen(debug->path) + 1, roots,
		     count, ret_lookup);
}

int path_lookup_below(struct worker *worker, struct path_lookups *lookups, int root_fd, const char *first,
		      const char *second, struct path_lookup *ret_lookup)
{
	struct request request = {.kind = BELOW};

	snprintf(request.paths[0], sizeof(request.paths[0]), "%s", first);
	snprintf(request.paths[1], sizeof(request.paths[1]), "%s", second);
	return begin(worker, lookups, &request, sizeof(request.paths), &root_fd, 1, ret_lookup);
}

static int take_reply(int socket, struct path_lookup_answer *ret_answer)
{
	int fds[WORKER_DESCRIPTORS_MAX];
	struct reply reply;
	size_t fd_count;
	ssize_t got = worker_packet_take(socket, &reply, sizeof(reply), fds, &fd_count);

	/* The nursery closes what it has nobody for. */
	if (got != sizeof(reply))
		return -EAGAIN;
	*ret_answer = (struct path_lookup_answer){
		.error = !reply.error && !fd_count ? -EMFILE : reply.error,
		.fd = fd_count ? fds[0] : -1,
		.inside = reply.inside,
		.next = reply.next,
	};
	return 0;
}

static bool is_answered(const struct path_lookup *lookup)
{
	struct pollfd polled = {.fd = lookup->socket, .events = POLLIN};

	return poll(&polled, 1, 0) > 0;
}

int path_lookup_take(struct worker *worker, struct path_lookups *lookups, struct path_lookup *lookup, bool wait,
		     struct path_lookup_answer *ret_answer)
{
	int err;

	if (lookup->awaited)
		return -EINPROGRESS;
	lookup->awaited = true;
	if (wait)
		worker_wait(worker, lookup->socket, lookup->deadline_ms);
	lookup->awaited = false;
	if (is_answered(lookup)) {
		err = take_reply(lookup->socket, ret_answer);
		close(take_fd(&lookup->socket));
		lookups->under_way--;
		return err;
	}
	if (!wait && clock_now_ms() < lookup->deadline_ms)
		return -EINPROGRESS;
	lookups->lost++;
	path_lookup_drop(lookups, lookup);
	return -EHOSTDOWN;
}

void path_lookup_drop(struct path_lookups *lookups, struct path_lookup *lookup)
{
	if (lookup->socket < 0)
		return;
	/* There is room: each was counted when it began. */
	lookups->under_way--;
	lookups->left[lookups->left_count++] = *lookup;
	lookup->socket = -1;
}

void path_lookups_deinit(struct path_lookups *lookups)
{
	while (lookups->left_count)
		close(lookups->left[--lookups->left_count].socket);
}
