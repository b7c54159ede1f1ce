/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_tree: who are the children of a process, and theirs?
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

#endif
