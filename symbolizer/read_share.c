/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/read_share.h"

#include <time.h>

#include "symbolizer/base/clock.h"

/* getrusage(2) would know it to the last tick of the kernel's clock only. */
static uint64_t cpu_ns(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used))
		return 0;
	return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
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
