/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/cpu_counters.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "symbolizer/base/cleanup.h"

int cpu_counters_sum(const struct bpf_map *map, size_t bytes, void *ret_counters)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus(), each = bytes / sizeof(uint64_t);
	_cleanup_free_ uint64_t *by_cpu = calloc(cpus, bytes);
	uint64_t *sums = ret_counters;
	uint32_t zero = 0;

	if (!by_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &zero, by_cpu))
		return -errno;
	memset(sums, 0, bytes);
	for (size_t i = 0; i < cpus * each; i++)
		sums[i % each] += by_cpu[i];
	return 0;
}
