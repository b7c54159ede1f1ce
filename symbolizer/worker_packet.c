/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/worker_packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Room for a message's descriptors, aligned as <sys/socket.h> wants it. */
union descriptors {
	char space[CMSG_SPACE(WORKER_DESCRIPTORS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int worker_packet_send(int socket, const void *head, size_t head_bytes, const void *data, size_t bytes, const int *fds,
		       size_t fd_count)
{
	struct iovec parts[] = {{(void *)head, head_bytes}, {(void *)data, bytes}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	union descriptors descriptors = {0};
	ssize_t sent;

	if (fd_count) {
		struct cmsghdr *header;

		message.msg_control = descriptors.space;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)(head_bytes + bytes) ? 0 : -EPIPE;
}

ssize_t worker_packet_take(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count)
{
	struct iovec part = {data, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union descriptors descriptors;
	ssize_t got;

	message.msg_control = descriptors.space;
	message.msg_controllen = sizeof(descriptors.space);
	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	*ret_fd_count = 0;
	if (got < 0)
		return -errno;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds, CMSG_DATA(header), count * sizeof(int));
		*ret_fd_count = count;
	}
	return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : got;
}
