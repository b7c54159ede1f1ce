/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/own_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BPF_MAP "anon_inode:bpf-map"

uint64_t own_memory_bytes(void)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t bytes = 0, kilobytes;
	bool is_map = false;
	char line[4352]; /* a path of PATH_MAX and what stands before it */

	while (file && fgets(line, sizeof(line), file)) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			is_map = strstr(line, BPF_MAP);
		else if (!is_map && sscanf(line, "Rss: %" SCNu64 " kB", &kilobytes) == 1)
			bytes += kilobytes * 1024;
	}
	if (file)
		fclose(file);
	return bytes;
}
