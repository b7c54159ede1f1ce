/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * percentile: from the buckets of a histogram (recording_waits.h) to the time that a part of them stayed below.
 */
#ifndef STOKER_PERCENTILE_H
#define STOKER_PERCENTILE_H

#include <stdint.h>

#include "profiler/recording/recording.h"

/**
 * percentile_ns() - the time that @part of all stayed below
 * @buckets: [RECORDING_BUCKETS] counts
 * @part: 0 … 1
 * @max_ns: the longest of them, where it is known; 0 else
 * Exact to the width of a bucket (a quarter of an octave); within one, up to @max_ns, evenly spread. 0 where all counts
 * are 0.
 */
uint64_t percentile_ns(const uint64_t *buckets, double part, uint64_t max_ns);

/* The same of HISTOGRAM_LOCK, whose buckets hold whole octaves: exact to an octave. */
uint64_t percentile_octaves_ns(const uint64_t *buckets, double part, uint64_t max_ns);

/* How many there are in all [RECORDING_BUCKETS]. */
uint64_t percentile_count(const uint64_t *buckets);

#endif
