/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/render/locks.h"
#include "profiler/render/name_text.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"
#include "tests/unit/recordings.h"

#define NAME "payments-production-worker"

static void expect(const char *name, size_t max, const char *expected)
{
	char text[4 * 40 + 1];

	assert_string_equal(name_text(name, max, text, sizeof(text)), expected);
	assert_true(text_columns(text) <= max);
}

static void test_name_text__an_id_stays_whole(void **state)
{
	expect(NAME " (aaaa11112222)", 24, "payments… (aaaa11112222)");
	expect(NAME " (aaaa11112222)", 32, "payments-product… (aaaa11112222)");
	expect(NAME " (row 7, 1)", 24, "payments-pro… (row 7, 1)");
	expect("web (aaaa11112222)", 24, "web (aaaa11112222)");
	/* One that leaves no room for a name is cut as a name is. */
	expect("web (…/kubepods/besteffort/pod1a2b3c4d/aaaa4567)", 24, "web (…/kubep…d/aaaa4567)");
}

static void test_name_text__numbers_at_the_end_stay(void **state)
{
	expect("shop-production-backend-worker-1", 24, "shop-product…nd-worker-1");
	expect("shop-production-backend-worker-2", 24, "shop-product…nd-worker-2");
	expect("exactly-24-characters-xx", 24, "exactly-24-characters-xx");
	expect("日本語のコンテナ", 5, "日本…テナ");
	expect("日本語のコンテナ", 4, "日本…ナ");
}

static void test_name_text__hostile_names_have_an_end(void **state)
{
	char name[5000], text[4 * 24 + 1];

	memset(name, '\xff', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	name_text(name, 24, text, sizeof(text));
	assert_int_equal(text_columns(text), 24);
	expect("(", 24, "(");
	expect("", 24, "");
	expect("evil\nname-that-is-longer-than-24 (", 24, "evil?name-th…r-than-24 (");
}

static void add_lock(struct maker *maker, uint32_t waiter, uint32_t owner, uint64_t ms)
{
	struct recording_lock row = {
		.lock_class = LOCK_CLASS_MUTEX,
		.container = waiter,
		.thread = waiter,
		.stack = RECORDING_STACK_ROOT,
		.owner_container = owner,
		.waker_container = owner,
		.waker_thread = RECORDING_NONE,
		.waker_stack = RECORDING_STACK_ROOT,
		.owner_thread = RECORDING_NONE,
		.owner_stack = RECORDING_STACK_ROOT,
		.count = 1,
		.total_ns = ms * 1000000,
		.max_ns = ms * 1000000,
		.seen = 1,
	};
	uint32_t number;

	assert_int_equal(recording_writer_lock(maker->writer, &row, &number), 0);
}

static void test_name_text__containers_of_one_name_are_told_apart(void **state)
{
	struct locks_options options = {.by = LOCKS_BY_LOCK};
	_cleanup_free_ char *text = NULL;
	struct lock_sites sites;
	struct profile *profile;
	struct maker maker;
	uint32_t a, b;
	size_t size;
	FILE *out;

	maker_start(&maker);
	a = maker_container(&maker, CONTAINER_CONTAINER, NAME, "aaaa11112222aaaa", "");
	b = maker_container(&maker, CONTAINER_CONTAINER, NAME, "bbbb11112222aaaa", "");
	add_lock(&maker, a, b, 10);
	add_lock(&maker, b, a, 5);
	profile = maker_load(&maker);
	assert_int_equal(lock_sites_init(&sites, profile, LOCKS_BY_LOCK, NULL), 0);
	out = open_memstream(&text, &size);
	assert_non_null(out);
	assert_int_equal(render_locks_text(&sites, profile, &options, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "   payments… (aaaa11112222) waited 10.0 ms for payments… (bbbb11112222)\n"));
	assert_non_null(strstr(text, "  payments… (bbbb11112222) 67%, payments… (aaaa11112222) 33%  "));
	lock_sites_deinit(&sites);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_text__an_id_stays_whole),
		cmocka_unit_test(test_name_text__numbers_at_the_end_stay),
		cmocka_unit_test(test_name_text__hostile_names_have_an_end),
		cmocka_unit_test(test_name_text__containers_of_one_name_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
