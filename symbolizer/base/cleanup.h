/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cleanup: what a scope opened, the scope closes.
 *
 * _cleanup_(f) calls f(&variable) when the variable leaves its scope, on every path out. To hand a thing on to the
 * caller, take it out with take_fd() or take_ptr(): the variable then holds "nothing" and the scope closes nothing.
 */
#ifndef STOKER_BASE_CLEANUP_H
#define STOKER_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

/* Gives the value away and leaves "nothing" (-1, NULL) behind for the cleanup to skip. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(pointer)                               \
	({                                              \
		__typeof__(pointer) _taken = (pointer); \
		(pointer) = NULL;                       \
		_taken;                                 \
	})

#endif
