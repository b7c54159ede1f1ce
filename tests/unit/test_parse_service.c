/* SPDX-License-Identifier: BSD-2-Clause */
/* What one hostile file does to the child that parses, seen from inside: here it runs in the test. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/copied_stack.h"
#include "symbolizer/parse_protocol.h"
#include "symbolizer/parse_service.h"
#include "tests/unit/eh_frame_file.h"

#define CODE (EH_FRAME_CODE + 0x1000u)
#define STACK 0x7f0000000000ull
#define OBJECT 1

struct question {
	struct parse_request request;
	struct copied_stack stack;
	struct copied_mapping mapping;
	uint64_t words[4];
};

/* Every function's return address is where a call leaves it; @mentioned: another register, saved nowhere near. */
static size_t write_section(uint8_t *out, uint32_t mentioned)
{
	const uint8_t extended[] = {0x05,
				    (uint8_t)(mentioned | 0x80),
				    (uint8_t)(mentioned >> 7 | 0x80),
				    (uint8_t)(mentioned >> 14 | 0x80),
				    (uint8_t)(mentioned >> 21),
				    1};
	/* Length, CIE; version 1, no augmentation, alignments, return address; CFA: rsp + 8, rip: at CFA - 8. */
	const uint8_t head[] = {28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x80 | 16, 1};
	uint8_t common[32] = {0};
	const uint32_t function[] = {20, sizeof(common) + 4, CODE, 0, 0x100, 0, 0};

	memcpy(common, head, sizeof(head));
	memcpy(common + sizeof(head), extended, sizeof(extended));
	memcpy(out, common, sizeof(common));
	memcpy(out + sizeof(common), function, sizeof(function));
	return sizeof(common) + sizeof(function);
}

static int ask(void *state, const void *request, size_t bytes, int fd, struct copied_frames *ret_head)
{
	struct worker_bytes answer = {0};
	struct parse_answer head;

	parse_service.handle(state, request, bytes, &fd, fd >= 0, &answer);
	assert_true(answer.list.count >= sizeof(head));
	memcpy(&head, answer.list.items, sizeof(head));
	if (!head.error && ret_head)
		memcpy(ret_head, answer.list.items + sizeof(head), sizeof(*ret_head));
	array_deinit(&answer.list);
	return head.error;
}

/* Walks from a function to its caller, of which nothing is known. */
static uint32_t walk(void *state)
{
	struct question question = {
		.request = {.type = PARSE_UNWIND, .count = (sizeof(question) - sizeof(question.request)) / 8},
		.stack = {.registers = {.value = {[CALL_SP] = STACK, [CALL_IP] = CODE + 8},
					.known = 1u << CALL_SP | 1u << CALL_IP},
			  .base = STACK,
			  .mapping_count = 1,
			  .word_count = 4},
		.mapping = {.start = EH_FRAME_CODE, .end = EH_FRAME_CODE + EH_FRAME_CODE_BYTES, .object = OBJECT},
		.words = {0x500000},
	};
	struct copied_frames head;

	assert_int_equal(ask(state, &question, sizeof(question), -1, &head), 0);
	return head.count;
}

static void *service; /* as in the child, which never ends it */

static size_t held_after_walks(uint32_t mentioned, uint32_t *ret_frames)
{
	struct parse_request open = {.type = PARSE_OPEN_FILE, .object = OBJECT};
	struct parse_request forget = {.type = PARSE_FORGET, .object = OBJECT};
	struct mallinfo2 before, after;
	uint8_t section[256];

	if (!service)
		service = parse_service.start();
	assert_non_null(service);
	assert_int_equal(
		ask(service, &open, sizeof(open), eh_frame_file(section, write_section(section, mentioned)), NULL), 0);
	before = mallinfo2();
	*ret_frames = walk(service);
	after = mallinfo2();
	assert_int_equal(ask(service, &forget, sizeof(forget), -1, NULL), 0);
	return after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
}

static void test_parse_service__copy_is_walked_to_a_caller_of_which_nothing_is_known(void **state)
{
	uint32_t frames;

	held_after_walks(20, &frames);
	assert_int_equal(frames, 2);
}

/* The sanitizers' heap does not say what is taken of it. */
#ifndef __SANITIZE_ADDRESS__
static void test_parse_service__file_of_many_registers_keeps_no_memory(void **state)
{
	uint32_t frames;

	assert_in_range(held_after_walks(20, &frames), 0, 1 << 20);
	assert_in_range(held_after_walks(1u << 23, &frames), 0, 1 << 20);
	assert_int_equal(frames, 2);
}
#endif

#define TEST(name) cmocka_unit_test(test_parse_service__##name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copy_is_walked_to_a_caller_of_which_nothing_is_known),
#ifndef __SANITIZE_ADDRESS__
		TEST(file_of_many_registers_keeps_no_memory),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
