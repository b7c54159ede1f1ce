/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_tree: who are the children of a process, and theirs? And whose thread is it?
 */
#ifndef STOKER_PROCESS_TREE_H
#define STOKER_PROCESS_TREE_H

#include <stddef.h>
#include <stdint.h>

/**
 * process_descendants() - the processes that began below others and still run
 * @root: prefix of /proc: "" for the host
 * @pids: [count]; they themselves are given too only where one began below another
 * @each: called once for each; other than 0 ends the walk and is returned
 * A process whose parent has ended belongs to whoever took it on. Returns 0, -ENOENT (no /proc) or -ENOMEM.
 */
int process_descendants(const char *root, const uint32_t *pids, size_t count, int (*each)(void *data, uint32_t pid),
			void *data);

/* The process that a thread is one of, itself where it is the first; 0 where neither is known. */
uint32_t process_of_thread(const char *root, uint32_t tid);

#endif
