/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_children: who works for a worker (worker.h), for tests that do something to it; include it after cmocka.h.
 */
#ifndef TESTS_UNIT_WORKER_CHILDREN_H
#define TESTS_UNIT_WORKER_CHILDREN_H

#include <poll.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The first one but @other; 0: no other. */
static pid_t child_of(pid_t parent, pid_t other)
{
	char path[64];
	pid_t child = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fscanf(file, "%d", &child) == 1 && child == other)
		child = 0;
	fclose(file);
	return child;
}

static inline pid_t first_child_of(pid_t parent)
{
	pid_t child = child_of(parent, 0);

	assert_true(child > 0);
	return child;
}

/* The one that parses, the nursery's child, where the test has one worker that has one child. */
static inline pid_t parsing_child(void)
{
	return first_child_of(first_child_of(getpid()));
}

/* Stops a child that is asked nothing, and once it is killed keeps it at its last step: as a file system does, or a disk. */
static inline void hold(pid_t child)
{
	assert_int_equal(ptrace(PTRACE_SEIZE, child, NULL, (void *)PTRACE_O_TRACEEXIT), 0);
}

/* One that was killed: it ends. */
static inline void let_go(pid_t child)
{
	struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
	long err = -1;

	assert_true(ended.fd >= 0);
	for (int i = 0; i < 500 && err; i++) {
		err = ptrace(PTRACE_DETACH, child, NULL, NULL);
		usleep(err ? 10000 : 0);
	}
	assert_int_equal(err, 0);
	assert_int_equal(poll(&ended, 1, 5000), 1);
	close(ended.fd);
}

#endif
