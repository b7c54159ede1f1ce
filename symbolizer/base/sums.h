/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sums: of nanoseconds and counts. 64 bits hold 584 years, which 50,000 threads sleep in four days, and a recording may
 * say anything: a sum stops at UINT64_MAX, and never comes out small.
 */
#ifndef STOKER_BASE_SUMS_H
#define STOKER_BASE_SUMS_H

#include <stdint.h>

static inline uint64_t sum_of(uint64_t a, uint64_t b)
{
	return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

static inline void sum_add(uint64_t *sum, uint64_t more)
{
	*sum = sum_of(*sum, more);
}

#endif
