/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/pending_addresses.h"

#define SECOND 1000000000ull

static void add(struct pending_addresses *pending, uint32_t process, uint64_t tenant, uint64_t address, uint64_t now_ns)
{
	struct pending_address added = {address, (uint32_t)address};

	assert_int_equal(pending_addresses_add(pending, process, tenant, added, now_ns), 0);
}

/* As the caller does it. */
static void crowd(struct pending_addresses *pending, uint32_t process, uint64_t tenant, uint64_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct pending_address given_up;

		if (pending_addresses_make_room(pending, process, tenant, &given_up) != PENDING_NO_ROOM)
			add(pending, process, tenant, first + i, 0);
	}
}

static struct pending_process *process_of(struct pending_addresses *pending, uint32_t process)
{
	for (size_t i = 0; i < pending->processes.count; i++)
		if (pending->processes.items[i].process == process)
			return &pending->processes.items[i];
	return NULL;
}

static size_t count_of(struct pending_addresses *pending, uint32_t process)
{
	struct pending_process *found = process_of(pending, process);

	assert_int_equal(found && pending_process_count(found), pending_addresses_has(pending, process));
	return found ? pending_process_count(found) : 0;
}

static void test_pending_addresses__who_has_most_gives_up_its_oldest_or_gets_no_room(void **state)
{
	struct pending_addresses pending = {0};
	struct pending_process *loud;

	crowd(&pending, 1, 10, 0x1000, 500);
	crowd(&pending, 2, 20, 0x100000, 3 * PENDING_ADDRESSES_MAX);
	crowd(&pending, 3, 30, 0x2000, 500);
	assert_int_equal(pending.count, PENDING_ADDRESSES_MAX);
	assert_int_equal(count_of(&pending, 1), 500);
	assert_int_equal(count_of(&pending, 3), 500);
	assert_int_equal(count_of(&pending, 2), PENDING_ADDRESSES_MAX - 1000);
	assert_int_equal(pending.given_up, 2 * PENDING_ADDRESSES_MAX + 1000);
	loud = process_of(&pending, 2);
	assert_int_equal(pending_process_first(loud)->address, 0x100000 + 500);
	assert_in_range(loud->list.capacity, 1, 4 * PENDING_ADDRESSES_MAX);
	pending_addresses_deinit(&pending);
}

static void test_pending_addresses__two_that_have_as_many_do_not_take_turns_for_ever(void **state)
{
	struct pending_addresses pending = {0};

	crowd(&pending, 1, 10, 0, PENDING_ADDRESSES_MAX);
	for (uint32_t i = 0; i < 10; i++) {
		crowd(&pending, 2, 20, 0x100000 + i * 10000, 10000);
		crowd(&pending, 3, 20, 0x200000 + i * 10000, 10000);
		crowd(&pending, 1, 10, 0x300000 + i * 10000, 10000);
	}
	assert_int_equal(count_of(&pending, 1), PENDING_ADDRESSES_MAX / 2);
	assert_int_equal(count_of(&pending, 2), PENDING_ADDRESSES_MAX / 4);
	assert_int_equal(count_of(&pending, 3), PENDING_ADDRESSES_MAX / 4);
	/* What each had at its share stays. */
	assert_in_range(pending_process_first(process_of(&pending, 1))->address, 0, PENDING_ADDRESSES_MAX / 2);
	assert_in_range(pending_process_first(process_of(&pending, 3))->address, 0x200000, 0x200000 + 20000);
	pending_addresses_deinit(&pending);
}

static void test_pending_addresses__many_processes_of_one_container_have_one_share(void **state)
{
	struct pending_addresses pending = {0};

	crowd(&pending, 1, 10, 0x1000, 20000);
	for (uint32_t i = 0; i < 1000; i++)
		crowd(&pending, 100 + i, 20, 0x100000, 100);
	assert_int_equal(count_of(&pending, 1), 20000);
	assert_int_equal(pending.count, PENDING_ADDRESSES_MAX);
	pending_addresses_deinit(&pending);
}

static void ask(struct pending_addresses *pending, uint32_t process, bool named, uint64_t now_ns)
{
	struct pending_process *asked = process_of(pending, process);
	bool still[64];

	for (size_t i = 0; i < pending_process_count(asked); i++)
		still[i] = !(named && !i);
	pending_process_asked(pending, asked, still, now_ns);
}

static void test_pending_addresses__what_got_a_name_is_gone_and_the_rest_stays(void **state)
{
	const bool still[] = {false, true, false, true};
	struct pending_addresses pending = {0};

	for (uint64_t i = 0; i < 4; i++)
		add(&pending, 7, 70, 100 + i, 0);
	add(&pending, 8, 80, 5, 0);
	pending_process_asked(&pending, process_of(&pending, 7), still, 0);
	pending_process_forget(&pending, process_of(&pending, 8), false);
	pending_addresses_end(&pending);
	assert_int_equal(pending.processes.count, 1);
	assert_int_equal(count_of(&pending, 7), 2);
	assert_int_equal(count_of(&pending, 8), 0);
	assert_int_equal(pending_process_first(process_of(&pending, 7))[1].address, 103);
	assert_int_equal(pending.count, 2);
	assert_int_equal(pending.given_up, 0);
	pending_process_forget(&pending, process_of(&pending, 7), true);
	assert_int_equal(pending.given_up, 2);
	/* The place of a container that has none left is another one's. */
	pending_addresses_end(&pending);
	add(&pending, 9, 90, 5, 0);
	assert_int_equal(pending.tenants.count, 2);
	pending_addresses_deinit(&pending);
}

static void test_pending_addresses__a_young_process_is_asked_each_time_and_one_in_vain_once_a_minute(void **state)
{
	struct pending_addresses pending = {0};
	uint64_t asked[2] = {0};

	add(&pending, 7, 70, 100, 0);
	for (uint64_t now = 0; now < 3600 * SECOND; now += 5 * SECOND) {
		struct pending_process *process = process_of(&pending, 7);

		if (process->after_ns > now)
			continue;
		ask(&pending, 7, false, now);
		asked[now >= 40 * SECOND]++;
	}
	assert_int_equal(asked[0], 8);
	assert_in_range(asked[1], 55, 75);
	pending_addresses_deinit(&pending);
}

static void
test_pending_addresses__a_name_makes_a_process_young_again_and_one_that_is_expected_asks_at_once(void **state)
{
	struct pending_addresses pending = {0};

	for (uint64_t i = 0; i < 4; i++)
		add(&pending, 7, 70, 100 + i, 0);
	ask(&pending, 7, false, 1000 * SECOND);
	assert_int_equal(process_of(&pending, 7)->after_ns, 1060 * SECOND);
	ask(&pending, 7, true, 1060 * SECOND);
	assert_int_equal(process_of(&pending, 7)->after_ns, 1060 * SECOND);
	ask(&pending, 7, false, 1100 * SECOND);
	assert_int_equal(process_of(&pending, 7)->after_ns, 1105 * SECOND);
	pending_addresses_expect(&pending, 7);
	assert_int_equal(process_of(&pending, 7)->after_ns, 0);
	pending_addresses_deinit(&pending);
}

static void test_pending_addresses__who_has_waited_longest_comes_first(void **state)
{
	struct pending_addresses pending = {0};

	for (uint32_t i = 0; i < 4; i++)
		add(&pending, i, 70, 100, (4 - i) * SECOND);
	for (uint32_t i = 0; i < 3; i++)
		ask(&pending, i, false, 100 * SECOND);
	pending_addresses_sort(&pending);
	assert_int_equal(pending.processes.items[0].process, 3);
	assert_int_equal(pending.processes.items[1].process, 0);
	assert_int_equal(pending.processes.items[3].process, 2);
	assert_int_equal(count_of(&pending, 0), 1);
	pending_addresses_deinit(&pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pending_addresses__who_has_most_gives_up_its_oldest_or_gets_no_room),
		cmocka_unit_test(test_pending_addresses__two_that_have_as_many_do_not_take_turns_for_ever),
		cmocka_unit_test(test_pending_addresses__many_processes_of_one_container_have_one_share),
		cmocka_unit_test(test_pending_addresses__what_got_a_name_is_gone_and_the_rest_stays),
		cmocka_unit_test(
			test_pending_addresses__a_young_process_is_asked_each_time_and_one_in_vain_once_a_minute),
		cmocka_unit_test(
			test_pending_addresses__a_name_makes_a_process_young_again_and_one_that_is_expected_asks_at_once),
		cmocka_unit_test(test_pending_addresses__who_has_waited_longest_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
