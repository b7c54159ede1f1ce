/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_parser: unwind rows of files, read by a worker of its own (worker.h).
 *
 * It works beside the parser of names, for another thread: neither waits for the other. A file that kills the worker
 * has no rows; it is tried twice. What the worker answers is checked: every number that rows are looked up by lies
 * where it must.
 */
#ifndef SYMBOLIZER_UNWIND_PARSER_H
#define SYMBOLIZER_UNWIND_PARSER_H

#include <stdint.h>

#include "symbolizer/unwind_rows.h"
#include "symbolizer/worker.h"

struct silent_devices;
struct unwind_parser;

/**
 * unwind_parser_new() - call it before any thread is started
 * @silent: must live as long; shared with the parser of names, as they read the same files
 * Returns 0, -ENOMEM, or -EAGAIN where no process can be started.
 */
int unwind_parser_new(struct silent_devices *silent, struct unwind_parser **ret_parser);
void unwind_parser_free(struct unwind_parser *parser);

/* Whose the files are that are asked about from now on: a tenant of which too many workers wait for ever gets -EHOSTDOWN. */
void unwind_parser_ask_for(struct unwind_parser *parser, uint64_t tenant);

/**
 * unwind_parser_rows() - a file's rows
 * @path_fd: from unwind_files_open(), an O_PATH descriptor; -1: the vdso that all 64-bit processes share
 * @debug_fd: the same for what may be its debug file; -1: none
 * @rows: empty; to be released with unwind_rows_deinit() by the caller, also after an error
 * Returns 0, as unwind_rows_read(), -EKEYREJECTED (@debug_fd is not the file's), -ENOTRECOVERABLE (it killed the
 * worker, or made it talk nonsense), -ETIME (it took too long: the file is a large one, or the host is busy), -EHOSTDOWN
 * (its file system does not answer, so far) or -EAGAIN (no worker).
 */
int unwind_parser_rows(struct unwind_parser *parser, int path_fd, int debug_fd, struct unwind_rows *rows);

/* For path_lookup.h. */
struct worker *unwind_parser_worker(struct unwind_parser *parser);

/**
 * unwind_parser_read() - rows out of what a worker answered
 * @rows: empty; the caller deinits it, also after an error
 * Returns 0, as unwind_rows_read(), -EBADMSG where the answer makes no sense, or -ENOMEM.
 */
int unwind_parser_read(const struct worker_bytes *answer, struct unwind_rows *rows);

/* What the worker has cost, and what went wrong in it. */
struct unwind_parser_costs {
	uint64_t cpu_ns;       /* of all its processes, of the child that runs now up to its last answer */
	uint64_t memory_bytes; /* the most that it had resident */
	uint64_t busy_ns;      /* that files took, as worker_call() counts it */
	uint64_t crashes, timeouts;
};

/* From any thread. */
struct unwind_parser_costs unwind_parser_costs(const struct unwind_parser *parser);

#endif
