/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read_share: a share of time for reading a file that somebody may write to faster than it can be read, for ever.
 *
 * What is counted (time_share.h) is CPU time.
 */
#ifndef SYMBOLIZER_READ_SHARE_H
#define SYMBOLIZER_READ_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/base/time_share.h"

/* CPU time that reading may run up, and the part of the time that passes which pays it off: 1 / this. */
#define READ_DEBT_NS_MAX 50000000ull
#define READ_DEBT_SHARE 20

/* All zero: no debt. */
struct read_share {
	struct time_share spent;
	uint64_t begun_ns; /* CPU time when the reading that goes on began */
};

/* May reading begin now? Where it may, read_share_end() is to follow. */
bool read_share_begin(struct read_share *share);
void read_share_end(struct read_share *share);

#endif
