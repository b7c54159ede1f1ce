/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/read_share.h"

#include <sys/resource.h>

#include "symbolizer/base/clock.h"

static uint64_t cpu_ns(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_THREAD, &used))
		return 0;
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000ull +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000ull;
}

bool read_share_begin(struct read_share *share)
{
	const struct time_share_limit limit = {READ_DEBT_NS_MAX, READ_DEBT_SHARE};

	if (!time_share_left(&share->spent, limit, clock_now_ns()))
		return false;
	share->begun_ns = cpu_ns();
	return true;
}

void read_share_end(struct read_share *share)
{
	time_share_spend(&share->spent, cpu_ns() - share->begun_ns);
}
