/* SPDX-License-Identifier: BSD-2-Clause */
/* When JVMs are asked for their maps: the processes and who asks them are made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/java_maps.h"

#define SECOND 1000000000ull
#define PROCESSES_MAX 1100
#define TENANTS_MAX 3
#define TENANT_PLACES 8 /* as java_attach.h has them */

struct symbolizer_process {
	struct process_identity identity;
};

static struct {
	struct process processes[PROCESSES_MAX];
	struct symbolizer_process snapshots[PROCESSES_MAX];
	uint32_t count;
	uint32_t asked[PROCESSES_MAX]; /* and not put off */
	struct java_answer under_way[JAVA_ATTACH_UNDER_WAY_MAX];
	uint32_t under_way_count, places[TENANTS_MAX];
	bool silent; /* nobody answers: they keep their places */
	int result;
} fake;

const struct process_identity *symbolizer_process_identity(const struct symbolizer_process *process)
{
	return &process->identity;
}

bool symbolizer_process_maps_file(const struct symbolizer_process *process, const char *name)
{
	return true;
}

int symbolizer_process_refresh(struct symbolizer_process *process)
{
	return 0;
}

bool stacks_has_pending(const struct stacks *stacks, const struct process *process)
{
	return true;
}

void stacks_expect_names(struct stacks *stacks, const struct process *process)
{
}

size_t processes_count(const struct processes *processes)
{
	return fake.count;
}

struct process *processes_at(struct processes *processes, size_t number)
{
	return &fake.processes[number];
}

struct process *processes_find_row(struct processes *processes, uint32_t row)
{
	return &fake.processes[row];
}

int java_attach_ask(struct java_attach *attach, const struct java_question *question)
{
	struct java_answer answer = {question->tag, fake.result};
	uint32_t *taken = &fake.places[question->identity.tenant];

	if (fake.under_way_count == JAVA_ATTACH_UNDER_WAY_MAX)
		return -EAGAIN;
	if (*taken == TENANT_PLACES)
		answer.result = -EAGAIN;
	else
		(*taken)++;
	fake.asked[question->tag] += answer.result != -EAGAIN;
	fake.under_way[fake.under_way_count++] = answer;
	return 0;
}

int java_attach_answer(struct java_attach *attach, int timeout_ms, struct java_answer *ret_answer)
{
	for (uint32_t i = 0; i < fake.under_way_count; i++) {
		const struct java_answer answer = fake.under_way[i];

		if (fake.silent && answer.result != -EAGAIN)
			continue;
		if (answer.result != -EAGAIN)
			fake.places[fake.snapshots[answer.tag].identity.tenant]--;
		fake.under_way[i] = fake.under_way[--fake.under_way_count];
		*ret_answer = answer;
		return 0;
	}
	return -EAGAIN;
}

uint32_t java_attach_under_way(const struct java_attach *attach)
{
	return fake.under_way_count;
}

static int set_up(void **state)
{
	struct java_maps_parts parts = {0};

	memset(&fake, 0, sizeof(fake));
	return java_maps_new(&parts, (struct java_maps **)state);
}

static int tear_down(void **state)
{
	java_maps_free(*state);
	return 0;
}

static void add(uint64_t tenant, uint32_t count)
{
	for (; count; count--, fake.count++) {
		fake.snapshots[fake.count].identity.tenant = tenant;
		fake.processes[fake.count].row = fake.count;
		fake.processes[fake.count].snapshot = &fake.snapshots[fake.count];
	}
}

static uint32_t count_asked(uint32_t first, uint32_t times)
{
	uint32_t count = 0;

	for (uint32_t i = first; i < fake.count; i++)
		count += fake.asked[i] >= times;
	return count;
}

static void test_java_maps__of_many_in_a_container_each_has_its_turn(void **state)
{
	add(0, 20);
	for (uint64_t second = 1; second <= 3; second++)
		assert_int_equal(java_maps_tick(*state, second * SECOND), 0);
	assert_int_equal(count_asked(0, 1), 20);
	/* Who is put off again and again does not wait the longer for it. */
	for (uint64_t second = 4; second <= 30; second++)
		assert_int_equal(java_maps_tick(*state, second * SECOND), 0);
	assert_int_equal(count_asked(0, 4), 20);
}

static void test_java_maps__one_that_is_alone_is_asked_less_and_less_often(void **state)
{
	add(0, 1);
	for (uint64_t second = 1; second <= 25; second++)
		assert_int_equal(java_maps_tick(*state, second * SECOND), 0);
	/* At 1, 3, 7, 15 and 25 s. */
	assert_int_equal(fake.asked[0], 5);
}

static void test_java_maps__a_thousand_that_hang_do_not_keep_another_container_waiting(void **state)
{
	fake.silent = true;
	add(0, 1000);
	for (uint64_t second = 1; second <= 10; second++)
		assert_int_equal(java_maps_tick(*state, second * SECOND), 0);
	assert_int_equal(count_asked(0, 1), TENANT_PLACES);
	add(1, 4);
	assert_int_equal(java_maps_tick(*state, 11 * SECOND), 0);
	assert_int_equal(count_asked(1000, 1), 4);
}

#define WITH_MAPS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MAPS(test_java_maps__of_many_in_a_container_each_has_its_turn),
		WITH_MAPS(test_java_maps__one_that_is_alone_is_asked_less_and_less_often),
		WITH_MAPS(test_java_maps__a_thousand_that_hang_do_not_keep_another_container_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
