/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker: a child process in which everything that a stranger wrote is parsed.
 *
 * The child has no files of its own, no capabilities, a user id of its own and some twenty system calls; memory and CPU
 * are limited (worker_sandbox.h). It gets bytes and descriptors, and gives bytes. A request that crashes it or that takes
 * too long costs that request: the child is replaced, and what it held is gone (worker_generation() says so). What a
 * child that was taken over does can make answers wrong, never the caller wait past a deadline.
 *
 * Between the two stands a nursery: a third process, forked while the caller was small and single-threaded, that runs
 * no parser and does nothing but fork, kill and reap workers. So a replacement never copies a big or threaded caller.
 * Both end when the caller does, however it ends: the nursery's socket closes, and the child ends with the nursery.
 *
 * Files are opened for reading by a fourth one, a child of the nursery that lives for that alone: the file's system may be
 * a process of its own (FUSE) that does not answer, and who waits for it takes no signal. Such a child, and a parser that
 * waits like that, is left behind (worker_counts.stuck) and ends when the file system does; neither the caller nor the
 * nursery ever waits for it. Paths are looked up in the same way (path_lookup.h).
 */
#ifndef SYMBOLIZER_WORKER_H
#define SYMBOLIZER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/worker_packet.h"

#define WORKER_REQUEST_BYTES_MAX 65536
#define WORKER_ANSWER_BYTES_MAX (64u << 20) /* a longer one counts as a crash */

struct worker;

struct worker_bytes {
	ARRAY(char) list;
};

/**
 * worker_handler - runs in the child, once for each request
 * @state:   what start() gave in this child
 * @request: [bytes]; aligned to 8
 * @fds:     [fd_count], open for reading, the handler's to close; fewer than were sent where one cannot be opened
 * @answer:  empty; filled by the handler. Out of memory: leave it, the caller sees a short answer.
 */
struct worker_handler {
	void *(*start)(void); /* NULL ends the child */
	void (*handle)(void *state, const void *request, size_t bytes, const int *fds, size_t fd_count,
		       struct worker_bytes *answer);
	int nice; /* of its processes, with the right to it; 0: the caller's */
};

/* What became of requests so far. */
struct worker_counts {
	uint64_t requests;
	uint64_t crashes;  /* the child died */
	uint64_t timeouts; /* it was killed at its deadline, or as it waited for its files */
	uint64_t stuck;	   /* of them, left behind: they wait for a file system that does not answer */
	uint64_t busy_ns;  /* that requests took, as worker_call() counts it */
	uint64_t start_ns; /* that children took to start */
};

/* What to do while a request is under way, every few ms: drain buffers, nothing that asks the worker. */
struct worker_waiting {
	void (*call)(void *data); /* may be NULL */
	void *data;
};

/**
 * worker_new() - start the nursery; call it before any thread is started and before privileged files are open
 * @handler: must live as long as the worker
 * Returns 0, -ENOMEM, or what socketpair(2) or fork(2) gave.
 */
int worker_new(const struct worker_handler *handler, struct worker **ret_worker);

/* Ends both processes and waits for them. */
void worker_free(struct worker *worker);

void worker_set_waiting(struct worker *worker, struct worker_waiting waiting);

/* Starts the child if there is none. Changes whenever the child is a new one: nothing sent to another is known to it. */
uint32_t worker_generation(struct worker *worker);

/**
 * worker_call() - one request and its answer
 * @request: [bytes], at least one and at most WORKER_REQUEST_BYTES_MAX
 * @fds:     [fd_count] at most WORKER_DESCRIPTORS_MAX, O_PATH will do; regular files, opened anew for the child
 * @timeout_ms: that the child may compute or wait for its files; that it waits for a CPU does not count, up to five times
 *              as long. It runs until it has answered, and is stopped (SIGSTOP) between requests
 * @ret_answer: replaced; the caller's to deinit
 * Errors: -EIO (the child died of it, or did not read it), -ETIME (killed at the deadline), -EBUSY (killed as it waited for
 * its files for a second on end, or for most of its time), -EAGAIN (no child can be started), -EINVAL, -ENOMEM.
 */
int worker_call(struct worker *worker, const void *request, size_t bytes, const int *fds, size_t fd_count,
		int timeout_ms, struct worker_bytes *ret_answer);

/**
 * worker_look_up() - have path_lookup_serve() run in a child of its own, with the caller's rights
 * @request: [bytes], as for worker_call()
 * @fds:     [fd_count], one less than WORKER_DESCRIPTORS_MAX
 * @ret_socket: the answer comes there, then its end; its end alone where there is no child for it. The caller's to close
 * Does not wait. Returns 0, -EAGAIN (the nursery is gone, or too busy) or what socketpair(2) gave.
 */
int worker_look_up(struct worker *worker, const void *request, size_t bytes, const int *fds, size_t fd_count,
		   int *ret_socket);

/* Until there is something to read: 0, or -ETIME CLOCK_LATE_MS after the deadline (clock.h). Does what worker_set_waiting() said. */
int worker_wait(struct worker *worker, int socket, int64_t deadline_ms);

/* Is there a child, of worker_generation()? It may have died since. */
bool worker_has_child(const struct worker *worker);

/* Ends the child without a word; the next request gets a new one. */
void worker_stop_child(struct worker *worker);

/* For an answer that makes no sense: counts as a crash; the next request gets a new child. */
void worker_discard(struct worker *worker);

/* Appends to an answer. 0 or -ENOMEM. */
int worker_bytes_add(struct worker_bytes *bytes, const void *data, size_t size);

struct worker_counts worker_counts(const struct worker *worker);

/**
 * worker_take_left() - who was left behind last
 * Returns its pidfd, the caller's from then on, which is readable (poll(2)) once it has ended; -1: none, or nobody can say.
 */
int worker_take_left(struct worker *worker);

/* CPU time of the nursery and of all children that have ended, to 10 ms: all but that of the child that runs now. */
uint64_t worker_cpu_ns(const struct worker *worker);

#endif
