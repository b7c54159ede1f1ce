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
	uint64_t paid, now_ns;

	now_ns = clock_now_ns();
	paid = (now_ns - share->at_ns) / READ_DEBT_SHARE;
	share->at_ns = now_ns;
	share->debt_ns = share->debt_ns > paid ? share->debt_ns - paid : 0;
	if (share->debt_ns >= READ_DEBT_NS_MAX)
		return false;
	share->begun_ns = cpu_ns();
	return true;
}

void read_share_end(struct read_share *share)
{
	share->debt_ns += cpu_ns() - share->begun_ns;
}
