/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream: the end of what was written to a stdio stream.
 */
#ifndef STOKER_BASE_STREAM_H
#define STOKER_BASE_STREAM_H

#include <errno.h>
#include <stdio.h>

/**
 * stream_end() - write what is left
 * Returns 0, or -errno where this or an earlier write failed. stdio keeps no cause of an earlier one, and throws away
 * what it could not write: it is taken from errno, which calls that succeed leave alone; -EIO where that is 0.
 */
static inline int stream_end(FILE *stream)
{
	if (!fflush(stream) && !ferror(stream))
		return 0;
	return errno ? -errno : -EIO;
}

#endif
