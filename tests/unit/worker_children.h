/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_children: who works for a worker (worker.h), for tests that do something to it; include it after cmocka.h.
 */
#ifndef TESTS_UNIT_WORKER_CHILDREN_H
#define TESTS_UNIT_WORKER_CHILDREN_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static pid_t first_child_of(pid_t parent)
{
	char path[64];
	pid_t child;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &child), 1);
	fclose(file);
	return child;
}

/* The one that parses, the nursery's child, where the test has one worker that has one child. */
static inline pid_t parsing_child(void)
{
	return first_child_of(first_child_of(getpid()));
}

#endif
