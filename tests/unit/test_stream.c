/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/base/stream.h"

static FILE *into_closed_pipe(char *buffer, size_t size)
{
	FILE *stream;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	stream = fdopen(ends[1], "w");
	assert_non_null(stream);
	setvbuf(stream, buffer, _IOFBF, size);
	return stream;
}

static void test_stream_end__tells_what_the_last_write_gave(void **state)
{
	char buffer[256];
	FILE *stream = into_closed_pipe(buffer, sizeof(buffer));

	fputs("left", stream);
	assert_int_equal(stream_end(stream), -EPIPE);
	fclose(stream);
	stream = fopen("/dev/full", "w");
	fputs("left", stream);
	assert_int_equal(stream_end(stream), -ENOSPC);
	fclose(stream);
	stream = fopen("/dev/null", "w");
	fputs("left", stream);
	assert_int_equal(stream_end(stream), 0);
	fclose(stream);
}

static void test_stream_end__tells_it_where_nothing_is_left_to_write(void **state)
{
	char buffer[256];
	FILE *stream = into_closed_pipe(buffer, sizeof(buffer));

	fputs("all of it", stream);
	assert_true(fflush(stream));
	assert_int_equal(stream_end(stream), -EPIPE);
	errno = 0;
	assert_int_equal(stream_end(stream), -EIO);
	fclose(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_end__tells_what_the_last_write_gave),
		cmocka_unit_test(test_stream_end__tells_it_where_nothing_is_left_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
