/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/java_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/process_files.h"
#include "symbolizer/process_maps.h"

#define LOOK_EVERY_MS 20
#define STATUS_BYTES 8192
#define COMMAND_LINE_BYTES 65536

static bool read_ids(pid_t pid, uid_t *ret_uid, gid_t *ret_gid)
{
	char status[STATUS_BYTES], *uid_line, *gid_line;
	unsigned int uid, gid;

	if (process_files_read(pid, "status", status, sizeof(status)))
		return false;
	uid_line = strstr(status, "\nUid:");
	gid_line = strstr(status, "\nGid:");
	if (!uid_line || !gid_line || sscanf(uid_line, "\nUid: %*u %u", &uid) != 1 ||
	    sscanf(gid_line, "\nGid: %*u %u", &gid) != 1)
		return false;
	*ret_uid = uid;
	*ret_gid = gid;
	return true;
}

int java_process_init(struct java_process *java, const struct process_identity *identity)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, identity->pid, 0), temp = -1;
	struct java_process found = {.pid = identity->pid, .ns_pid = identity->ns_pid};
	struct stat status;
	pid_t readable;
	int err;

	if (pidfd < 0)
		return -errno;
	err = process_maps_check(identity->pid, identity->start_ns, identity->address_space, &readable);
	if (err)
		return err;
	if (!read_ids(identity->pid, &found.uid, &found.gid))
		return -ESRCH;
	err = process_files_inside(readable, "/tmp", &temp, &status);
	if (err)
		return err;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	found.pidfd = take_fd(&pidfd);
	found.temp = take_fd(&temp);
	*java = found;
	return 0;
}

void java_process_deinit(struct java_process *java)
{
	if (java->pidfd >= 0)
		close(java->pidfd);
	close(java->temp);
}

/* Files are made, and sockets met, with the rights of the process: nothing happens here that it could not do itself. */
static int become(const struct java_process *java)
{
	if (getegid() != java->gid && setresgid((gid_t)-1, java->gid, (gid_t)-1))
		return -errno;
	if (geteuid() != java->uid && setresuid((uid_t)-1, java->uid, (uid_t)-1))
		return -errno;
	return 0;
}

static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd waited = {.fd = fd, .events = events};
	int64_t left = deadline_ms - clock_now_ms();
	int ready = left <= 0 ? 0 : poll(&waited, 1, (int)left);

	return ready < 0 ? -errno : ready ? 0 : -ETIME;
}

/* A container may have another's socket under this name, its Docker daemon's for one: that gets not one byte. */
static int check_listener(const struct java_process *java, int socket)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	return peer.pid == java->pid ? 0 : -EPERM;
}

/* -ENOENT and -ECONNREFUSED: nobody listens there. */
static int connect_once(const struct java_process *java, int *ret_socket)
{
	_cleanup_close_ int file = -1, connected = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	char name[48];
	int err;

	snprintf(name, sizeof(name), ".java_pid%u", java->ns_pid);
	file = openat(java->temp, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file < 0 || fstat(file, &status))
		return -errno;
	if (!S_ISSOCK(status.st_mode) || status.st_uid != java->uid)
		return -EPERM;
	connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connected < 0)
		return -errno;
	/* The name of a descriptor: a path may be longer than an address, and lead elsewhere by now. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	if (connect(connected, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	err = check_listener(java, connected);
	if (!err)
		*ret_socket = take_fd(&connected);
	return err;
}

/* Of the mask in /proc/PID/status: only who catches SIGQUIT outlives it. */
static bool catches_quit(pid_t pid)
{
	unsigned long long caught;
	char status[STATUS_BYTES], *line;

	if (process_files_read(pid, "status", status, sizeof(status)))
		return false;
	line = strstr(status, "\nSigCgt:");
	return line && sscanf(line, "\nSigCgt: %llx", &caught) == 1 && caught >> (SIGQUIT - 1) & 1;
}

/* It would not listen, and print its threads instead. */
static bool attach_disabled(pid_t pid)
{
	static const char option[] = "-XX:+DisableAttachMechanism";
	_cleanup_free_ char *words = calloc(1, COMMAND_LINE_BYTES);
	_cleanup_close_ int fd = -1;
	char path[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 || !words ? -1 : read(fd, words, COMMAND_LINE_BYTES - 1);
	return length > 0 && memmem(words, (size_t)length + 1, option, sizeof(option));
}

static int make_attach_file(const struct java_process *java, const char *name)
{
	_cleanup_close_ int fd =
		openat(java->temp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat status;

	if (fd >= 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	/* Left behind by somebody before us. HotSpot takes it where it is its own. */
	if (fstatat(java->temp, name, &status, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return S_ISREG(status.st_mode) && status.st_uid == java->uid ? 0 : -EEXIST;
}

static int signal_checked(const struct java_process *java)
{
	if (!catches_quit(java->pid) || attach_disabled(java->pid))
		return -ENOTSUP;
	return syscall(SYS_pidfd_send_signal, java->pidfd, SIGQUIT, NULL, 0) ? -errno : 0;
}

/* As root where we have been root: the process's own user may be one that may not look at it or signal it. */
static int request_listener(const struct java_process *java)
{
	uid_t real, own, saved;
	int err;

	if (getresuid(&real, &own, &saved) || (own != saved && setresuid((uid_t)-1, saved, (uid_t)-1)))
		return -errno;
	err = signal_checked(java);
	if (own != saved && setresuid((uid_t)-1, own, (uid_t)-1))
		return -errno;
	return err;
}

static int start_listener(const struct java_process *java, int64_t deadline_ms, int *ret_socket)
{
	char name[48];
	int err;

	if (java->pidfd < 0)
		return -ENOTSUP;
	snprintf(name, sizeof(name), ".attach_pid%u", java->ns_pid);
	err = make_attach_file(java, name);
	if (err)
		return err;
	err = request_listener(java);
	while (!err) {
		err = connect_once(java, ret_socket);
		if (err != -ENOENT && err != -ECONNREFUSED)
			break;
		err = clock_now_ms() < deadline_ms ? 0 : -ETIME;
		if (!err)
			poll(NULL, 0, LOOK_EVERY_MS);
	}
	unlinkat(java->temp, name, 0);
	return err;
}

int java_protocol_connect(const struct java_process *java, int64_t deadline_ms, int *ret_socket)
{
	int err = become(java);

	if (!err)
		err = connect_once(java, ret_socket);
	if (err == -ENOENT || err == -ECONNREFUSED)
		err = start_listener(java, deadline_ms, ret_socket);
	/* Its queue is full: it answers nobody. */
	return err == -EAGAIN ? -ETIME : err;
}

/* "0\n" and what the command printed; or the code of an error and what it is. */
static int judge(const char *text, size_t length)
{
	size_t digits = 0;

	while (digits < length && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (!digits || digits == length || text[digits] != '\n')
		return length ? -EBADMSG : -ECONNRESET;
	return digits == 1 && text[0] == '0' ? 0 : -ENOSYS;
}

static int receive(int socket, int64_t deadline_ms)
{
	char first[16], rest[4096];
	size_t kept = 0, all = 0;
	ssize_t got;
	int err;

	for (;;) {
		bool at_start = kept < sizeof(first);

		err = wait_for(socket, POLLIN, deadline_ms);
		if (err)
			return err;
		got = at_start ? recv(socket, first + kept, sizeof(first) - kept, 0)
			       : recv(socket, rest, sizeof(rest), 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return judge(first, kept);
		kept += at_start ? (size_t)got : 0;
		all += (size_t)got;
		if (all > JAVA_ANSWER_BYTES_MAX)
			return -EMSGSIZE;
	}
}

int java_protocol_ask(int socket, int64_t deadline_ms)
{
	/* Version, command, and always three arguments, each with its NUL. */
	static const char request[] = "1\0jcmd\0Compiler.perfmap\0\0";
	size_t sent = 0;
	int err;

	while (sent < sizeof(request)) {
		ssize_t put;

		err = wait_for(socket, POLLOUT, deadline_ms);
		if (err)
			return err;
		put = send(socket, request + sent, sizeof(request) - sent, MSG_NOSIGNAL);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		sent += put > 0 ? (size_t)put : 0;
	}
	return receive(socket, deadline_ms);
}
