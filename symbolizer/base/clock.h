/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock: times as one number. The monotonic clock starts anywhere, and stands still while the machine sleeps.
 */
#ifndef STOKER_BASE_CLOCK_H
#define STOKER_BASE_CLOCK_H

#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

/* The machine may stand still until a deadline is over: who waits for others waits for so long besides, once. */
#define CLOCK_LATE_MS 100

/* A clock of clock_gettime(2); 0 where it cannot be read. */
static inline uint64_t clock_read_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		return 0;
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

static inline int64_t clock_now_ms(void)
{
	return (int64_t)(clock_now_ns() / 1000000);
}

/* The CPU time of getrusage(2), user and system. */
static inline uint64_t clock_used_ns(const struct rusage *used)
{
	return (uint64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000000ull +
	       (uint64_t)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) * 1000ull;
}

#endif
