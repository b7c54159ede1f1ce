/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/percentile.h"

#define OCTAVE_BUCKETS 4

uint64_t percentile_count(const uint64_t *buckets)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < RECORDING_BUCKETS; i++)
		count += buckets[i];
	return count;
}

/* What @width buckets hold from @first on. */
static double sum_of(const uint64_t *buckets, unsigned int first, unsigned int width)
{
	double sum = 0;

	for (unsigned int i = first; i < first + width && i < RECORDING_BUCKETS; i++)
		sum += (double)buckets[i];
	return sum;
}

/* Of buckets that hold what belongs to @width of them together. */
static uint64_t percentile(const uint64_t *buckets, unsigned int width, double part, uint64_t max_ns)
{
	double below = 0, wanted = sum_of(buckets, 0, RECORDING_BUCKETS) * part;

	if (!percentile_count(buckets))
		return 0;
	for (unsigned int i = 0; i < RECORDING_BUCKETS; i += width) {
		double first = (double)recording_bucket_ns(i), next = (double)recording_bucket_ns(i + width);
		double here = sum_of(buckets, i, width), max = (double)max_ns;

		if (here > 0 && below + here >= wanted) {
			/* The longest is in here, and nothing is above it. */
			if (max > first && max < next)
				next = max;
			first += (next - first) * ((wanted - below) / here);
			return max_ns && first > max ? max_ns : (uint64_t)first;
		}
		below += here;
	}
	return max_ns;
}

uint64_t percentile_ns(const uint64_t *buckets, double part, uint64_t max_ns)
{
	return percentile(buckets, 1, part, max_ns);
}

uint64_t percentile_octaves_ns(const uint64_t *buckets, double part, uint64_t max_ns)
{
	return percentile(buckets, OCTAVE_BUCKETS, part, max_ns);
}
