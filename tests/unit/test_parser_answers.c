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

#include "symbolizer/parse_records.h"
#include "symbolizer/parse_service.h"
#include "symbolizer/symbolizer_private.h"
#include "tests/unit/elf_files.h"

static void *start(void)
{
	static int state;

	return &state;
}

/* What the child does; set before it is forked. */
static enum {
	FAILS,	      /* with the error that is the address */
	NAMES_WIDELY, /* one name for all of the file, and all beyond it */
	WANTS_SPLIT,  /* a .dwo file; names tell whether it came */
} plays;
static const char *split_name; /* absolute */
static bool split_came;

static int find(const struct parse_request *request, struct worker_bytes *answer)
{
	const struct parse_name mine = {.text = "mine", .bytes = 4}, came = {.text = "came", .bytes = 4};

	for (uint32_t i = 0; i < request->count && plays != FAILS; i++)
		parse_records_add(answer, 0, plays == NAMES_WIDELY ? UINT64_MAX : 0, split_came ? &came : &mine, 1);
	return plays == FAILS ? -(int)request->addresses[0] : 0;
}

static void want_split(struct worker_bytes *answer)
{
	struct parse_split record = {.name_bytes = (uint16_t)strlen(split_name)};
	static bool wanted;

	if (!wanted && !worker_bytes_add(answer, &record, sizeof(record)))
		worker_bytes_add(answer, split_name, record.name_bytes);
	wanted = true;
}

static void handle(void *state, const void *bytes, size_t size, const int *fds, size_t fd_count,
		   struct worker_bytes *answer)
{
	const struct parse_request *request = bytes;
	struct parse_answer head = {0};
	struct parse_facts facts = {0};

	worker_bytes_add(answer, &head, sizeof(head));
	if (request->type == PARSE_OPEN_FILE)
		worker_bytes_add(answer, &facts, sizeof(facts));
	else if (request->type == PARSE_FIND)
		head.error = find(request, answer);
	else if (request->type == PARSE_SPLITS)
		want_split(answer);
	else if (request->type == PARSE_ADD_SPLIT)
		split_came = fd_count;
	memcpy(answer->list.items, &head, sizeof(head));
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* In place of the library's. */
const struct worker_handler parse_service = {start, handle, 0};

static struct silent_devices silent;
static struct parser *parser;
static struct parser_source source;

static int set_up(void **state)
{
	if (parser_new(&silent, &parser))
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

static struct symbolizer *new_symbolizer(bool lines)
{
	struct symbolizer_options options = {.lines = lines};
	struct symbolizer *symbolizer;

	assert_int_equal(symbolizer_new(&options, &symbolizer), 0);
	return symbolizer;
}

static void test_symbolizer__answer_that_is_no_function_is_not_remembered(void **state)
{
	struct symbolizer_process *process;
	struct process_identity identity;
	struct symbols symbols = {0};
	struct symbolizer *symbolizer;
	uint64_t address = (uintptr_t)new_symbolizer, requests;

	plays = NAMES_WIDELY;
	symbolizer = new_symbolizer(false);
	assert_int_equal(symbolizer_identify(getpid(), &identity), 0);
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	assert_string_equal(string_table_text(symbolizer_strings(symbolizer), symbols.list.items[0].name), "mine");
	requests = worker_counts(parser_worker(symbolizer->parser)).requests;
	address++;
	assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	assert_int_equal(worker_counts(parser_worker(symbolizer->parser)).requests, requests + 1);
	symbols_deinit(&symbols);
	symbolizer_process_free(process);
	symbolizer_free(symbolizer);
}

static bool is_brought(const char *path)
{
	struct symbols symbols = {0};
	struct symbolizer *symbolizer;
	uint64_t address = 4096;
	bool came;

	plays = WANTS_SPLIT;
	split_name = path;
	symbolizer = new_symbolizer(true);
	assert_int_equal(symbolizer_file(symbolizer, "/bin/sh", &address, 1, &symbols), 0);
	came = !strcmp(string_table_text(symbolizer_strings(symbolizer), symbols.list.items[0].name), "came");
	symbols_deinit(&symbols);
	symbolizer_free(symbolizer);
	return came;
}

static void test_symbolizer__child_gets_no_file_of_the_host_that_is_not_called_as_a_split_file(void **state)
{
	char path[256];

	run("touch %s/unit.dwo %s/unit.txt", ((struct place *)*state)->folder, ((struct place *)*state)->folder);
	snprintf(path, sizeof(path), "%s", in_place(*state, "unit.dwo"));
	assert_true(is_brought(path));
	snprintf(path, sizeof(path), "%s", in_place(*state, "unit.txt"));
	assert_false(is_brought(path));
	assert_false(is_brought("/etc/passwd"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_parser__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(error_of_a_disk_kills_no_child),
		TEST(errors_that_nobody_expects_are_deaths),
		cmocka_unit_test(test_symbolizer__answer_that_is_no_function_is_not_remembered),
		cmocka_unit_test(test_symbolizer__child_gets_no_file_of_the_host_that_is_not_called_as_a_split_file),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
