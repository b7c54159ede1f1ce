/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * java_attach: asks HotSpot processes for their perf maps, beside whatever else the caller does.
 *
 * A helper process, forked while the caller was small and single-threaded, forks a child for each question; the child
 * speaks with the JVM (java_protocol.h) and is killed at its deadline. So nothing that a container does, with its
 * sockets, its files or its file systems, holds the caller up. The helper ends when the caller does, however it ends.
 *
 * A child that waits for a file system which does not answer cannot be killed and keeps its place. So of each tenant two are
 * asked at a time and six wait; what is more, or comes while both of them hang, is refused. 16 are asked at once.
 *
 * Ask only processes that are HotSpot (symbolizer_process_maps_file(…, "libjvm.so")).
 */
#ifndef SYMBOLIZER_JAVA_ATTACH_H
#define SYMBOLIZER_JAVA_ATTACH_H

#include <stdint.h>

#include "symbolizer/symbolizer.h"

#define JAVA_ATTACH_UNDER_WAY_MAX 64 /* questions that were not answered yet */

struct java_attach;

struct java_question {
	struct process_identity identity;
	uint32_t tag;	     /* the caller's; comes back with the answer */
	uint32_t timeout_ms; /* from when it is asked, not counting the wait for others */
};

struct java_answer {
	uint32_t tag;
	int32_t result; /* 0: the map is written; -EAGAIN: not asked; else a negative errno, as java_protocol.h has them */
};

/**
 * java_attach_new() - call it before any thread is started, and early
 * Returns 0, -ENOMEM, or what socketpair(2) or fork(2) gave.
 */
int java_attach_new(struct java_attach **ret_attach);

/* Ends the helper; questions under way are given up. */
void java_attach_free(struct java_attach *attach);

/* Does not wait. 0, -EAGAIN (too many under way) or -EPIPE (the helper is gone). */
int java_attach_ask(struct java_attach *attach, const struct java_question *question);

/**
 * java_attach_answer() - the next answer, in the order in which they come
 * @timeout_ms: how long to wait for one; 0 does not wait
 * Returns 0, -EAGAIN (none yet) or -EPIPE (the helper is gone: none will come, none is under way any more).
 */
int java_attach_answer(struct java_attach *attach, int timeout_ms, struct java_answer *ret_answer);

/* CPU time of the helper and of its children that have ended, to 10 ms. */
uint64_t java_attach_cpu_ns(const struct java_attach *attach);

/* Questions without an answer so far. */
uint32_t java_attach_under_way(const struct java_attach *attach);

#endif
