/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_sandbox: gives up, for good, everything that a parser does not need.
 */
#ifndef SYMBOLIZER_WORKER_SANDBOX_H
#define SYMBOLIZER_WORKER_SANDBOX_H

#include <sys/types.h>

#define WORKER_MEMORY_BYTES_MAX (1ull << 30) /* of address space */
#define WORKER_CPU_SECONDS_MAX 3600	     /* in its life */
#define WORKER_DESCRIPTORS 4096
#define WORKER_SOCKET 3
/* In no passwd file that we know of: the child shares its user, and what that user may touch, with nobody. */
#define WORKER_UID 65433

/**
 * worker_sandbox_enter() - from here on: no new files, processes, sockets, signals or privileges
 * @fd: the one descriptor that stays open, and becomes WORKER_SOCKET
 * @parent: who started this process, which ends with it
 * What remains: reading, copying and closing descriptors, taking messages from that socket and sending plain bytes to
 * it, anonymous memory, looking at its own use, and the end of the process; any other system call fails with EPERM.
 * Without root the user stays what it is. Returns 0 or a negative errno: then nothing hostile may be parsed here.
 */
int worker_sandbox_enter(int fd, pid_t parent);

#endif
