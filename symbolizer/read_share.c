/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/read_share.h"

#include "symbolizer/base/clock.h"

/* getrusage(2) would know it to the last tick of the kernel's clock only. */
static uint64_t cpu_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
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
