/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/cpu_list.h"

#include <stdlib.h>

bool cpu_list_has(const char *list, int cpu)
{
	while (*list >= '0' && *list <= '9') {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return true;
		list = end + (*end == ',');
	}
	return false;
}
