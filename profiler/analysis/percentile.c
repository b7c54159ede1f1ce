/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/percentile.h"

uint64_t percentile_count(const uint64_t *buckets)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < RECORDING_BUCKETS; i++)
		count += buckets[i];
	return count;
}

uint64_t percentile_ns(const uint64_t *buckets, double part, uint64_t max_ns)
{
	double below = 0, wanted = 0;

	for (unsigned int i = 0; i < RECORDING_BUCKETS; i++)
		wanted += (double)buckets[i];
	if (wanted <= 0)
		return 0;
	wanted *= part;
	for (unsigned int i = 0; i < RECORDING_BUCKETS; i++) {
		double first = (double)recording_bucket_ns(i), next = (double)recording_bucket_ns(i + 1);
		double here = (double)buckets[i];

		if (here > 0 && below + here >= wanted) {
			uint64_t ns = (uint64_t)(first + (next - first) * ((wanted - below) / here));

			return max_ns && ns > max_ns ? max_ns : ns;
		}
		below += here;
	}
	return max_ns;
}
