/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * java_protocol: asks one HotSpot process to write its perf map, by HotSpot's attach protocol.
 *
 * HotSpot listens on the socket .java_pidPID in its /tmp, PID as in its own pid namespace. It makes that socket when it
 * gets SIGQUIT and finds a file .attach_pidPID there; SIGQUIT without that file has it print all of its threads, and a
 * process without a handler dies of it. With -Xrs it has none, and listens from its start on. It talks to its own
 * effective user and group, and to root of its user namespace. Sources: src/hotspot/os/linux/attachListener_linux.cpp,
 * src/hotspot/share/services/attachListener.cpp and VirtualMachineImpl.java in the JDK 17.
 *
 * All of this blocks, up to a deadline and, where a file system of the container's never answers, longer: call it in a
 * process that may be killed (java_attach.h). That process's effective ids become those of the JVM.
 *
 * The socket, its folder and what comes out of it are the container's: a socket counts only where the process that
 * listens on it is the one that was meant, links are not followed, answers are cut.
 */
#ifndef SYMBOLIZER_JAVA_PROTOCOL_H
#define SYMBOLIZER_JAVA_PROTOCOL_H

#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/symbolizer.h"

#define JAVA_ANSWER_BYTES_MAX 65536 /* a longer one is none */

/* A JVM, found and held. */
struct java_process {
	pid_t pid;	 /* in our pid namespace */
	uint32_t ns_pid; /* in its own */
	int pidfd;	 /* -1: it is given no signal */
	int temp;	 /* its /tmp, O_PATH */
	uid_t uid;	 /* effective, as in our user namespace */
	gid_t gid;
};

/**
 * java_process_init() - find the process and its /tmp
 * Returns 0, -ESRCH (ended, or another image by now), or what opening gave; then there is nothing to deinit.
 */
int java_process_init(struct java_process *java, const struct process_identity *identity);
void java_process_deinit(struct java_process *java);

/**
 * java_protocol_connect() - a connection to the process's attach socket; where there is none yet, it is asked for
 * Signals a process only that has a handler for SIGQUIT, and that was not started with -XX:+DisableAttachMechanism.
 * @deadline_ms: by clock_now_ms(), as in all of these
 * @ret_socket: to be closed by the caller
 * Errors: -ETIME (the deadline), -EPERM (the socket is another's), -ENOTSUP (it cannot be attached to), -ESRCH, what
 * system calls gave.
 */
int java_protocol_connect(const struct java_process *java, int64_t deadline_ms, int *ret_socket);

/**
 * java_protocol_ask() - send "jcmd Compiler.perfmap", wait for the end of the answer
 * @socket: connected; not closed here
 * Errors: -ETIME, -ENOSYS (it does not know the command: older than 17), -EBADMSG (no answer as HotSpot gives them),
 * -EMSGSIZE (no end of it), -ECONNRESET (closed before an answer), what send(2) or recv(2) gave.
 */
int java_protocol_ask(int socket, int64_t deadline_ms);

#endif
