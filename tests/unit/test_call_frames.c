/* SPDX-License-Identifier: BSD-2-Clause */
/* debug_frame.h is stood in for: there is no memory for any. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/call_frames.h"
#include "symbolizer/debug_frame.h"

int debug_frame_new(const struct elf_image *image, struct debug_frame **ret_frame)
{
	(void)image;
	(void)ret_frame;
	return -ENOMEM;
}

void debug_frame_free(struct debug_frame *frame)
{
	assert_null(frame);
}

Dwarf_CFI *debug_frame_cfi(const struct debug_frame *frame)
{
	(void)frame;
	return NULL;
}

size_t debug_frame_bytes(const struct debug_frame *frame)
{
	(void)frame;
	return 0;
}

static void test_call_frames__a_debug_frame_without_memory_does_not_cost_the_eh_frame(void **state)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct call_frames *frames = NULL;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(call_frames_new(fd, -1, &frames), 0);
	assert_non_null(frames);
	/* Three times its .eh_frame. */
	assert_true(call_frames_bytes(frames) > 1000);
	call_frames_free(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_frames__a_debug_frame_without_memory_does_not_cost_the_eh_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
