/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "profiler/collect/processes.h"
#include "tests/unit/fake_host.h"

struct host {
	struct fake_host fake;
	struct processes *processes;
};

/* In place of the kernel's map. */
static int unseen;

void sampler_seen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation, uint64_t image)
{
}

void sampler_unseen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation)
{
	unseen++;
}

static int make_host(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	*state = host;
	unseen = 0;
	return !host || fake_host_init(&host->fake) ||
	       processes_new(NULL, host->fake.writer, NULL, NULL, &host->processes);
}

static int remove_host(void **state)
{
	struct host *host = *state;
	int status;

	processes_free(host->processes);
	status = fake_host_deinit(&host->fake);
	free(host);
	return status;
}

/* A sample of a process with the pid of this one, which lives. */
static void sample(struct host *host, uint64_t start_ns, uint32_t exec_generation, uint64_t tick)
{
	struct stack_event event = {
		.tgid = (uint32_t)getpid(),
		.process_start_ns = start_ns,
		.exec_generation = exec_generation,
		.flags = STACK_KERNEL_THREAD, /* has no files that would have to be opened */
	};
	struct process *process;

	assert_int_equal(processes_find(host->processes, &event, 0, tick, &process), 0);
}

static void expect(struct host *host, size_t place, uint64_t start_ns, uint32_t exec_generation)
{
	const struct process *process = processes_at(host->processes, place);

	assert_int_equal(process->start_ns, start_ns);
	assert_int_equal(process->exec_generation, exec_generation);
}

static void test_processes__a_program_that_another_one_took_the_place_of_is_forgotten(void **state)
{
	struct host *host = *state;

	for (uint32_t i = 0; i < 1000; i++)
		sample(host, 5, UINT32_MAX - 500 + i, 1);
	processes_forget(host->processes, 2);
	assert_int_equal(processes_count(host->processes), 1);
	assert_int_equal(unseen, 999);
	expect(host, 0, 5, 498);
}

static void test_processes__the_newest_program_is_kept_whatever_came_last(void **state)
{
	struct host *host = *state;

	sample(host, 5, 8, 1);
	sample(host, 5, 7, 1);
	sample(host, 5, 6, 1);
	processes_forget(host->processes, 2);
	assert_int_equal(processes_count(host->processes), 1);
	expect(host, 0, 5, 8);
}

static void test_processes__a_process_is_called_as_its_main_thread(void **state)
{
	struct host *host = *state;
	struct stack_event event = {.tgid = (uint32_t)getpid(),
				    .tid = (uint32_t)getpid() + 1,
				    .comm = "worker",
				    .flags = STACK_KERNEL_THREAD},
			   gone = {.tgid = 4194305, .tid = 4194306, .comm = "worker", .flags = STACK_KERNEL_THREAD};
	struct process *process;
	char own[COMM_BYTES];

	assert_int_equal(prctl(PR_GET_NAME, own), 0);
	assert_int_equal(processes_find(host->processes, &event, 0, 1, &process), 0);
	assert_int_equal(processes_find(host->processes, &gone, 0, 1, &process), 0);
	fake_host_read_back(&host->fake);
	assert_int_equal(host->fake.tables.processes.count, 2);
	assert_string_equal(string_table_text(&host->fake.tables.strings, host->fake.tables.processes.items[0].comm),
			    own);
	assert_string_equal(string_table_text(&host->fake.tables.strings, host->fake.tables.processes.items[1].comm),
			    "worker");
}

static void test_processes__what_was_sampled_a_moment_ago_is_kept(void **state)
{
	struct host *host = *state;

	sample(host, 5, 7, 2);
	sample(host, 5, 8, 2);
	processes_forget(host->processes, 2);
	assert_int_equal(processes_count(host->processes), 2);
	/* What is kept is found, and not taken for a third one. */
	sample(host, 5, 7, 3);
	assert_int_equal(processes_count(host->processes), 2);
	processes_forget(host->processes, 3);
	assert_int_equal(processes_count(host->processes), 2);
	processes_forget(host->processes, 4);
	assert_int_equal(processes_count(host->processes), 1);
	expect(host, 0, 5, 8);
}

static void test_processes__a_pid_that_another_process_has_is_no_sign_of_life(void **state)
{
	struct host *host = *state;

	sample(host, 5, 9, 1);
	sample(host, 6, 3, 1);
	processes_forget(host->processes, 2);
	assert_int_equal(processes_count(host->processes), 1);
	assert_int_equal(unseen, 1);
	expect(host, 0, 6, 3);
}

static void test_processes__one_that_is_known_by_the_same_number_stays_seen(void **state)
{
	struct host *host = *state;

	sample(host, 5, 3, 1);
	sample(host, 6, 3, 1);
	processes_forget(host->processes, 2);
	assert_int_equal(processes_count(host->processes), 1);
	assert_int_equal(unseen, 0);
	expect(host, 0, 6, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_host, remove_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_processes__a_program_that_another_one_took_the_place_of_is_forgotten),
		TEST(test_processes__the_newest_program_is_kept_whatever_came_last),
		TEST(test_processes__a_process_is_called_as_its_main_thread),
		TEST(test_processes__what_was_sampled_a_moment_ago_is_kept),
		TEST(test_processes__a_pid_that_another_process_has_is_no_sign_of_life),
		TEST(test_processes__one_that_is_known_by_the_same_number_stays_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
