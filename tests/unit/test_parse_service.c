/* SPDX-License-Identifier: BSD-2-Clause */
/* What one hostile file does to the child that parses, seen from inside: here it runs in the test. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/copied_stack.h"
#include "symbolizer/parse_protocol.h"
#include "symbolizer/parse_service.h"
#include "symbolizer/worker_sandbox.h"
#include "tests/unit/dwarf_programs.h"
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

static void *service; /* as in the child, which never ends it: one for all tests */

static void start_service(void)
{
	if (!service)
		service = parse_service.start();
	assert_non_null(service);
}

static size_t held_after_walks(uint32_t mentioned, uint32_t *ret_frames)
{
	struct parse_request open = {.type = PARSE_OPEN_FILE, .object = OBJECT};
	struct parse_request forget = {.type = PARSE_FORGET, .object = OBJECT};
	struct mallinfo2 before, after;
	uint8_t section[256];

	start_service();
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

/* The sanitizers' heap is another, and takes terabytes of address space. */
#ifndef __SANITIZE_ADDRESS__
#define MAPS 10
#define MAP_NAMES 8000
#define MAP_NAME_BYTES 3500
#define MAP_CODE 0x10000u

/* A perf map of some 28 MB. */
static int write_map(void)
{
	static char line[MAP_NAME_BYTES + 64];
	int fd = memfd_create("perf-1.map", MFD_CLOEXEC);

	for (unsigned int i = 0; i < MAP_NAMES; i++) {
		int bytes = snprintf(line, sizeof(line), "%x 10 name_%0*u\n", MAP_CODE + i * 16, MAP_NAME_BYTES, i);

		assert_int_equal(write(fd, line, (size_t)bytes), bytes);
	}
	return fd;
}

static int open_again(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Where this program has a place in its file. */
static uint64_t offset_of(const void *place)
{
	unsigned long long start, end, offset;
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(file);
	do
		assert_non_null(fgets(line, sizeof(line), file));
	while (sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset) != 3 || (uintptr_t)place < start ||
	       (uintptr_t)place >= end);
	fclose(file);
	return (uintptr_t)place - start + offset;
}

/* The names of one address: 1 or 0; or a negative errno. */
static int names_of(uint32_t object, uint64_t address)
{
	struct {
		struct parse_request request;
		uint64_t address;
	} question = {{.type = PARSE_FIND, .object = object, .count = 1}, address};
	struct worker_bytes answer = {0};
	struct parse_answer head;
	struct parse_record record = {0};

	parse_service.handle(service, &question, sizeof(question), NULL, 0, &answer);
	memcpy(&head, answer.list.items, sizeof(head));
	if (!head.error)
		memcpy(&record, answer.list.items + sizeof(head), sizeof(record));
	array_deinit(&answer.list);
	return head.error ? head.error : (int)record.frames;
}

/* Reads many maps, each looked at once, and this program before and after them. */
static void read_maps(void)
{
	struct parse_request open_file = {.type = PARSE_OPEN_FILE, .object = MAPS + 1};
	struct parse_request request = {.type = PARSE_OPEN_PERF_MAP};
	uint64_t here = offset_of(read_maps);
	int map = write_map();
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", map);
	assert_int_equal(ask(service, &open_file, sizeof(open_file), open_again("/proc/self/exe"), NULL), 0);
	assert_int_equal(names_of(MAPS + 1, here), 1);
	for (request.object = 1; request.object <= MAPS; request.object++) {
		assert_int_equal(ask(service, &request, sizeof(request), open_again(path), NULL), 0);
		assert_int_equal(names_of(request.object, MAP_CODE), 1);
		assert_int_equal(names_of(request.object, MAP_CODE + 16 * (MAP_NAMES - 1)), 1);
	}
	assert_int_equal(names_of(MAPS + 1, here), 1);
	for (uint32_t i = 1; i <= MAPS; i++)
		assert_int_equal(names_of(i, MAP_CODE + 16 * (MAP_NAMES - 1)), 1);
	close(map);
}

static void forget_maps(void)
{
	struct parse_request forget = {.type = PARSE_FORGET};

	for (forget.object = 1; forget.object <= MAPS + 1; forget.object++)
		assert_int_equal(ask(service, &forget, sizeof(forget), -1, NULL), 0);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void test_parse_service__maps_that_are_not_in_use_make_room(void **state)
{
	size_t before = heap_bytes();

	start_service();
	read_maps();
	assert_in_range(heap_bytes() - before, 0, 200u << 20);
	forget_maps();
	assert_in_range(heap_bytes() - before, 0, 1 << 20);
}

static void test_parse_service__maps_that_take_all_memory_take_no_names(void **state)
{
	struct rlimit limits, little;
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	start_service();
	assert_int_equal(getrlimit(RLIMIT_AS, &limits), 0);
	little = (struct rlimit){pages * 4096 + (150u << 20), limits.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
	read_maps();
	assert_int_equal(setrlimit(RLIMIT_AS, &limits), 0);
	forget_maps();
}
#endif

#define PROGRAMS 900

/* How many functions a split program has at a place. */
static uint32_t functions_at(uint32_t object, uint64_t address)
{
	struct {
		struct parse_request request;
		uint64_t address;
	} question = {{.type = PARSE_FIND,
		       .object = object,
		       .flags = PARSE_VIRTUAL | PARSE_LINES | PARSE_INLINES,
		       .count = 1},
		      address};
	struct worker_bytes answer = {0};
	struct parse_answer head;
	struct parse_record record;

	parse_service.handle(service, &question, sizeof(question), NULL, 0, &answer);
	assert_true(answer.list.count >= sizeof(head) + sizeof(record));
	memcpy(&head, answer.list.items, sizeof(head));
	assert_int_equal(head.error, 0);
	memcpy(&record, answer.list.items + sizeof(head), sizeof(record));
	array_deinit(&answer.list);
	return record.frames;
}

static size_t open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void test_parse_service__split_files_leave_descriptors_for_others(void **state)
{
	struct parse_request request = {.type = PARSE_OPEN_FILE}, split = {.type = PARSE_ADD_SPLIT};
	size_t before = open_descriptors();
	struct rlimit limits;
	uint64_t spot;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limits), 0);
	limits.rlim_cur = limits.rlim_max < WORKER_DESCRIPTORS ? limits.rlim_max : WORKER_DESCRIPTORS;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limits), 0);
	build(*state, "gcc -gsplit-dwarf -gdwarf-5 -c", "program.c", "program.o");
	run("cd %s && gcc -no-pie -o program program.o", ((struct place *)*state)->folder);
	spot = address_of(*state, "program", "spot_inner");
	start_service();
	for (int round = 0; round < 2; round++)
		for (request.object = split.object = 1; request.object <= PROGRAMS; split.object = ++request.object) {
			if (!round)
				assert_int_equal(
					ask(service, &request, sizeof(request), open_in(*state, "program"), NULL), 0);
			assert_int_equal(functions_at(request.object, spot), 1);
			assert_int_equal(ask(service, &split, sizeof(split), open_in(*state, "program.dwo"), NULL), 0);
			assert_int_equal(functions_at(request.object, spot), 3);
			assert_in_range(open_descriptors() - before, 0, WORKER_DESCRIPTORS * 3 / 4 + 2);
		}
	/* Those of last are still there. */
	assert_int_equal(functions_at(PROGRAMS - 1, spot), 3);
	request.type = PARSE_FORGET;
	for (request.object = 1; request.object <= PROGRAMS; request.object++)
		assert_int_equal(ask(service, &request, sizeof(request), -1, NULL), 0);
	assert_int_equal(open_descriptors(), before);
}

#define TEST(name) cmocka_unit_test(test_parse_service__##name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copy_is_walked_to_a_caller_of_which_nothing_is_known),
#ifndef __SANITIZE_ADDRESS__
		TEST(file_of_many_registers_keeps_no_memory),
		TEST(maps_that_are_not_in_use_make_room),
		TEST(maps_that_take_all_memory_take_no_names),
#endif
		TEST(split_files_leave_descriptors_for_others),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
