/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_nursery: the process between a worker's caller and its children (worker.h), which forks, kills and reaps them.
 *
 * It is told what to do in messages (worker_packet.h) that begin with an enum nursery_order, and waits for no file
 * system: what may do that is done in children of their own, of each kind at most NURSERY_CHILDREN_MAX at once.
 */
#ifndef SYMBOLIZER_WORKER_NURSERY_H
#define SYMBOLIZER_WORKER_NURSERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/worker.h"

#define NURSERY_CHILDREN_MAX 64

enum nursery_order {
	/*
	 * A new parser in place of the old one. Answered by a struct nursery_child, with the parser's socket and its pidfd
	 * where there is one, and then the pidfd of what is stuck.
	 */
	NURSERY_NEW_PARSER = 1,
	/* A request for the parser, with O_PATH descriptors of what it is about: they are opened, and both passed on. */
	NURSERY_PASS_ON,
	/* What path_lookup_serve() takes, for a child that does nothing else and is not ended but by itself. */
	NURSERY_LOOK_UP,
};

struct nursery_child {
	pid_t pid;  /* -1: there is none */
	bool stuck; /* what was before it could not be killed. No descriptor of it: nobody can say when it ends. */
};

/* What a parser sends before each answer's bytes, which follow in messages of at most WORKER_PIECE_BYTES. */
struct worker_answer_header {
	uint64_t bytes;
};
#define WORKER_PIECE_BYTES 65536

/* Takes orders until @control closes, in a process that was forked for it: everything but that descriptor is closed. */
__attribute__((noreturn)) void worker_nursery_run(const struct worker_handler *handler, int control);

#endif
