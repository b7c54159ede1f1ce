/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of addresses, by a symbolizer that is made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>

#include "profiler/collect/address_frames.h"
#include "symbolizer/base/clock.h"
#include "tests/unit/fake_host.h"

#define ENDED_PID 4194304 /* PID_MAX_LIMIT: never given */

struct symbolizer {
	struct string_table strings;
	bool has_map; /* of every process */
	unsigned int read_us;
	uint64_t read, asked; /* processes, addresses */
	uint64_t first_asked; /* start of the process that was first to be asked */
	uint32_t generations;
	bool inlines; /* in what has a name */
	bool maps_nothing;
	int error; /* of a refresh */
	bool same; /* a refresh finds what was there before */
};

struct symbolizer_process {
	struct process_identity identity;
	uint32_t generation;
	uint64_t reads;
};

static struct symbolizer fake;

const struct string_table *symbolizer_strings(const struct symbolizer *symbolizer)
{
	return &symbolizer->strings;
}

uint64_t symbolizer_strings_forgotten(const struct symbolizer *symbolizer)
{
	return 0;
}

int symbolizer_process_new(struct symbolizer *symbolizer, const struct process_identity *identity,
			   struct symbolizer_process **ret_process)
{
	*ret_process = calloc(1, sizeof(**ret_process));
	(*ret_process)->identity = *identity;
	(*ret_process)->generation = fake.generations++;
	return 0;
}

uint32_t symbolizer_process_generation(const struct symbolizer_process *process)
{
	return process->generation;
}

/* Everyone maps just this. */
bool symbolizer_process_replaced_by(const struct symbolizer_process *process, uint64_t start, uint64_t end,
				    uint64_t time_ns, bool anonymous)
{
	return start < 0x2000 && end > 0x1000;
}

void symbolizer_process_free(struct symbolizer_process *process)
{
	free(process);
}

const struct process_identity *symbolizer_process_identity(const struct symbolizer_process *process)
{
	return &process->identity;
}

bool symbolizer_process_maps(const struct symbolizer_process *process, uint64_t address)
{
	return !fake.maps_nothing;
}

int symbolizer_process_refresh(struct symbolizer_process *process)
{
	if (!fake.read++)
		fake.first_asked = process->identity.start_ns;
	usleep(fake.read_us);
	process->reads++;
	if (!fake.error && !fake.same)
		process->generation = fake.generations++;
	return fake.error;
}

static void add_symbol(struct symbols *symbols, enum symbol_kind kind, const char *name)
{
	struct symbol *symbol = array_add(&symbols->list);

	*symbol = (struct symbol){.kind = kind, .named = fake.has_map, .pending = !fake.has_map};
	assert_int_equal(string_table_add(&fake.strings, name, strlen(name), &symbol->name), 0);
}

int symbolizer_user(struct symbolizer_process *process, const uint64_t *addresses, size_t count,
		    struct symbols *ret_symbols)
{
	ret_symbols->list.count = ret_symbols->spans.count = 0;
	for (size_t i = 0; i < count; i++) {
		struct symbol_span *span = array_add(&ret_symbols->spans);

		span->first = (uint32_t)ret_symbols->list.count;
		if (fake.has_map && fake.inlines)
			add_symbol(ret_symbols, SYMBOL_INLINED, "inlined");
		add_symbol(ret_symbols, SYMBOL_JIT, fake.has_map ? "named" : "[jit: no map]");
		span->count = (uint32_t)ret_symbols->list.count - span->first;
	}
	fake.asked += count;
	return 0;
}

int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, size_t count,
		      struct symbols *ret_symbols)
{
	return -ENOMEM;
}

void symbols_deinit(struct symbols *symbols)
{
	array_deinit(&symbols->list);
	array_deinit(&symbols->spans);
}

void sampler_seen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation, uint64_t image)
{
}

void sampler_unseen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation)
{
}

struct host {
	struct fake_host fake;
	struct processes *processes;
	struct new_mappings *mappings;
	struct address_frames frames;
};

static int set_up(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	*state = host;
	fake = (struct symbolizer){0};
	if (!host || fake_host_init(&host->fake) || string_table_init(&fake.strings))
		return -1;
	host->frames.symbolizer = &fake;
	host->frames.writer = host->fake.writer;
	return new_mappings_new(&host->mappings) ||
	       processes_new(&fake, host->fake.writer, NULL, host->mappings, &host->processes);
}

static int tear_down(void **state)
{
	struct host *host = *state;
	int status;

	address_frames_deinit(&host->frames);
	processes_free(host->processes);
	new_mappings_free(host->mappings);
	string_table_deinit(&fake.strings);
	status = fake_host_deinit(&host->fake);
	free(host);
	return status;
}

/* One that lives, or is none; @start_ns tells them apart. */
static struct process *add_process(struct host *host, uint32_t tgid, uint64_t start_ns, uint32_t container)
{
	struct stack_event event = {.tgid = tgid, .process_start_ns = start_ns};
	struct process *process;

	assert_int_equal(processes_find(host->processes, &event, container, 0, &process), 0);
	return process;
}

static uint32_t row_of(struct host *host, const struct process *process, uint64_t address)
{
	const uint32_t *rows;
	uint8_t count;

	assert_int_equal(address_frames_of(&host->frames, process, address, &rows, &count), 0);
	assert_int_equal(count, 1);
	return rows[0];
}

static void name_pending(struct host *host, bool last)
{
	fake.read = fake.asked = 0;
	assert_int_equal(address_frames_name_pending(&host->frames, host->processes, last), 0);
}

static bool is_named_in_recording(const struct host *host, uint32_t row)
{
	return host->fake.tables.frames.items[row].named;
}

static void test_address_frames__names_that_come_late_are_given_to_what_waited_for_them(void **state)
{
	struct host *host = *state;
	struct process *process = add_process(host, (uint32_t)getpid(), 1, 1);
	uint32_t early = row_of(host, process, 0x1000), late;

	name_pending(host, false);
	assert_int_equal(fake.read, 1);
	assert_true(address_frames_has_pending(&host->frames, process));
	fake.has_map = true;
	/* It is asked again after an eighth of the time for which it had none. */
	for (int i = 0; i < 500 && address_frames_has_pending(&host->frames, process); i++) {
		usleep(10000);
		name_pending(host, false);
	}
	assert_false(address_frames_has_pending(&host->frames, process));
	late = row_of(host, process, 0x2000);
	name_pending(host, true);
	assert_int_equal(fake.read, 0);
	fake_host_read_back(&host->fake);
	assert_true(is_named_in_recording(host, early));
	assert_true(is_named_in_recording(host, late));
	assert_int_equal(address_frames_given_up(&host->frames), 0);
}

static void test_address_frames__a_late_name_is_that_of_the_function_which_was_not_inlined(void **state)
{
	struct host *host = *state;
	uint32_t row = row_of(host, add_process(host, (uint32_t)getpid(), 1, 1), 0x1000);
	const struct recording_frame *frame;

	fake.has_map = fake.inlines = true;
	name_pending(host, false);
	fake_host_read_back(&host->fake);
	frame = &host->fake.tables.frames.items[row];
	assert_true(frame->named);
	assert_int_equal(frame->kind, FRAME_JIT);
	assert_string_equal(string_table_text(&host->fake.tables.strings, frame->name), "named");
}

static void test_address_frames__one_that_makes_up_addresses_takes_no_name_from_another_one(void **state)
{
	struct host *host = *state;
	struct process *quiet = add_process(host, (uint32_t)getpid(), 1, 1);
	struct process *loud = add_process(host, (uint32_t)getpid(), 2, 2);
	uint32_t before = row_of(host, quiet, 0x1000), first = row_of(host, loud, 1), after, again, late;

	for (uint64_t i = 2; i < PENDING_ADDRESSES_MAX + 100; i++)
		row_of(host, loud, i);
	after = row_of(host, quiet, 0x2000);
	assert_int_equal(address_frames_given_up(&host->frames), 101);
	fake.has_map = true;
	name_pending(host, false);
	assert_int_equal(fake.asked, PENDING_ADDRESSES_MAX);
	/* Now there is room: who was given up, or got none, waits again where it is sampled again. */
	fake.has_map = false;
	again = row_of(host, loud, 1);
	assert_int_not_equal(again, first);
	late = row_of(host, loud, PENDING_ADDRESSES_MAX + 50);
	fake.has_map = true;
	name_pending(host, true);
	assert_int_equal(fake.asked, 2);
	fake_host_read_back(&host->fake);
	assert_true(is_named_in_recording(host, before));
	assert_true(is_named_in_recording(host, after));
	assert_true(is_named_in_recording(host, again));
	assert_true(is_named_in_recording(host, late));
	assert_false(is_named_in_recording(host, first));
}

static void test_address_frames__what_has_no_room_to_wait_shares_a_row(void **state)
{
	struct host *host = *state;
	struct process *loud = add_process(host, (uint32_t)getpid(), 1, 1);
	struct process *quiet = add_process(host, (uint32_t)getpid(), 2, 2);
	uint32_t shared, row;

	for (uint64_t i = 0; i < 200000; i++)
		shared = row_of(host, loud, i);
	row = row_of(host, quiet, 0x1000);
	for (uint64_t i = 0; i < 200000; i++)
		assert_in_range(row_of(host, loud, i), 0, shared);
	/* Not even a flush that finds no name gives them rows. */
	name_pending(host, false);
	for (uint64_t i = 0; i < 200000; i++)
		row_of(host, loud, i);
	fake.has_map = true;
	name_pending(host, true);
	fake_host_read_back(&host->fake);
	assert_true(is_named_in_recording(host, row));
	assert_in_range(host->fake.tables.frames.count, PENDING_ADDRESSES_MAX, PENDING_ADDRESSES_MAX + 10);
}

static void test_address_frames__who_is_asked_in_vain_waits_until_it_ends_or_a_map_is_expected(void **state)
{
	struct host *host = *state;
	struct process *process = add_process(host, (uint32_t)getpid(), 1, 1);

	row_of(host, process, 0x1000);
	/* As if it had been asked for hours. */
	host->frames.pending.processes.items[0].since_ns = 0;
	name_pending(host, false);
	assert_int_equal(fake.read, 1);
	name_pending(host, false);
	assert_int_equal(fake.read, 0);
	address_frames_expect(&host->frames, process);
	name_pending(host, false);
	assert_int_equal(fake.read, 1);
	host->frames.pending.processes.items[0].after_ns = UINT64_MAX;
	process->tgid = ENDED_PID;
	name_pending(host, false);
	assert_int_equal(fake.read, 1);
	host->frames.pending.processes.items[0].after_ns = UINT64_MAX;
	name_pending(host, false);
	assert_int_equal(fake.read, 0);
	/* But none is forgotten at the end. */
	name_pending(host, true);
	assert_int_equal(fake.read, 1);
	processes_forget(host->processes, 1);
	name_pending(host, true);
	assert_int_equal(host->frames.pending.count, 0);
	assert_int_equal(address_frames_given_up(&host->frames), 0);
}

static void test_address_frames__a_quarter_of_a_second_is_for_those_that_wait_and_later_ticks_go_on(void **state)
{
	struct host *host = *state;
	uint64_t first, begun_ns;

	for (uint64_t i = 0; i < 20; i++)
		row_of(host, add_process(host, (uint32_t)getpid(), i, 1), 0x1000);
	fake.read_us = 20000;
	begun_ns = clock_now_ns();
	name_pending(host, false);
	first = fake.read;
	assert_in_range(first, 1, 14);
	fake.has_map = true;
	/* That is paid off by a twentieth of the time: whoever is next takes some 20 ms of it. */
	do {
		usleep(50000);
		name_pending(host, false);
	} while (!fake.read);
	assert_in_range(fake.read, 1, 3 + (clock_now_ns() - begun_ns) / 20 / 20000000);
	/* Who had no turn comes before those that had one. */
	assert_int_equal(fake.first_asked, first);
	name_pending(host, true);
	assert_int_equal(host->frames.pending.count, 0);
	assert_int_equal(address_frames_given_up(&host->frames), 0);
}

static void test_address_frames__what_is_not_asked_at_the_end_for_want_of_time_is_counted(void **state)
{
	struct host *host = *state;

	for (uint64_t i = 0; i < 3; i++)
		row_of(host, add_process(host, (uint32_t)getpid(), i, 1), 0x1000);
	fake.read_us = 2600000;
	name_pending(host, true);
	assert_in_range(fake.read, 1, 2);
	assert_int_equal(address_frames_given_up(&host->frames), 3 - fake.read);
}

static void follow(struct host *host)
{
	fake.read = 0;
	assert_int_equal(processes_follow(host->processes), 0);
}

static void map(struct host *host, uint32_t tgid, uint64_t start)
{
	new_mappings_add(host->mappings, &(struct new_mapping){.start = start, .end = start + 0x1000, .tgid = tgid});
	follow(host);
}

static void test_address_frames__what_lies_where_something_was_replaced_is_named_anew(void **state)
{
	struct host *host = *state;
	struct process *other = add_process(host, ENDED_PID, 1, 1);
	struct process *process = add_process(host, (uint32_t)getpid(), 1, 1);

	fake.has_map = true;
	row_of(host, process, 0x1000);
	row_of(host, process, 0x1000);
	row_of(host, other, 0x1000);
	assert_int_equal(fake.asked, 2);
	map(host, process->tgid, 0x3000);
	assert_int_equal(fake.read, 0);
	map(host, process->tgid, 0x1000);
	assert_int_equal(fake.read, 1);
	row_of(host, process, 0x1000);
	assert_int_equal(fake.asked, 3);
	row_of(host, other, 0x1000);
	assert_int_equal(fake.asked, 3);
	map(host, process->tgid, 0x3000);
	assert_int_equal(fake.read, 0);
}

static void test_address_frames__what_cannot_be_read_when_it_is_replaced_is_read_later(void **state)
{
	struct host *host = *state;
	struct process *process = add_process(host, (uint32_t)getpid(), 1, 1);

	fake.error = -EMFILE;
	map(host, process->tgid, 0x1000);
	assert_int_equal(fake.read, 1);
	fake.error = 0;
	process->follow_after_ns = 0;
	map(host, process->tgid, 0x3000);
	assert_int_equal(fake.read, 1);
	map(host, process->tgid, 0x3000);
	assert_int_equal(fake.read, 0);
}

static void test_address_frames__who_replaces_nothing_by_what_it_maps_is_read_the_less_often(void **state)
{
	struct host *host = *state;
	struct process *process = add_process(host, (uint32_t)getpid(), 1, 1);

	fake.same = true;
	for (uint64_t wait_ns = REFRESH_WAIT_MIN_NS; wait_ns < REFRESH_WAIT_MAX_NS; wait_ns *= 2) {
		map(host, process->tgid, 0x1000);
		assert_int_equal(fake.read, 1);
		assert_int_equal(process->follow_wait_ns, wait_ns);
		process->follow_after_ns += 1000000000;
		map(host, process->tgid, 0x1000);
		assert_int_equal(fake.read, 0);
		process->follow_after_ns = 0;
	}
	fake.same = false;
	follow(host);
	assert_int_equal(fake.read, 1);
	assert_int_equal(process->follow_wait_ns, REFRESH_WAIT_MIN_NS);
}

static void test_address_frames__a_tenth_of_a_second_is_for_those_that_map_and_the_next_ticks_go_on(void **state)
{
	struct host *host = *state;
	uint64_t read = 0;
	size_t count = 1000;

	for (uint32_t i = 0; i < count; i++)
		add_process(host, 1024 * i + 1, 1, 1);
	fake.read_us = 500;
	for (int ticks = 0; read < count; ticks++) {
		for (uint32_t i = 0; i < count; i++)
			new_mappings_add(host->mappings,
					 &(struct new_mapping){.start = 0x1000, .end = 0x2000, .tgid = 1024 * i + 1});
		follow(host);
		assert_in_range(fake.read, ticks < 4, 201);
		read += fake.read;
	}
	/* All had their turn before anybody had another one. */
	for (size_t i = 0; i < count; i++)
		assert_in_range(processes_at(host->processes, i)->snapshot->reads, 1, read - count + 1);
}

static void test_address_frames__one_that_takes_long_to_read_is_read_the_less_often(void **state)
{
	struct host *host = *state;
	struct process *process = add_process(host, (uint32_t)getpid(), 1, 1);
	uint64_t address = 0x1000;

	fake.maps_nothing = true;
	fake.read_us = 20000;
	assert_int_equal(processes_refresh(process, &address, 1, 1000000000), 0);
	assert_int_equal(processes_refresh(process, &address, 1, 1190000000), 0);
	assert_int_equal(fake.read, 1);
	assert_int_equal(processes_refresh(process, &address, 1, 1000000000 + REFRESH_WAIT_MAX_NS), 0);
	assert_int_equal(fake.read, 2);
}

#define HOSTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOSTED(test_address_frames__names_that_come_late_are_given_to_what_waited_for_them),
		HOSTED(test_address_frames__a_late_name_is_that_of_the_function_which_was_not_inlined),
		HOSTED(test_address_frames__one_that_makes_up_addresses_takes_no_name_from_another_one),
		HOSTED(test_address_frames__what_has_no_room_to_wait_shares_a_row),
		HOSTED(test_address_frames__who_is_asked_in_vain_waits_until_it_ends_or_a_map_is_expected),
		HOSTED(test_address_frames__a_quarter_of_a_second_is_for_those_that_wait_and_later_ticks_go_on),
		HOSTED(test_address_frames__what_is_not_asked_at_the_end_for_want_of_time_is_counted),
		HOSTED(test_address_frames__what_lies_where_something_was_replaced_is_named_anew),
		HOSTED(test_address_frames__one_that_takes_long_to_read_is_read_the_less_often),
		HOSTED(test_address_frames__what_cannot_be_read_when_it_is_replaced_is_read_later),
		HOSTED(test_address_frames__who_replaces_nothing_by_what_it_maps_is_read_the_less_often),
		HOSTED(test_address_frames__a_tenth_of_a_second_is_for_those_that_map_and_the_next_ticks_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
