/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * time_share: a share of time for work that somebody else may make more of than there is time, for ever.
 *
 * Time spent on it is a debt; time that passes pays it off, slowly.
 */
#ifndef STOKER_BASE_TIME_SHARE_H
#define STOKER_BASE_TIME_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct time_share_limit {
	uint64_t debt_ns; /* that may be run up at once */
	uint64_t part;	  /* of the time that passes 1 / this pays off */
};

/* All zero: no debt. */
struct time_share {
	uint64_t debt_ns, at_ns;
};

/* Is there time left? @now_ns: a clock that runs on. */
static inline bool time_share_left(struct time_share *share, struct time_share_limit limit, uint64_t now_ns)
{
	uint64_t paid = (now_ns - share->at_ns) / limit.part;

	share->at_ns = now_ns;
	share->debt_ns = share->debt_ns > paid ? share->debt_ns - paid : 0;
	return share->debt_ns < limit.debt_ns;
}

static inline void time_share_spend(struct time_share *share, uint64_t ns)
{
	share->debt_ns += ns;
}

#endif
