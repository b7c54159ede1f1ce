/* SPDX-License-Identifier: BSD-2-Clause */
/* The map is stood in for by the functions below, which go before libbpf's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "profiler/collect/cpu_counters.h"

struct counters {
	uint64_t taken, lost;
};

static const struct counters by_cpu[] = {{1, 10}, {0, UINT32_MAX}, {3, 30}};

int bpf_map__fd(const struct bpf_map *map)
{
	return (int)(intptr_t)map;
}

int libbpf_num_possible_cpus(void)
{
	return 3;
}

/* There is one map. */
int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	if (fd != 1 || *(const uint32_t *)key) {
		errno = ENOENT;
		return -ENOENT;
	}
	memcpy(value, by_cpu, sizeof(by_cpu));
	return 0;
}

static void test_cpu_counters__each_is_the_sum_over_all_cpus(void **state)
{
	struct counters sum = {77, 77};

	assert_int_equal(cpu_counters_sum((struct bpf_map *)1, sizeof(sum), &sum), 0);
	assert_int_equal(sum.taken, 4);
	assert_int_equal(sum.lost, 40ull + UINT32_MAX);
}

static void test_cpu_counters__a_map_that_cannot_be_read_leaves_them_as_they_were(void **state)
{
	struct counters sum = {77, 78};

	assert_int_equal(cpu_counters_sum((struct bpf_map *)2, sizeof(sum), &sum), -ENOENT);
	assert_int_equal(sum.taken, 77);
	assert_int_equal(sum.lost, 78);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_counters__each_is_the_sum_over_all_cpus),
		cmocka_unit_test(test_cpu_counters__a_map_that_cannot_be_read_leaves_them_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
