/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parser makes of a child's answers; the child is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/parse_service.h"
#include "symbolizer/parser.h"

static void *start(void)
{
	static int state;

	return &state;
}

/* The address that it is asked about says which error to answer with. */
static void handle(void *state, const void *bytes, size_t size, const int *fds, size_t fd_count,
		   struct worker_bytes *answer)
{
	const struct parse_request *request = bytes;
	struct parse_answer head = {.error = request->type == PARSE_FIND ? -(int)request->addresses[0] : 0};
	struct parse_facts facts = {0};

	worker_bytes_add(answer, &head, sizeof(head));
	if (request->type == PARSE_OPEN_FILE)
		worker_bytes_add(answer, &facts, sizeof(facts));
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* In place of the library's. */
const struct worker_handler parse_service = {start, handle, 0};

static struct parser *parser;
static struct parser_source source;

static int set_up(void **state)
{
	if (parser_new(&parser))
		return -1;
	parser_source_init(&source, PARSER_FILE, open("/proc/self/exe", O_PATH | O_CLOEXEC));
	return 0;
}

static int tear_down(void **state)
{
	parser_source_deinit(parser, &source);
	parser_free(parser);
	return 0;
}

static int ask(uint64_t address)
{
	struct parser_answer answer = {0};
	int err = parser_find(parser, &source, &address, 1, 0, &answer);

	parser_answer_deinit(&answer);
	return err;
}

static void test_parser__error_of_a_disk_kills_no_child(void **state)
{
	uint32_t generation = worker_generation(parser_worker(parser));

	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(EIO), -EIO);
	assert_int_equal(source.deaths, 0);
	assert_int_equal(ask(ENOMEM), -EFBIG);
	assert_int_equal(worker_generation(parser_worker(parser)), generation);
	assert_int_equal(worker_counts(parser_worker(parser)).crashes, 0);
}

static void test_parser__errors_that_nobody_expects_are_deaths(void **state)
{
	assert_int_equal(ask(EPIPE), -ENOTRECOVERABLE);
	assert_int_equal(worker_counts(parser_worker(parser)).crashes, 2);
	assert_true(parser_source_quarantined(&source));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_parser__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(error_of_a_disk_kills_no_child),
		TEST(errors_that_nobody_expects_are_deaths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
