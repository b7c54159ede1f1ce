/* SPDX-License-Identifier: BSD-2-Clause */
/* What a source may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "symbolizer/base/time_share.h"
#include "symbolizer/parser.h"
#include "symbolizer/worker.h"

static struct parser *parser;

static int set_up(void **state)
{
	return parser_new(&parser);
}

static int tear_down(void **state)
{
	parser_free(parser);
	return 0;
}

static int ask(struct parser_source *source, uint32_t flags)
{
	struct parser_answer answer = {0};
	uint64_t address = 4096;
	int err = parser_find(parser, source, &address, 1, flags, &answer);

	parser_answer_deinit(&answer);
	return err;
}

static void test_parser__file_that_has_taken_too_long_in_all_is_asked_nothing_more(void **state)
{
	struct parser_source source;
	uint64_t requests;

	parser_source_init(&source, PARSER_FILE, open("/proc/self/exe", O_PATH | O_CLOEXEC));
	assert_int_equal(ask(&source, 0), 0);
	assert_int_equal(source.busy_ns, worker_counts(parser_worker(parser)).busy_ns);
	assert_true(source.busy_ns > 0);
	assert_false(parser_source_slow(&source, 0));

	source.busy_ns = PARSER_REQUESTS_MAX * PARSER_TIMEOUT_MS * 1000000ull;
	requests = worker_counts(parser_worker(parser)).requests;
	assert_true(parser_source_slow(&source, 0));
	assert_int_equal(ask(&source, 0), -ETIME);
	assert_int_equal(worker_counts(parser_worker(parser)).requests, requests);

	/* Lines may take longer, and what it is told has that time too. */
	assert_int_equal(ask(&source, PARSE_LINES), 0);
	assert_int_equal(parser_open(parser, &source), 0);
	source.busy_ns = PARSER_REQUESTS_MAX * PARSER_LINES_TIMEOUT_MS * 1000000ull;
	assert_int_equal(ask(&source, PARSE_LINES), -ETIME);
	assert_int_equal(parser_open(parser, &source), -ETIME);
	parser_source_deinit(parser, &source);
}

static void test_time_share__is_run_up_at_once_and_paid_off_slowly(void **state)
{
	const struct time_share_limit limit = {100, 10};
	struct time_share share = {0};

	assert_true(time_share_left(&share, limit, 5000));
	time_share_spend(&share, 99);
	assert_true(time_share_left(&share, limit, 5000));
	time_share_spend(&share, 201);
	assert_false(time_share_left(&share, limit, 5000));
	assert_false(time_share_left(&share, limit, 7000));
	assert_true(time_share_left(&share, limit, 7010));
	assert_int_equal(share.debt_ns, 99);
	/* What was not used is not saved up. */
	assert_true(time_share_left(&share, limit, 1000000));
	time_share_spend(&share, 100);
	assert_false(time_share_left(&share, limit, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parser__file_that_has_taken_too_long_in_all_is_asked_nothing_more,
						set_up, tear_down),
		cmocka_unit_test(test_time_share__is_run_up_at_once_and_paid_off_slowly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
