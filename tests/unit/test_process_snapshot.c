/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process that maps very much, or changes what it maps, costs; and what its addresses are called then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/symbolizer_private.h"

#define PAGE 4096ul

static struct symbolizer *symbolizer;
static struct symbolizer_process *process;
static struct symbols symbols;
static struct rlimit descriptors;

__attribute__((noinline)) int test_process_snapshot_here(int number);
int test_process_snapshot_here(int number)
{
	return number + 1;
}

static int set_up(void **state)
{
	static const struct symbolizer_options options = {0};
	struct rlimit all;

	getrlimit(RLIMIT_NOFILE, &descriptors);
	all = descriptors;
	all.rlim_cur = all.rlim_max;
	setrlimit(RLIMIT_NOFILE, &all);
	return symbolizer_new(&options, &symbolizer);
}

static int tear_down(void **state)
{
	setrlimit(RLIMIT_NOFILE, &descriptors);
	symbols_deinit(&symbols);
	symbolizer_process_free(process);
	process = NULL;
	symbolizer_free(symbolizer);
	return 0;
}

static struct process_identity own_identity(void)
{
	struct process_identity identity;

	assert_int_equal(symbolizer_identify(getpid(), &identity), 0);
	return identity;
}

static const char *name_of(uint64_t address)
{
	assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	return string_table_text(symbolizer_strings(symbolizer), symbols.list.items[symbols.spans.items[0].first].name);
}

/* Every other page of @count, so that the kernel makes no two of them one. */
static char *reserve(size_t count)
{
	char *pages = mmap(NULL, 2 * count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(pages != MAP_FAILED);
	return pages;
}

/* Maps a page of a file of its own, which nobody finds any more. */
static void map_file(char *place)
{
	char path[] = "/tmp/stoker-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, (off_t)PAGE), 0);
	assert_true(mmap(place, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
}

static void test_process_snapshot__so_many_files_are_open_for_a_tenant_and_no_more(void **state)
{
	struct process_identity identity = own_identity(), other = own_identity();
	size_t count = TENANT_OPEN_FILES_MAX + 100;
	char *pages = reserve(count);
	struct symbolizer_process *others;

	for (size_t i = 0; i < count; i++)
		map_file(pages + 2 * i * PAGE);
	identity.tenant = 1;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(process->tenant->open_files, TENANT_OPEN_FILES_MAX);
	assert_non_null(strstr(name_of((uint64_t)pages), "[not ELF stoker-test-"));
	assert_non_null(strstr(name_of((uint64_t)pages + 2 * (count - 1) * PAGE), "[too many files stoker-test-"));

	/* Once they are closed there is room for others, and all is counted again. */
	symbolizer_trim(symbolizer, 8);
	assert_in_range(process->tenant->open_files, 0, 8);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_int_equal(process->tenant->open_files, TENANT_OPEN_FILES_MAX);

	/* Which is no other one's count. */
	munmap(pages, 2 * count * PAGE);
	other.tenant = 2;
	assert_int_equal(symbolizer_process_new(symbolizer, &other, &others), 0);
	assert_in_range(others->tenant->open_files, 0, 100);
	symbolizer_process_free(others);
}

static void test_process_snapshot__a_file_for_which_there_is_room_later_is_named_then(void **state)
{
	struct process_identity identity = own_identity();
	uint64_t here = (uint64_t)test_process_snapshot_here;
	size_t *open_files;

	/* Its first sample comes while others hold all the room of its container. */
	identity.tenant = 1;
	open_files = &tenants_find(&symbolizer->tenants, identity.tenant)->open_files;
	*open_files = TENANT_OPEN_FILES_MAX;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_non_null(strstr(name_of(here), "[too many files test_process_snapshot"));
	assert_true(symbols.list.items[0].pending);
	*open_files = 0;
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_string_equal(name_of(here), "test_process_snapshot_here");
	assert_false(symbols.list.items[0].pending);
}

static void test_process_snapshot__a_file_that_was_closed_is_asked_for_again_while_its_process_lives(void **state)
{
	struct process_identity identity = own_identity();
	uint64_t here = (uint64_t)test_process_snapshot_here;

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	symbolizer_trim(symbolizer, 1);
	assert_non_null(strstr(name_of(here), "[too many files test_process_snapshot"));
	assert_true(symbols.list.items[0].pending);
	process->exited = true;
	assert_non_null(strstr(name_of(here), "[too many files test_process_snapshot"));
	assert_false(symbols.list.items[0].pending);
	process->exited = false;
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_string_equal(name_of(here), "test_process_snapshot_here");
}

static void test_process_snapshot__what_cannot_be_read_now_is_tried_again(void **state)
{
	struct process_identity identity = own_identity();
	uint64_t here = (uint64_t)test_process_snapshot_here;
	struct rlimit limit, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(symbolizer_process_refresh(process), -EMFILE);
	assert_string_equal(name_of(here), "[mappings not read: Too many open files]");
	assert_true(symbols.list.items[0].pending);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_string_equal(name_of(here), "test_process_snapshot_here");
}

static void test_process_snapshot__what_took_another_files_place_is_named_by_its_own(void **state)
{
	struct process_identity identity = own_identity();
	char *pages = reserve(2), first[64];
	uint64_t before_ns = clock_now_ns(), start = (uint64_t)pages, end = start + PAGE;
	uint32_t generation;

	map_file(pages);
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	generation = symbolizer_process_generation(process);
	snprintf(first, sizeof(first), "%s", name_of(start));
	assert_non_null(strstr(first, "[not ELF stoker-test-"));

	/* What was mapped before it was read, elsewhere, or without a name over the same, replaces nothing. */
	assert_false(symbolizer_process_replaced_by(process, start, end, before_ns, false));
	assert_false(symbolizer_process_replaced_by(process, start + 2 * PAGE, end + 2 * PAGE, clock_now_ns(), false));
	assert_true(symbolizer_process_replaced_by(process, start, end, clock_now_ns(), true));
	assert_true(symbolizer_process_replaced_by(process, start, end, clock_now_ns(), false));

	map_file(pages + 2 * PAGE);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_int_equal(symbolizer_process_generation(process), generation);
	assert_int_equal(symbolizer_replacements(symbolizer), 0);

	map_file(pages);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_int_not_equal(symbolizer_process_generation(process), generation);
	assert_int_equal(symbolizer_replacements(symbolizer), 1);
	assert_string_not_equal(name_of(start), first);

	/* Unmapped, it keeps its name; and a part of it that stays is still the same. */
	munmap(pages, 4 * PAGE);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_non_null(strstr(name_of(start), "[not ELF stoker-test-"));
	assert_int_equal(symbolizer_replacements(symbolizer), 1);
}

static void test_process_snapshot__code_that_is_made_anew_replaces_nothing(void **state)
{
	struct process_identity identity = own_identity();
	char *code = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start = (uint64_t)code;

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_false(symbolizer_process_replaced_by(process, start, start + PAGE, clock_now_ns(), true));
	munmap(code, PAGE);
	assert_ptr_equal(mmap(code, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), code);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_int_equal(symbolizer_replacements(symbolizer), 0);
	munmap(code, PAGE);
}

static void test_process_snapshot__who_takes_too_long_to_read_leaves_time_for_others(void **state)
{
	struct process_identity identity = own_identity(), other = own_identity();
	uint64_t here = (uint64_t)test_process_snapshot_here;
	struct symbolizer_process *others;
	size_t count = 20000;
	char *pages = reserve(count);

	identity.tenant = 1;
	other.tenant = 2;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(mprotect(pages + 2 * i * PAGE, PAGE, PROT_EXEC), 0);
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_true(process->tenant->reading.debt_ns > 0);
	munmap(pages, 2 * count * PAGE);

	process->tenant->reading = (struct time_share){60000000000ull, clock_now_ns()};
	assert_int_equal(symbolizer_process_refresh(process), -EDQUOT);
	assert_string_equal(name_of(here), "test_process_snapshot_here");
	assert_string_equal(name_of(64), "[container's time for reading mappings is used up]");
	assert_true(symbols.list.items[0].pending);
	assert_int_equal(symbolizer_process_new(symbolizer, &other, &others), 0);
	assert_true(symbolizer_process_maps(others, here));
	symbolizer_process_free(others);

	process->tenant->reading.debt_ns = 0;
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_string_equal(name_of(64), "[no mapping]");
}

/* Maps @count pages of one file. */
static void map_pages(char *pages, size_t count)
{
	char path[] = "/tmp/stoker-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, (off_t)PAGE), 0);
	for (size_t i = 0; i < count; i++)
		assert_true(mmap(pages + 2 * i * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) !=
			    MAP_FAILED);
	close(fd);
}

static void test_process_snapshot__few_of_those_that_were_unmapped_are_kept_and_the_last_ones(void **state)
{
	struct process_identity identity = own_identity();
	size_t count = 2000, now;
	char *first = reserve(count), *second = reserve(100);
	const struct mapping *mapping;

	map_pages(first, count);
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	munmap(first, 2 * count * PAGE);
	map_pages(second, 100);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	now = symbolizer_process_mappings(process);
	assert_in_range(now, 100 + 512, 100 + 512 + 50);
	munmap(second, 200 * PAGE);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_in_range(symbolizer_process_mappings(process), now - 100, now - 1);
	for (size_t i = 0; i < 100; i++) {
		mapping = process_snapshot_mapping(process, (uint64_t)second + 2 * i * PAGE);
		assert_non_null(mapping);
		assert_true(mapping->gone);
	}
	assert_int_equal(process->tenant->mapping_bytes, process->mappings.bytes);
	assert_int_equal(symbolizer->mapping_bytes, process->mappings.bytes);
}

/* As if a tenant had other processes that map this much; negative: no more. */
static void hold(struct tenant *tenant, int64_t bytes)
{
	tenant->mapping_bytes += (uint64_t)bytes;
	symbolizer->mapping_bytes += (uint64_t)bytes;
}

#define MB (1ll << 20)

static void test_process_snapshot__no_tenant_fills_memory_with_what_it_maps(void **state)
{
	struct process_identity identity = own_identity();
	uint64_t here = (uint64_t)test_process_snapshot_here;
	struct symbolizer_process *others;
	size_t all, before;

	identity.tenant = 1;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_string_equal(name_of(here), "test_process_snapshot_here");
	all = symbolizer_process_mappings(process);

	before = process->tenant->mapping_bytes;
	hold(process->tenant, 128 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_true(process->mappings.cut);
	assert_string_equal(name_of(64), "[too many mappings]");
	identity.tenant = 2;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &others), 0);
	assert_int_equal(symbolizer_process_mappings(others), all);
	symbolizer_process_free(others);

	hold(process->tenant, -128 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_false(process->mappings.cut);
	assert_in_range(process->tenant->mapping_bytes, 1, 2 * before);
	assert_int_equal(symbolizer->mapping_bytes, process->tenant->mapping_bytes);
}

static void test_process_snapshot__tenants_that_have_all_the_room_leave_others_some(void **state)
{
	struct process_identity identity = own_identity();
	struct tenant *first = tenants_find(&symbolizer->tenants, 1), *second = tenants_find(&symbolizer->tenants, 2);

	/* However they came to that. */
	hold(first, 128 * MB);
	hold(second, 128 * MB);
	identity.tenant = 3;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_false(process->mappings.cut);
	assert_string_equal(name_of((uint64_t)test_process_snapshot_here), "test_process_snapshot_here");

	/* That is its least, and no more. */
	hold(process->tenant, MB / 4);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_true(process->mappings.cut);
	hold(first, -128 * MB);
	hold(second, -128 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_false(process->mappings.cut);
	hold(process->tenant, -MB / 4);
}

static void test_process_snapshot__who_has_more_than_the_others_leave_gives_some_up(void **state)
{
	struct process_identity identity = own_identity();
	struct tenant *second = tenants_find(&symbolizer->tenants, 2);

	identity.tenant = 1;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	hold(process->tenant, 120 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_false(process->mappings.cut);
	hold(second, 64 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_true(process->mappings.cut);
	/* Two that want all there is have a third each. */
	hold(process->tenant, -36 * MB);
	hold(second, 20 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_false(process->mappings.cut);
	hold(process->tenant, 2 * MB);
	assert_int_equal(symbolizer_process_refresh(process), 0);
	assert_true(process->mappings.cut);
	hold(process->tenant, -86 * MB);
	hold(second, -84 * MB);
}

/* What is mapped cannot be forgotten: names of functions would be, of all files, each time and in vain. */
static void test_process_snapshot__strings_that_are_in_use_are_not_looked_through_each_time(void **state)
{
	struct process_identity identity = own_identity();
	struct mapping *added;
	char name[32];

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	for (unsigned int i = 0; i < 70000; i++) {
		added = array_add(&process->mappings.list);
		assert_non_null(added);
		*added = (struct mapping){.start = UINT64_MAX - 70000 + i, .end = UINT64_MAX - 69999 + i};
		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(string_table_add(&symbolizer->strings, name, strlen(name), &added->name), 0);
	}
	symbolizer_trim(symbolizer, 512);
	assert_int_equal(symbolizer_strings_forgotten(symbolizer), 1);
	symbolizer_trim(symbolizer, 512);
	assert_int_equal(symbolizer_strings_forgotten(symbolizer), 1);
	process->mappings.list.count -= 70000;
	for (unsigned int i = 0; i < 140000; i++) {
		snprintf(name, sizeof(name), "again %u", i);
		assert_int_equal(string_table_add(&symbolizer->strings, name, strlen(name), &(string_id){0}), 0);
	}
	symbolizer_trim(symbolizer, 512);
	assert_int_equal(symbolizer_strings_forgotten(symbolizer), 2);
	assert_in_range(symbolizer->strings.entries.count, 1, 200);
}

static void test_process_snapshot__vdso_stays_open(void **state)
{
	struct process_identity identity = own_identity();

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	symbolizer_trim(symbolizer, 1);
	assert_int_equal(symbolizer->vdso->state, PINNED_OPEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_process_snapshot__##name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(so_many_files_are_open_for_a_tenant_and_no_more),
		TEST(a_file_for_which_there_is_room_later_is_named_then),
		TEST(a_file_that_was_closed_is_asked_for_again_while_its_process_lives),
		TEST(what_cannot_be_read_now_is_tried_again),
		TEST(what_took_another_files_place_is_named_by_its_own),
		TEST(code_that_is_made_anew_replaces_nothing),
		TEST(who_takes_too_long_to_read_leaves_time_for_others),
		TEST(few_of_those_that_were_unmapped_are_kept_and_the_last_ones),
		TEST(no_tenant_fills_memory_with_what_it_maps),
		TEST(tenants_that_have_all_the_room_leave_others_some),
		TEST(who_has_more_than_the_others_leave_gives_some_up),
		TEST(strings_that_are_in_use_are_not_looked_through_each_time),
		TEST(vdso_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
