/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/named_addresses.h"

static void add(struct named_addresses *names, uint32_t owner, uint64_t address)
{
	const uint32_t frames[] = {owner + 1, owner + 2, (uint32_t)address};

	assert_int_equal(named_addresses_add(names, owner, address, frames, 3), 0);
}

static bool has(struct named_addresses *names, uint32_t owner, uint64_t address)
{
	const uint32_t *frames;
	uint8_t count;

	if (!named_addresses_find(names, owner, address, &frames, &count))
		return false;
	assert_int_equal(count, 3);
	assert_int_equal(frames[0], owner + 1);
	assert_int_equal(frames[2], (uint32_t)address);
	return true;
}

static void test_named_addresses__an_address_is_its_owners(void **state)
{
	struct named_addresses names = {0};

	add(&names, 7, 0x1000);
	assert_true(has(&names, 7, 0x1000));
	assert_false(has(&names, 8, 0x1000));
	assert_false(has(&names, 7, 0x1001));
	named_addresses_deinit(&names);
}

static void test_named_addresses__what_is_used_stays_and_the_rest_does_not_grow(void **state)
{
	struct named_addresses names = {0};
	const uint32_t kernel = UINT32_MAX;
	uint64_t next = 0x1000;

	add(&names, kernel, 1);
	add(&names, kernel, 2);
	for (int round = 0; round < 8; round++) {
		for (uint32_t i = 0; i < NAMED_ADDRESSES_MAX; i++)
			add(&names, (uint32_t)round, next++);
		named_addresses_age(&names);
		assert_true(has(&names, kernel, 1));
		assert_true(has(&names, (uint32_t)round, next - 1));
	}
	assert_false(has(&names, kernel, 2));
	assert_false(has(&names, 0, 0x1000));
	assert_in_range(names.young.list.capacity + names.old.list.capacity, 1, 4 * NAMED_ADDRESSES_MAX);
	named_addresses_deinit(&names);
}

static void test_named_addresses__one_that_is_forgotten_is_asked_for_again(void **state)
{
	struct named_addresses names = {0};

	for (uint32_t i = 0; i < NAMED_ADDRESSES_MAX; i++)
		add(&names, 7, i);
	named_addresses_age(&names);
	add(&names, 7, 0x100000);
	/* Of the young ones, of the old ones, of both. */
	assert_true(has(&names, 7, 2));
	for (uint32_t i = 0; i < 3; i++) {
		const uint64_t address = i ? i : 0x100000;

		named_addresses_forget(&names, 7, address);
		assert_false(has(&names, 7, address));
		add(&names, 7, address);
		assert_true(has(&names, 7, address));
	}
	assert_true(has(&names, 7, 3));
	named_addresses_forget(&names, 8, 3);
	assert_true(has(&names, 7, 3));
	named_addresses_deinit(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named_addresses__an_address_is_its_owners),
		cmocka_unit_test(test_named_addresses__one_that_is_forgotten_is_asked_for_again),
		cmocka_unit_test(test_named_addresses__what_is_used_stays_and_the_rest_does_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
