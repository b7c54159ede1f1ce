/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/perf_map.h"
#include "symbolizer/range_layers.h"
#include "symbolizer/read_share.h"

/* A map in a file of our own: the descriptor writes, the map has another. */
struct written {
	int fd;
	struct perf_map *map;
};

static int set_up(void **state)
{
	struct written *written = calloc(1, sizeof(*written));
	char path[48];

	written->fd = memfd_create("perf-1.map", MFD_CLOEXEC);
	if (written->fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", written->fd);
	*state = written;
	return perf_map_new(open(path, O_RDONLY | O_CLOEXEC), &written->map);
}

static int tear_down(void **state)
{
	struct written *written = *state;

	perf_map_free(written->map);
	close(written->fd);
	free(written);
	return 0;
}

static void add_bytes(struct written *written, const char *bytes, size_t count)
{
	assert_int_equal(write(written->fd, bytes, count), count);
}

static void add(struct written *written, const char *text)
{
	add_bytes(written, text, strlen(text));
}

static void add_and_read(struct written *written, const char *text)
{
	add(written, text);
	assert_int_equal(perf_map_read(written->map), 0);
}

static void expect(const struct written *written, uint64_t address, const char *name)
{
	const char *found = perf_map_find(written->map, address);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
}

static void test_perf_map__names_an_address_from_its_first_byte_to_before_its_last(void **state)
{
	struct written *written = *state;

	add_and_read(written, "1000 10 first\n0x2000 0X20 none\n0x3000 0x8 LazyCompile:*f /app.js:1:2\n");
	expect(written, 0xfff, NULL);
	expect(written, 0x1000, "first");
	expect(written, 0x100f, "first");
	expect(written, 0x1010, NULL);
	expect(written, 0x3007, "LazyCompile:*f /app.js:1:2");
	expect(written, 0, NULL);
	expect(written, UINT64_MAX, NULL);
	expect(written, 0x2000, NULL);
}

static void test_perf_map__later_line_wins_where_code_memory_was_used_again(void **state)
{
	struct written *written = *state;

	add_and_read(written, "1000 100 old\n1040 20 inner\n");
	expect(written, 0x103f, "old");
	expect(written, 0x1040, "inner");
	expect(written, 0x1060, "old");
	add_and_read(written, "1050 200 new\n");
	expect(written, 0x104f, "inner");
	expect(written, 0x1050, "new");
	expect(written, 0x1100, "new");
	expect(written, 0x124f, "new");
	expect(written, 0x1250, NULL);
	add_and_read(written, "1000 1000 last\n");
	for (uint64_t address = 0x1000; address < 0x2000; address++)
		expect(written, address, "last");
}

static void test_perf_map__half_written_last_line_is_read_again(void **state)
{
	struct written *written = *state;

	add_and_read(written, "1000 10 whole\n2000 10 ha");
	expect(written, 0x2000, NULL);
	add_and_read(written, "lf\n");
	expect(written, 0x2000, "half");
}

static void test_perf_map__file_that_is_written_anew_is_read_from_its_start(void **state)
{
	struct written *written = *state;

	add_and_read(written, "1000 10 old_one\n2000 10 old_two\n");
	assert_int_equal(ftruncate(written->fd, 0), 0);
	lseek(written->fd, 0, SEEK_SET);
	add_and_read(written, "3000 10 shorter\n");
	expect(written, 0x1000, NULL);
	expect(written, 0x3000, "shorter");

	assert_int_equal(ftruncate(written->fd, 0), 0);
	lseek(written->fd, 0, SEEK_SET);
	add_and_read(written, "4000 10 and_now_a_longer_one_that_goes_on\n5000 10 behind\n");
	expect(written, 0x3000, NULL);
	expect(written, 0x4000, "and_now_a_longer_one_that_goes_on");
	expect(written, 0x5000, "behind");
}

static void test_perf_map__lines_that_are_no_entries_are_skipped(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"garbage",
		"1000",
		"1000 10",
		"1000 10 ",
		"1000 0 empty",
		"-1000 10 negative start",
		"1000 -10 negative size",
		"+1000 10 sign",
		" 1000 10 space before",
		"1000\t10\ttabs",
		"1000 10g name",
		"0x 10 no digits",
		"ffffffffffffffff 2 over the end",
		"8000000000000000 8000000000000000 to the end, and no function",
		"0 ffffffffffffffff everything",
		"10000000000000000 10 too many digits",
		"1000 10000000000000000 too many digits",
		"\x7f"
		"ELF\x02\x01\x01",
	};
	static const uint64_t others[] = {0, 1, 0xff0, 0xfff, 0x1010, 1ull << 63, -0x1000ull, -2ull};
	struct written *written = *state;

	add_and_read(written, "1000 10 good\n");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		add(written, wrong[i]);
		add_and_read(written, "\n");
		/* Whatever a more generous reader would make of it. */
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
			expect(written, others[j], NULL);
		expect(written, 0x1000, "good");
		expect(written, 0x100f, "good");
	}
	add_and_read(written, "2000 10 also good\n");
	expect(written, 0x1000, "good");
	expect(written, 0x2000, "also good");
	expect(written, 0x7fff00000000, NULL);
}

static void test_perf_map__line_with_a_nul_in_it_is_no_entry(void **state)
{
	static const char nul_in_name[] = "1000 10 na\0me\n2000 10 good\n\0\0\0\n3000\0 10 x\n";
	struct written *written = *state;

	add_bytes(written, nul_in_name, sizeof(nul_in_name) - 1);
	assert_int_equal(perf_map_read(written->map), 0);
	expect(written, 0x1000, NULL);
	expect(written, 0x2000, "good");
	expect(written, 0x3000, NULL);
}

static void test_perf_map__endless_line_is_skipped_to_its_end_and_the_next_is_read(void **state)
{
	size_t size = 3 * PERF_MAP_LINE_BYTES_MAX + 17;
	struct written *written = *state;
	char *text = malloc(size);

	/* What stands in it must not be taken for a line of its own, wherever a block ends. */
	for (size_t i = 0; i < size; i++)
		text[i] = "6666 10 x "[i % 10];
	add_and_read(written, "1000 10 before\n");
	for (int i = 0; i < 7; i++) {
		add_bytes(written, text, size);
		assert_int_equal(perf_map_read(written->map), 0);
	}
	expect(written, 0x1000, "before");
	add_and_read(written, "\n2000 10 after\n");
	free(text);
	expect(written, 0x2000, "after");
	expect(written, 0x6666, NULL);
}

static void test_perf_map__long_name_is_cut(void **state)
{
	struct written *written = *state;
	char *name = malloc(PERF_MAP_LINE_BYTES_MAX / 2 + 1);

	memset(name, 'n', PERF_MAP_LINE_BYTES_MAX / 2);
	name[PERF_MAP_LINE_BYTES_MAX / 2] = '\0';
	add(written, "1000 10 ");
	add(written, name);
	add_and_read(written, "\n");
	free(name);
	assert_non_null(perf_map_find(written->map, 0x1000));
	assert_int_equal(strlen(perf_map_find(written->map, 0x1000)), PERF_MAP_NAME_BYTES_MAX);
}

static void test_perf_map__file_past_the_limit_is_refused_and_what_was_read_stays(void **state)
{
	struct written *written = *state;

	add_and_read(written, "1000 10 kept\n");
	assert_int_equal(ftruncate(written->fd, 10ll << 30), 0);
	assert_int_equal(perf_map_read(written->map), -EFBIG);
	expect(written, 0x1000, "kept");
}

static void test_perf_map__large_file_is_read_in_several_calls_and_the_map_says_so(void **state)
{
	struct written *written = *state;
	int err, calls = 0;

	add_and_read(written, "1000 10 before\n");
	/* A hole: NULs without a newline, at no cost. */
	assert_int_equal(ftruncate(written->fd, 3 * (off_t)PERF_MAP_READ_BYTES_MAX), 0);
	lseek(written->fd, 0, SEEK_END);
	add(written, "\n2000 10 after\n");
	do {
		err = perf_map_read(written->map);
		usleep(err == -EAGAIN ? 20000 : 0);
	} while (err == -EAGAIN && ++calls < 1000);
	assert_int_equal(err, 0);
	assert_true(calls >= 2);
	expect(written, 0x1000, "before");
	expect(written, 0x2000, "after");
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* On a busy machine more time passes, and so more may be read: what is held is the share of it. */
static void test_perf_map__one_that_changes_all_the_time_has_its_share_of_time_and_no_more(void **state)
{
	uint64_t begun_ns = clock_now_ns(), spent_ns = 0, longest_ns = 0, allowed_ns;
	struct written *written = *state;

	for (int i = 0; i < 1000; i++) {
		uint64_t before_ns;

		assert_int_equal(ftruncate(written->fd, i % 2 ? 0 : (off_t)PERF_MAP_READ_BYTES_MAX), 0);
		before_ns = cpu_ns();
		if (perf_map_read(written->map) != -EAGAIN) {
			uint64_t took_ns = cpu_ns() - before_ns;

			spent_ns += took_ns;
			longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
		}
	}
	/* The one that goes over the limit, and a hundredth for two ways to look at a clock. */
	allowed_ns = READ_DEBT_NS_MAX + longest_ns + (clock_now_ns() - begun_ns) / READ_DEBT_SHARE;
	if (spent_ns > allowed_ns + allowed_ns / 100)
		fail_msg("%" PRIu64 " ns were spent, %" PRIu64 " allowed", spent_ns, allowed_ns);
}

static void test_perf_map__entries_have_a_limit(void **state)
{
	struct written *written = *state;
	FILE *file = fdopen(dup(written->fd), "w");
	int err;

	for (unsigned int i = 0; i < PERF_MAP_ENTRIES_MAX + 100; i++)
		fprintf(file, "%x0 8 f\n", i);
	fclose(file);
	while ((err = perf_map_read(written->map)) == -EAGAIN)
		usleep(20000);
	assert_int_equal(err, 0);
	expect(written, (PERF_MAP_ENTRIES_MAX - 1) * 16ull, "f");
	expect(written, PERF_MAP_ENTRIES_MAX * 16ull, NULL);
	expect(written, 0x10, "f");
	expect(written, 0x18, NULL);
}

/* Ranges in a space so small that a plain array can say who wins. */
static void test_range_layers__answer_as_an_array_would_that_is_painted_over(void **state)
{
	enum { SPACE = 300, ROUNDS = 40, BATCH = 40 };
	struct range_layers layers = {0};
	uint32_t painted[SPACE], value = 1, found;

	memset(painted, 0, sizeof(painted));
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct range batch[BATCH];
		size_t count = (size_t)(rand() % BATCH);

		for (size_t i = 0; i < count; i++) {
			uint64_t start = (uint64_t)(rand() % SPACE), end = start + (uint64_t)(rand() % 30);

			batch[i] = (struct range){start, end < SPACE ? end : SPACE, value++};
			for (uint64_t at = batch[i].start; at < batch[i].end; at++)
				painted[at] = batch[i].value;
		}
		assert_int_equal(range_layers_add(&layers, batch, count), 0);
		for (uint64_t at = 0; at < SPACE; at++) {
			found = 0;
			assert_int_equal(range_layers_find(&layers, at, &found), painted[at] != 0);
			assert_int_equal(found, painted[at]);
		}
	}
	assert_true(layers.layers.count < 32);
	range_layers_deinit(&layers);
}

static void test_range_layers__reach_to_the_last_address(void **state)
{
	struct range ranges[] = {{0, UINT64_MAX, 1}, {UINT64_MAX - 1, UINT64_MAX, 2}, {5, 5, 3}, {9, 4, 4}};
	struct range_layers layers = {0};
	uint32_t found = 0;

	assert_int_equal(range_layers_add(&layers, ranges, 4), 0);
	assert_true(range_layers_find(&layers, UINT64_MAX - 1, &found));
	assert_int_equal(found, 2);
	assert_true(range_layers_find(&layers, 5, &found));
	assert_int_equal(found, 1);
	assert_false(range_layers_find(&layers, UINT64_MAX, &found));
	range_layers_deinit(&layers);
}

#define WITH_MAP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void test_perf_map__is_read_again_at_once_after_a_trim(void **state)
{
	static char line[PERF_MAP_NAME_BYTES_MAX + 64];
	struct written *written = *state;
	int lines = 0, err;

	/* More than one read takes, and more than there is time for. */
	for (uint64_t bytes = 0; bytes < 2 * PERF_MAP_READ_BYTES_MAX; lines++) {
		bytes += (uint64_t)snprintf(line, sizeof(line), "%x 10 name_%d%03900d\n", 0x10000 + lines * 16, lines,
					    0);
		add(written, line);
	}
	while ((err = perf_map_read(written->map)) == -EAGAIN)
		usleep(1000);
	assert_int_equal(err, 0);
	for (int i = 0; i < 3; i++) {
		assert_true(perf_map_bytes(written->map) > 2 * PERF_MAP_READ_BYTES_MAX);
		perf_map_trim(written->map);
		assert_int_equal(perf_map_bytes(written->map), 0);
		assert_null(perf_map_find(written->map, 0x10000));
		assert_int_equal(perf_map_read(written->map), 0);
		assert_non_null(perf_map_find(written->map, 0x10000));
		assert_non_null(perf_map_find(written->map, 0x10000 + (uint64_t)(lines - 1) * 16));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MAP(test_perf_map__names_an_address_from_its_first_byte_to_before_its_last),
		WITH_MAP(test_perf_map__later_line_wins_where_code_memory_was_used_again),
		WITH_MAP(test_perf_map__half_written_last_line_is_read_again),
		WITH_MAP(test_perf_map__file_that_is_written_anew_is_read_from_its_start),
		WITH_MAP(test_perf_map__lines_that_are_no_entries_are_skipped),
		WITH_MAP(test_perf_map__line_with_a_nul_in_it_is_no_entry),
		WITH_MAP(test_perf_map__endless_line_is_skipped_to_its_end_and_the_next_is_read),
		WITH_MAP(test_perf_map__long_name_is_cut),
		WITH_MAP(test_perf_map__file_past_the_limit_is_refused_and_what_was_read_stays),
		WITH_MAP(test_perf_map__large_file_is_read_in_several_calls_and_the_map_says_so),
		WITH_MAP(test_perf_map__one_that_changes_all_the_time_has_its_share_of_time_and_no_more),
		WITH_MAP(test_perf_map__entries_have_a_limit),
		WITH_MAP(test_perf_map__is_read_again_at_once_after_a_trim),
		cmocka_unit_test(test_range_layers__answer_as_an_array_would_that_is_painted_over),
		cmocka_unit_test(test_range_layers__reach_to_the_last_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
