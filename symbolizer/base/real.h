/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real: from real numbers to whole ones. Sums of what a file says may be anything, and C leaves open what a cast of a
 * number that does not fit gives.
 */
#ifndef STOKER_BASE_REAL_H
#define STOKER_BASE_REAL_H

#include <stdint.h>

/* Rounded towards 0; the nearest one where it does not fit, 0 for what is no number. */
static inline uint64_t real_to_u64(double value)
{
	if (!(value >= 1))
		return 0;
	return value < 0x1p64 ? (uint64_t)value : UINT64_MAX;
}

#endif
