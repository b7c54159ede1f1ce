/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path_lookup: what a process names by a path, found by a child that can be left behind.
 *
 * A path leads through directories, and one of them may be in a file system whose server is a process of the container
 * (FUSE): it can take the question and never answer, and then who asked takes no signal, not even the last one. So no
 * path in a container is walked by the caller. A child of the worker's nursery (worker.h) does it, lives for that alone,
 * and has PATH_LOOKUP_MS (and CLOCK_LATE_MS). One that is not back by then is lost: it is left behind, and as long as it
 * is not back no other one is sent for its container. So a container keeps at most PATH_LOOKUPS_MAX of them, and costs
 * about a second at most.
 *
 * What is found is held (O_PATH), not opened: process_files.h says why.
 */
#ifndef SYMBOLIZER_PATH_LOOKUP_H
#define SYMBOLIZER_PATH_LOOKUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/symbolizer.h"
#include "symbolizer/worker.h"

#define PATH_LOOKUP_MS 1000
#define PATH_LOOKUP_LIFE_MS 2000 /* of the child: longer, as the machine may stand still for a second */
#define PATH_LOOKUPS_MAX 4	 /* of one container that are not back */

struct debug_files;

/* One that is under way. */
struct path_lookup {
	int socket; /* owned; -1: none is */
	int64_t deadline_ms;
	bool awaited; /* by a caller further up, who does other things meanwhile */
};

/* Those of one container. All zero: none. */
struct path_lookups {
	size_t under_way;
	struct path_lookup left[PATH_LOOKUPS_MAX]; /* [left_count], whose answer nobody waits for any more */
	size_t left_count;
	uint64_t lost; /* that were not back in time, so far */
};

static inline bool path_lookup_under_way(const struct path_lookup *lookup)
{
	return lookup->socket >= 0;
}

struct path_lookup_answer {
	int error;	   /* 0, or why there is nothing: what the function says that the child calls */
	int fd;		   /* O_PATH, the caller's; -1 where there is an error */
	bool inside;	   /* debug_file.inside */
	unsigned int next; /* debug_files.next */
};

/**
 * path_lookup_perf_map() - begin to look for the perf map of a process, as process_files_perf_map() does
 * @ret_lookup: none is under way in it
 * The answer is -ESRCH where /proc shows another process by then. Does not wait. Returns 0, -EHOSTDOWN (one is lost) or
 * -EAGAIN (too many are under way, or no child can be started).
 */
int path_lookup_perf_map(struct worker *worker, struct path_lookups *lookups, const struct process_identity *identity,
			 struct path_lookup *ret_lookup);

/* The same for debug_files_next(). @search: its @next comes back with the answer. */
int path_lookup_debug_file(struct worker *worker, struct path_lookups *lookups, const struct debug_files *search,
			   struct path_lookup *ret_lookup);

/**
 * path_lookup_below() - the same for the first of two paths that is a regular file, as process_files_below() finds it
 * @first, @second: "" is none
 */
int path_lookup_below(struct worker *worker, struct path_lookups *lookups, int root_fd, const char *first,
		      const char *second, struct path_lookup *ret_lookup);

/**
 * path_lookup_take() - the answer
 * @wait: until it comes or its time is over, doing meanwhile what worker_set_waiting() said; else it is only looked for
 * Returns 0, -EINPROGRESS (not yet, or a caller further up waits for it), -EHOSTDOWN (its time is over: it is lost) or
 * -EAGAIN (no child could be started). After all but -EINPROGRESS none is under way.
 */
int path_lookup_take(struct worker *worker, struct path_lookups *lookups, struct path_lookup *lookup, bool wait,
		     struct path_lookup_answer *ret_answer);

/* Gives it up, where one is under way: it counts as long as it is not back. */
void path_lookup_drop(struct path_lookups *lookups, struct path_lookup *lookup);

/* None is under way. */
void path_lookups_deinit(struct path_lookups *lookups);

/**
 * path_lookup_serve() - in the child: look, answer, end
 * @request: [bytes], as the functions above send it
 * @fds:     [fd_count], the socket for the answer first
 */
__attribute__((noreturn)) void path_lookup_serve(const void *request, size_t bytes, const int *fds, size_t fd_count);

#endif
