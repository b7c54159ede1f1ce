/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks that wait for their names, and the samples that wait with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/sample_counts.h"
#include "symbolizer/symbolizer.h"
#include "tests/unit/recordings.h"

static struct maker maker;
static struct symbolizer *symbolizer;
static struct stacks *stacks;
static struct process nobody; /* a kernel thread: nothing of it has to be asked for */

static int set_up(void **state)
{
	static const struct symbolizer_options options = {0};

	maker_start(&maker);
	return symbolizer_new(&options, &symbolizer) || stacks_new(symbolizer, maker.writer, NULL, &stacks);
}

static int tear_down(void **state)
{
	stacks_free(stacks);
	symbolizer_free(symbolizer);
	recording_writer_free(maker.writer);
	unlink(maker.path);
	return 0;
}

static int tear_down_loaded(void **state)
{
	stacks_free(stacks);
	symbolizer_free(symbolizer);
	return 0;
}

static struct stack_event event_of(uint8_t user_frames)
{
	struct stack_event event = {.user_count = user_frames};

	for (size_t i = 0; i < user_frames; i++)
		event.frames[i] = 0x400000 + i;
	return event;
}

struct round {
	struct unnamed_stacks unnamed;
	size_t told;
	uint64_t tags;
	bool more; /* one comes for each that is told */
};

static void take(void *data, uint64_t tag, uint32_t stack, enum stack_end end)
{
	struct round *round = data;
	struct stack_event event = event_of(3);

	round->told++;
	round->tags += tag;
	if (round->more)
		assert_int_equal(unnamed_stacks_add(&round->unnamed, &event, &nobody, 1000), 0);
}

static void test_unnamed_stacks__what_comes_in_a_round_waits_for_the_next(void **state)
{
	struct round round = {.more = true};
	struct unnamed_stacks_taker taker = {take, &round};
	struct stack_event event = event_of(5);

	for (uint64_t tag = 1; tag <= 3; tag++)
		assert_int_equal(unnamed_stacks_add(&round.unnamed, &event, &nobody, tag), 0);
	assert_int_equal(unnamed_stacks_name(&round.unnamed, stacks, 1, &taker), 0);
	assert_int_equal(round.told, 3);
	assert_int_equal(round.tags, 6);
	assert_int_equal(round.unnamed.list.count, 3);
	assert_int_equal(round.unnamed.addresses.count, 9);

	round.more = false;
	assert_int_equal(unnamed_stacks_name(&round.unnamed, stacks, 2, &taker), 0);
	assert_int_equal(round.told, 6);
	assert_int_equal(round.tags, 3006);
	assert_int_equal(round.unnamed.list.count, 0);
	unnamed_stacks_deinit(&round.unnamed);
}

static void test_unnamed_stacks__so_many_wait_and_no_more(void **state)
{
	struct round round = {0};
	struct unnamed_stacks_taker taker = {take, &round};
	struct stack_event small = event_of(0), large = event_of(STACK_FRAMES_MAX);
	size_t count = 0;

	while (!unnamed_stacks_add(&round.unnamed, &small, &nobody, 0))
		count++;
	assert_int_equal(count, UNNAMED_STACKS_MAX);
	assert_int_equal(unnamed_stacks_add(&round.unnamed, &small, &nobody, 0), -ENOBUFS);
	assert_int_equal(unnamed_stacks_name(&round.unnamed, stacks, 1, &taker), 0);
	assert_int_equal(round.told, UNNAMED_STACKS_MAX);

	for (count = 0; !unnamed_stacks_add(&round.unnamed, &large, &nobody, 0);)
		count++;
	assert_int_equal(count, UNNAMED_ADDRESSES_MAX / STACK_FRAMES_MAX);
	unnamed_stacks_deinit(&round.unnamed);
}

/* A key with two samples, the first of which brought its stack. */
static void add_key(struct sample_counts *counts, uint32_t set, uint32_t number, uint32_t container, uint8_t frames)
{
	uint64_t token = (uint64_t)set << 31 | number;
	struct sample_key key = {.container = container, .thread = container};
	struct stack_event event = event_of(frames);

	assert_true(sample_counts_is_new(counts, token));
	assert_int_equal(sample_counts_add_key(counts, token, &key, &event, &nobody), 0);
	assert_false(sample_counts_is_new(counts, token));
	assert_int_equal(sample_counts_add(counts, token, 1), 0);
	assert_int_equal(sample_counts_add(counts, token, 1), 0);
}

static uint64_t samples_of(const struct profile *profile, const char *frame)
{
	uint64_t count = 0;

	for (size_t i = 0; i < profile->rows.samples.count; i++) {
		const struct recording_sample *sample = &profile->rows.samples.items[i];
		const char *name = "";

		if (sample->stack != RECORDING_STACK_ROOT)
			name = string_table_text(
				&profile->rows.strings,
				profile->rows.frames.items[profile->rows.stacks.items[sample->stack].frame].name);
		count += strcmp(name, frame) ? 0 : sample->count;
	}
	return count;
}

static void test_sample_counts__stacks_that_are_too_many_leave_their_samples_and_a_reason(void **state)
{
	struct accounts accounts = {0};
	struct sample_counts counts = {.writer = maker.writer, .stacks = stacks, .accounts = &accounts};
	uint32_t container = maker_container(&maker, CONTAINER_UNKNOWN, "web", "", "");
	struct profile *profile;

	for (uint32_t i = 0; i < UNNAMED_STACKS_MAX; i++)
		add_key(&counts, 0, i, container, 0);
	for (uint32_t i = 0; i < 5; i++)
		add_key(&counts, 0, UNNAMED_STACKS_MAX + i, container, 0);
	assert_int_equal(sample_counts_write(&counts, false, 1, 1), 0);
	assert_int_equal(counts.left, 10);
	assert_int_equal(accounts.kept, 2 * (UNNAMED_STACKS_MAX + 5));
	/* Named once, a reason stays with its key. */
	assert_int_equal(sample_counts_add(&counts, UNNAMED_STACKS_MAX, 7), 0);
	assert_int_equal(sample_counts_write(&counts, true, 2, 2), 0);
	assert_int_equal(counts.left, 17);

	maker.total.taken = maker.total.kept = accounts.kept;
	sample_counts_deinit(&counts);
	accounts_deinit(&accounts);
	profile = maker_load(&maker);
	assert_int_equal(samples_of(profile, "[too many stacks at once]"), 17);
	assert_int_equal(samples_of(profile, ""), 2 * UNNAMED_STACKS_MAX);
	profile_free(profile);
}

static void test_sample_counts__keys_of_a_cleared_set_are_written_and_the_others_stay(void **state)
{
	struct accounts accounts = {0};
	struct sample_counts counts = {.writer = maker.writer, .stacks = stacks, .accounts = &accounts};
	uint32_t container = maker_container(&maker, CONTAINER_UNKNOWN, "web", "", "");
	struct profile *profile;

	add_key(&counts, 0, 0, container, 0);
	add_key(&counts, 1, 0, container, 0);
	assert_int_equal(sample_counts_write(&counts, false, 1, 1), 0);
	assert_int_equal(counts.touched.count, 0);
	assert_int_equal(sample_counts_add(&counts, 1u << 31, 3), 0);
	sample_counts_clear(&counts, 0);
	assert_true(sample_counts_is_new(&counts, 0));
	assert_int_equal(counts.touched.count, 1);
	add_key(&counts, 0, 0, container, 0);
	assert_int_equal(sample_counts_write(&counts, true, 2, 2), 0);

	maker.total.taken = maker.total.kept = accounts.kept;
	assert_int_equal(accounts.kept, 9);
	sample_counts_deinit(&counts);
	accounts_deinit(&accounts);
	profile = maker_load(&maker);
	assert_int_equal(samples_of(profile, ""), 9);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unnamed_stacks__what_comes_in_a_round_waits_for_the_next, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_unnamed_stacks__so_many_wait_and_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_sample_counts__stacks_that_are_too_many_leave_their_samples_and_a_reason, set_up,
			tear_down_loaded),
		cmocka_unit_test_setup_teardown(
			test_sample_counts__keys_of_a_cleared_set_are_written_and_the_others_stay, set_up,
			tear_down_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
