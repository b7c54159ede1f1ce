/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/duration.h"

#include <stdio.h>

char *duration_text(uint64_t ns, char *out, size_t size)
{
	static const char *const units[] = {"ns", "µs", "ms", "s"};
	double value = (double)ns;
	size_t unit = 0;

	if (ns < 1000) {
		snprintf(out, size, "%u ns", (unsigned int)ns);
		return out;
	}
	/* 999.5 would be printed as 1000. */
	for (; value >= 999.5 && unit < 3; unit++)
		value /= 1000;
	snprintf(out, size, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
	return out;
}
