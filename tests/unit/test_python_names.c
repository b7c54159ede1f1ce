/* SPDX-License-Identifier: BSD-2-Clause */
/* What the interpreter's memory says a function is called is printable, bounded, and asked for by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/collect/map_entries.h"
#include "profiler/collect/python_names.h"

#define FUNCTIONS_FD 1000000 /* no map is there: what is put into it is refused */

struct fixture {
	struct recording_writer *writer;
	struct python_names *names;
	uint32_t emptied;
};

static struct fixture fixture;

/* The kernel's part, in place of map_entries.c. */
int map_entries_each(int map_fd, bool take, int (*each)(void *data, const void *key, const void *value), void *data)
{
	assert_int_equal(map_fd, FUNCTIONS_FD);
	assert_true(take);
	assert_int_equal(each(data, &(uint64_t){1}, &(uint8_t){1}), 0);
	fixture.emptied++;
	return 0;
}

static int set_up_with(int functions_fd)
{
	fixture.emptied = 0;
	return recording_writer_new("/dev/null", &fixture.writer) ||
	       python_names_new(fixture.writer, functions_fd, false, &fixture.names);
}

static int set_up(void **state)
{
	return set_up_with(-1);
}

static int set_up_with_map(void **state)
{
	return set_up_with(FUNCTIONS_FD);
}

static int tear_down(void **state)
{
	python_names_free(fixture.names);
	recording_writer_free(fixture.writer);
	return 0;
}

static struct python_text latin(const char *text)
{
	struct python_text made = {.bytes = (uint16_t)strlen(text), .width = 1};

	memcpy(made.at, text, strlen(text));
	return made;
}

static const char *name_of(uint64_t number)
{
	uint32_t frame;

	assert_int_equal(python_names_frame(fixture.names, number, &frame), 0);
	return recording_writer_frame_name(fixture.writer, frame);
}

static void take(uint64_t number, struct python_text name, struct python_text file)
{
	struct python_event event = {.type = EVENT_PYTHON_FUNCTION, .line = 7, .number = number, .name = name};

	event.file = file;
	assert_int_equal(python_names_take(fixture.names, &event, sizeof(event)), 0);
}

static void test_python_names__a_function_is_called_by_its_file_and_qualified_name(void **state)
{
	take(1, latin("Worker.method"), latin("/srv/app.py"));
	take(2, latin("<module>"), latin("app.py"));
	assert_string_equal(name_of(1), "app.py:Worker.method");
	assert_string_equal(name_of(2), "app.py:<module>");
	/* Another process's: told under another number. */
	assert_string_equal(name_of(3), "[python: name lost]");
}

static void test_python_names__every_width_of_characters_becomes_UTF_8(void **state)
{
	struct python_text two = {.bytes = 4, .width = 2, .at = {0xac, 0x20, 0x41, 0}};
	struct python_text four = {.bytes = 8, .width = 4, .at = {0, 0xf6, 1, 0, 0x42, 0, 0, 0}};
	char out[64];

	assert_int_equal(python_text_utf8(&two, out, sizeof(out)), 4);
	assert_string_equal(out, "\xe2\x82\xac"
				 "A");
	assert_int_equal(python_text_utf8(&four, out, sizeof(out)), 5);
	assert_string_equal(out, "\xf0\x9f\x98\x80"
				 "B");
	take(4, latin("caf\xe9"), latin("a.py"));
	assert_string_equal(name_of(4), "a.py:caf\xc3\xa9");
}

static void test_python_names__what_is_no_text_is_bounded_and_printable(void **state)
{
	struct python_text surrogate = {.bytes = 2, .width = 2, .at = {0, 0xd8}};
	struct python_text beyond = {.bytes = 4, .width = 4, .at = {0xff, 0xff, 0xff, 0xff}};
	struct python_text endless = {.bytes = UINT16_MAX, .width = 1}, odd = {.bytes = 3, .width = 2};
	struct python_text width = {.bytes = 9, .width = 3}, none = {0};
	char out[2 * PYTHON_TEXT_BYTES + 4], small[4];

	python_text_utf8(&surrogate, out, sizeof(out));
	assert_string_equal(out, "\xef\xbf\xbd");
	python_text_utf8(&beyond, out, sizeof(out));
	assert_string_equal(out, "\xef\xbf\xbd");
	/* NUL and other control characters. */
	assert_int_equal(python_text_utf8(&endless, out, sizeof(out)), PYTHON_TEXT_BYTES);
	assert_int_equal(strspn(out, "?"), PYTHON_TEXT_BYTES);
	assert_int_equal(python_text_utf8(&odd, out, sizeof(out)), 1);
	assert_int_equal(python_text_utf8(&width, out, sizeof(out)), 0);
	memset(endless.at, 0xff, sizeof(endless.at));
	assert_int_equal(python_text_utf8(&endless, out, sizeof(out)), 2 * PYTHON_TEXT_BYTES);
	assert_int_equal(python_text_utf8(&endless, small, sizeof(small)), 2);
	take(5, none, latin("a.py"));
	assert_string_equal(name_of(5), "[python: function without a name]");
}

static void test_python_names__a_piece_that_is_too_small_is_refused(void **state)
{
	struct python_event event = {.type = EVENT_PYTHON_FUNCTION};

	assert_int_equal(python_names_take(fixture.names, &event, sizeof(event) - 1), -EPROTO);
}

/* Of one key at a time it was tenths of a second in which nobody's samples were read. */
static void test_python_names__what_the_programs_have_sent_is_forgotten_in_batches_when_half_full(void **state)
{
	for (uint32_t i = 0; i < PYTHON_FUNCTIONS_MAX / 2; i++)
		take(1, latin("again"), latin("app.py"));
	assert_int_equal(fixture.emptied, 0);
	take(2, latin("one_more"), latin("app.py"));
	assert_int_equal(fixture.emptied, 1);
	for (uint32_t i = 0; i < PYTHON_FUNCTIONS_MAX / 2; i++)
		take(1, latin("again"), latin("app.py"));
	assert_int_equal(fixture.emptied, 1);
	assert_string_equal(name_of(1), "app.py:again");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_python_names__a_function_is_called_by_its_file_and_qualified_name),
		TEST(test_python_names__every_width_of_characters_becomes_UTF_8),
		TEST(test_python_names__what_is_no_text_is_bounded_and_printable),
		TEST(test_python_names__a_piece_that_is_too_small_is_refused),
		cmocka_unit_test_setup_teardown(
			test_python_names__what_the_programs_have_sent_is_forgotten_in_batches_when_half_full,
			set_up_with_map, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
