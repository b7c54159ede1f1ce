/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu_counters: what the programs count on each CPU by itself, added up.
 */
#ifndef STOKER_CPU_COUNTERS_H
#define STOKER_CPU_COUNTERS_H

#include <stddef.h>

struct bpf_map;

/**
 * cpu_counters_sum() - the sums over all CPUs of a per-CPU array with one entry
 * @map: whose value is a struct of nothing but u64
 * @bytes: of that struct
 * @ret_counters: such a struct
 * Returns 0, -ENOMEM, or what the look-up gave.
 */
int cpu_counters_sum(const struct bpf_map *map, size_t bytes, void *ret_counters);

#endif
