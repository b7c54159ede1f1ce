/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/share.h"

#include <inttypes.h>
#include <stdio.h>

char *share_text(uint64_t part, uint64_t whole, unsigned int decimals, char *out, size_t size)
{
	uint64_t unit = decimals == 2 ? 100 : decimals ? 10 : 1, share;

	if (!whole) {
		snprintf(out, size, "-");
		return out;
	}
	share = (uint64_t)((__uint128_t)part * 100 * unit / whole);
	if (!decimals || share == 100 * unit)
		snprintf(out, size, "%" PRIu64 "%%", share / unit);
	else
		snprintf(out, size, "%" PRIu64 ".%0*" PRIu64 "%%", share / unit, (int)decimals, share % unit);
	return out;
}
