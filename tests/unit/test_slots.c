/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs' maps are stood in for by the functions below, which go before libbpf's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "profiler/collect/slots.h"
#include "tests/unit/fake_host.h"

#include "stoker.skel.h"

#define KEYS_FD 1
#define FREE_FD 2
#define SHARES_FD 3

/* What the kernel side has: who has which slot, and the queue of free ones. */
static struct {
	struct slot_key keys[SLOTS_MAX];
	uint32_t slots[SLOTS_MAX];
	size_t count;
	uint32_t queue[SLOTS_MAX];
	size_t queued;
	uint64_t forgotten; /* the last cgroup whose share was */
} kernel;

int bpf_map__fd(const struct bpf_map *map)
{
	return (int)(intptr_t)map;
}

static size_t find(const void *key)
{
	size_t at = 0;

	while (at < kernel.count && memcmp(&kernel.keys[at], key, sizeof(kernel.keys[at])) != 0)
		at++;
	return at;
}

int bpf_map_get_next_key(int fd, const void *key, void *next_key)
{
	size_t at = key ? find(key) + 1 : 0;

	assert_int_equal(fd, KEYS_FD);
	if (at >= kernel.count)
		return -ENOENT;
	memcpy(next_key, &kernel.keys[at], sizeof(kernel.keys[at]));
	return 0;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	size_t at = find(key);

	assert_int_equal(fd, KEYS_FD);
	if (at == kernel.count)
		return -ENOENT;
	memcpy(value, &kernel.slots[at], sizeof(kernel.slots[at]));
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	size_t at;

	if (fd == SHARES_FD) {
		memcpy(&kernel.forgotten, key, sizeof(kernel.forgotten));
		return 0;
	}
	at = find(key);
	assert_int_equal(fd, KEYS_FD);
	assert_true(at < kernel.count);
	kernel.keys[at] = kernel.keys[--kernel.count];
	kernel.slots[at] = kernel.slots[kernel.count];
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)key;
	(void)flags;
	assert_int_equal(fd, FREE_FD);
	assert_true(kernel.queued < SLOTS_MAX);
	memcpy(&kernel.queue[kernel.queued++], value, sizeof(kernel.queue[0]));
	return 0;
}

/* As slot_of_key() does it. */
static uint32_t take_slot(uint64_t cgroup_id)
{
	uint32_t slot = kernel.queue[0];

	assert_true(kernel.queued);
	memmove(kernel.queue, kernel.queue + 1, --kernel.queued * sizeof(kernel.queue[0]));
	kernel.keys[kernel.count] = (struct slot_key){cgroup_id, 7};
	kernel.slots[kernel.count++] = slot;
	return slot;
}

struct host {
	struct fake_host fake;
	struct stoker_bpf skeleton;
	struct stoker_bpf__bss bss;
	struct slots slots;
};

static int make_host(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	*state = host;
	if (!host || fake_host_init(&host->fake))
		return -1;
	memset(&kernel, 0, sizeof(kernel));
	host->skeleton.bss = &host->bss;
	host->skeleton.maps.cgroup_slots = (struct bpf_map *)KEYS_FD;
	host->skeleton.maps.cgroup_shares = (struct bpf_map *)SHARES_FD;
	host->skeleton.maps.free_slots = (struct bpf_map *)FREE_FD;
	return slots_init(&host->slots, &host->skeleton, host->fake.owners);
}

static int remove_host(void **state)
{
	struct host *host = *state;
	int status = fake_host_deinit(&host->fake);

	free(host);
	return status;
}

static void tell(struct host *host, enum event_type type, uint64_t id)
{
	char path[32];

	snprintf(path, sizeof(path), "/of-%d", (int)id);
	fake_host_tell(&host->fake, type, id, path);
}

static void refresh(struct host *host)
{
	assert_int_equal(slots_refresh(&host->slots), 0);
}

static uint32_t row_of(struct host *host, uint32_t slot)
{
	uint32_t row = UINT32_MAX;

	assert_int_equal(slots_row(&host->slots, slot, &row), 0);
	return row;
}

static void test_slots__all_places_are_free_at_first(void **state)
{
	struct host *host = *state;

	assert_int_equal(kernel.queued, SLOTS_MAX - SLOT_FIRST);
	assert_int_equal(kernel.queue[0], SLOT_FIRST);
	assert_int_equal(host->bss.slots_valid[SLOT_OTHERS], SLOT_NOBODYS);
	assert_int_equal(host->bss.slots_valid[SLOT_FIRST], SLOT_FIRST);
	assert_int_equal(slots_counted(&host->slots, SLOT_FIRST), 0);
}

static void test_slots__a_cgroup_has_its_row_once_it_was_told_of(void **state)
{
	struct host *host = *state;
	uint32_t slot, others = row_of(host, SLOT_OTHERS);

	tell(host, EVENT_CGROUP_MADE, 50);
	slot = take_slot(50);
	assert_false(slots_known(&host->slots, slot));
	refresh(host);
	assert_true(slots_known(&host->slots, slot));
	assert_int_equal(slots_counted(&host->slots, slot), slot);
	assert_int_equal(slots_pid_namespace(&host->slots, slot), 7);
	assert_int_not_equal(row_of(host, slot), others);
}

static void test_slots__one_of_which_nothing_is_told_is_given_a_round_later(void **state)
{
	struct host *host = *state;
	uint32_t slot = take_slot(50);

	refresh(host);
	assert_false(slots_known(&host->slots, slot));
	refresh(host);
	assert_true(slots_known(&host->slots, slot));
}

static void test_slots__the_place_of_a_cgroup_that_is_gone_is_anothers_two_rounds_later(void **state)
{
	struct host *host = *state;
	uint32_t slot, row, next;
	size_t queued;

	tell(host, EVENT_CGROUP_MADE, 50);
	slot = take_slot(50);
	refresh(host);
	row = row_of(host, slot);
	queued = kernel.queued;
	tell(host, EVENT_CGROUP_REMOVED, 50);
	assert_false(slots_end(&host->slots));
	assert_false(slots_over(&host->slots, slot));
	assert_int_equal(kernel.forgotten, 0);
	assert_true(slots_end(&host->slots));
	assert_int_equal(kernel.forgotten, 50);
	/* Nobody counts for it; what was counted can be read. */
	assert_int_equal(kernel.count, 0);
	assert_int_equal(host->bss.slots_valid[slot], SLOT_NOBODYS);
	assert_true(slots_over(&host->slots, slot));
	assert_int_equal(slots_counted(&host->slots, SLOT_PLACE(slot)), slot);
	assert_int_equal(slots_return(&host->slots), 0);
	assert_int_equal(kernel.queued, queued + 1);
	next = kernel.queue[kernel.queued - 1];
	assert_int_equal(SLOT_PLACE(next), slot);
	assert_int_not_equal(next, slot);
	assert_int_equal(host->bss.slots_valid[slot], next);
	/* Who still names the old one means the container that it was. */
	assert_int_equal(row_of(host, slot), row);
	assert_int_equal(slots_counted(&host->slots, SLOT_PLACE(slot)), 0);
	assert_false(slots_end(&host->slots));
}

static void test_slots__a_cgroup_whose_removal_was_lost_gives_its_place_back_too(void **state)
{
	struct host *host = *state;
	uint32_t slot;

	/* There is no such folder. */
	tell(host, EVENT_CGROUP_MADE, 50);
	slot = take_slot(50);
	refresh(host);
	for (int i = 0; i < 5; i++)
		assert_false(slots_end(&host->slots));
	assert_int_equal(owners_look(host->fake.owners), 0);
	assert_false(slots_end(&host->slots));
	assert_true(slots_end(&host->slots));
	assert_int_equal(slots_return(&host->slots), 0);
	assert_int_equal(SLOT_PLACE(kernel.queue[kernel.queued - 1]), slot);
}

static void test_slots__others_may_ask_again_as_soon_as_a_place_is_free(void **state)
{
	struct host *host = *state;

	tell(host, EVENT_CGROUP_MADE, 50);
	take_slot(50);
	refresh(host);
	host->bss.slots_valid[SLOT_OTHERS] = SLOT_OTHERS;
	tell(host, EVENT_CGROUP_REMOVED, 50);
	slots_end(&host->slots);
	assert_int_equal(host->bss.slots_valid[SLOT_OTHERS], SLOT_OTHERS);
	assert_true(slots_end(&host->slots));
	assert_int_equal(slots_return(&host->slots), 0);
	assert_int_equal(host->bss.slots_valid[SLOT_OTHERS], SLOT_NOBODYS);
}

static void test_slots__a_place_given_away_a_hundred_times_names_the_last_sixteen(void **state)
{
	struct host *host = *state;
	uint32_t slots[100], rows[100];

	/* One place alone is free. */
	kernel.queued = 1;
	for (uint32_t i = 0; i < 100; i++) {
		tell(host, EVENT_CGROUP_MADE, 100 + i);
		slots[i] = take_slot(100 + i);
		refresh(host);
		rows[i] = row_of(host, slots[i]);
		tell(host, EVENT_CGROUP_REMOVED, 100 + i);
		slots_end(&host->slots);
		assert_true(slots_end(&host->slots));
		assert_int_equal(slots_return(&host->slots), 0);
	}
	for (uint32_t i = 100 - PAST_SLOTS; i < 100; i++)
		assert_int_equal(row_of(host, slots[i]), rows[i]);
	assert_int_equal(row_of(host, slots[0]), row_of(host, SLOT_OTHERS));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_slots__##name, make_host, remove_host)
	const struct CMUnitTest tests[] = {
		TEST(all_places_are_free_at_first),
		TEST(a_cgroup_has_its_row_once_it_was_told_of),
		TEST(one_of_which_nothing_is_told_is_given_a_round_later),
		TEST(the_place_of_a_cgroup_that_is_gone_is_anothers_two_rounds_later),
		TEST(a_cgroup_whose_removal_was_lost_gives_its_place_back_too),
		TEST(others_may_ask_again_as_soon_as_a_place_is_free),
		TEST(a_place_given_away_a_hundred_times_names_the_last_sixteen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
