/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_packet: messages with descriptors, as the processes of worker.h send them to one another.
 *
 * The sockets are SOCK_SEQPACKET ones: a message comes whole or not at all.
 */
#ifndef SYMBOLIZER_WORKER_PACKET_H
#define SYMBOLIZER_WORKER_PACKET_H

#include <stddef.h>
#include <sys/types.h>

#define WORKER_DESCRIPTORS_MAX 4 /* in one message */

/**
 * worker_packet_send() - @head and @data, as one message
 * @head: [head_bytes], may be NULL where that is 0
 * @data: [bytes], the same
 * @fds:  [fd_count], at most WORKER_DESCRIPTORS_MAX; copied, not closed
 * Does not wait: each side has read everything before the other writes, but for one that has been taken over. Returns 0,
 * or -EPIPE where the other side is gone or takes nothing.
 */
int worker_packet_send(int socket, const void *head, size_t head_bytes, const void *data, size_t bytes, const int *fds,
		       size_t fd_count);

/**
 * worker_packet_take() - the next message; waits for it
 * @data: [size]
 * @fds:  [WORKER_DESCRIPTORS_MAX]; the caller's to close, also after -EMSGSIZE
 * Returns its bytes, 0 at the other side's end, -EMSGSIZE (longer than @size), or what recvmsg(2) gave.
 */
ssize_t worker_packet_take(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count);

#endif
