/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of this very process, of files, and of files that kill their parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/symbolizer_private.h"
#include "tests/unit/elf_files.h"

#define LARGE "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1" /* clang's: its parser is still busy when it is killed */

static struct symbolizer *symbolizer;
static struct symbols symbols;

__attribute__((noinline)) int test_symbolizer_here(int number);
int test_symbolizer_here(int number)
{
	return number + 1;
}

static int set_up(void **state)
{
	static const struct symbolizer_options options = {0};

	return symbolizer_new(&options, &symbolizer);
}

static int tear_down(void **state)
{
	symbols_deinit(&symbols);
	symbolizer_free(symbolizer);
	return 0;
}

static const char *text(string_id id)
{
	return string_table_text(symbolizer_strings(symbolizer), id);
}

static const struct symbol *answer(size_t number)
{
	return &symbols.list.items[symbols.spans.items[number].first];
}

static uint64_t read_number(const char *path)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llx", &number), 1);
	fclose(file);
	return number;
}

static uint64_t own_start_ns(void)
{
	struct process_identity identity;

	assert_int_equal(symbolizer_identify(getpid(), &identity), 0);
	assert_int_equal(identity.pid, getpid());
	return identity.start_ns;
}

static void test_symbolizer__its_own_process_has_names_and_reasons(void **state)
{
	struct process_identity identity = {.pid = getpid(), .ns_pid = (uint32_t)getpid(), .start_ns = own_start_ns()};
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t addresses[] = {
		(uint64_t)test_symbolizer_here, (uint64_t)qsort, (uint64_t)code, 4096, getauxval(AT_SYSINFO_EHDR) + 64,
	};
	struct symbolizer_process *process;

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_true(symbolizer_process_maps(process, addresses[0]));
	assert_false(symbolizer_process_maps(process, 4096));
	/* Twice: from the child, and from what is remembered of it. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(symbolizer_user(process, addresses, 5, &symbols), 0);
		assert_string_equal(text(answer(0)->name), "test_symbolizer_here");
		assert_string_equal(text(answer(0)->module), "test_symbolizer");
		assert_true(answer(0)->named);
		assert_string_equal(text(answer(2)->name), "[jit: no map]");
		assert_int_equal(answer(2)->kind, SYMBOL_JIT);
		assert_true(answer(2)->pending);
		assert_string_equal(text(answer(3)->name), "[no mapping]");
		assert_string_equal(text(answer(4)->module), "[vdso]");
	}
#ifndef __SANITIZE_ADDRESS__
	assert_string_equal(text(answer(1)->name), "qsort");
	assert_string_equal(text(answer(1)->module), "libc.so.6");
#endif
	symbolizer_process_free(process);
	munmap(code, 4096);
}

static void test_symbolizer__a_map_that_was_written_since_is_found_without_a_refresh(void **state)
{
	struct process_identity identity = {.pid = getpid(), .ns_pid = (uint32_t)getpid(), .start_ns = own_start_ns()};
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), path[64];
	uint64_t address = (uint64_t)code, until_ns = clock_now_ns() + 20000000000ull;
	struct symbolizer_process *process;
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "[jit: no map]");
	map = fopen(path, "w");
	assert_non_null(map);
	fprintf(map, "%lx 1000 written_since\n", (unsigned long)address);
	fclose(map);
	do {
		usleep(50000);
		assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	} while (!answer(0)->named && clock_now_ns() < until_ns);
	unlink(path);
	assert_string_equal(text(answer(0)->name), "written_since");
	symbolizer_process_free(process);
	munmap(code, 4096);
}

static void test_symbolizer__another_image_under_the_pid_is_not_asked(void **state)
{
	struct process_identity identity = {.pid = getpid(), .start_ns = own_start_ns() - 1000000000ull};
	struct symbolizer_process *process;
	uint64_t address = (uint64_t)test_symbolizer_here;

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "[exited]");
	assert_false(answer(0)->named);
	symbolizer_process_free(process);
}

static void test_symbolizer__a_file_that_is_none_says_so(void **state)
{
	uint64_t address = 4096;

	assert_int_equal(symbolizer_file(symbolizer, "/etc/passwd", &address, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "[not ELF passwd]");
	assert_int_equal(symbolizer_file(symbolizer, "/dev/null", &address, 1, &symbols), -EINVAL);
	assert_int_equal(symbolizer_file(symbolizer, "/nowhere", &address, 1, &symbols), -ENOENT);
}

static void test_symbolizer__debug_file_that_is_not_read_in_time_is_offered_again(void **state)
{
	struct process_identity identity = {.pid = getpid(), .ns_pid = (uint32_t)getpid(), .start_ns = own_start_ns()};
	char folder[] = "/tmp/stoker-test-XXXXXX", path[64];
	struct symbolizer_process *process;
	struct pinned_file *file;
	struct stat status;
	uint64_t address;
	char *code;
	int fd;

	assert_non_null(mkdtemp(folder));
	run("cd %s && echo 'int main(void) { return 0; }' | cc -x c - -o program && nm program | sed -n 's/ T main//p' "
	    ">address && objcopy --only-keep-debug program program.debug && strip program && objcopy "
	    "--add-gnu-debuglink=program.debug program",
	    folder);
	snprintf(path, sizeof(path), "%s/address", folder);
	address = read_number(path);
	snprintf(path, sizeof(path), "%s/program", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &status), 0);
	/* Its code lies in the file where it lies in memory. */
	code = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(code != MAP_FAILED);
	address += (uint64_t)code;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(file_cache_pin(symbolizer->files, fd, &status, NULL, &file), 0);
	/* As if its disk had been busy a moment ago. */
	file->source.offer_stalls.until_ms = INT64_MAX;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
		assert_ptr_equal(strstr(text(answer(0)->name), "[debug file not read in time: program+0x"),
				 text(answer(0)->name));
		assert_true(answer(0)->pending);
	}
	file->source.offer_stalls.until_ms = 0;
	assert_int_equal(symbolizer_user(process, &address, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "main");
	assert_false(answer(0)->pending);
	symbolizer_process_free(process);
	munmap(code, (size_t)status.st_size);
	close(fd);
	run("rm -r %s", folder);
}

/* The children of a process's first thread. */
static size_t children_of(pid_t pid, pid_t *children, size_t capacity)
{
	char path[64];
	size_t count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	while (file && count < capacity && fscanf(file, "%d", &children[count]) == 1)
		count++;
	if (file)
		fclose(file);
	return count;
}

/* A process that kills each parser of ours (the child of a nursery, which is our child) as soon as it is there. */
static pid_t start_killer(void)
{
	pid_t us = getpid(), nursery[4], parser[4], killer = fork();

	if (killer)
		return killer;
	for (;;)
		for (size_t i = children_of(us, nursery, 4); i > 0; i--)
			for (size_t j = children_of(nursery[i - 1], parser, 4); j > 0; j--)
				kill(parser[j - 1], SIGKILL);
}

static uint64_t mapped_at(const char *path)
{
	char line[512], name[256];
	unsigned long long start = 0;
	FILE *file = fopen("/proc/self/maps", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx-%*x r-xp %*x %*s %*u %255s", &start, name) == 2 && !strcmp(name, path))
			break;
	fclose(file);
	return start;
}

static void test_symbolizer__a_file_that_kills_two_parsers_is_in_quarantine(void **state)
{
	struct process_identity identity = {.pid = getpid(), .start_ns = own_start_ns()};
	FILE *file = fopen(LARGE, "re");
	struct symbolizer_process *process;
	struct symbolizer_costs costs;
	uint64_t addresses[2];
	char *mapped;
	pid_t killer;

	if (!file) {
		print_message("no " LARGE " (libllvm14)\n");
		skip();
	}
	mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(file), 0x1000000);
	fclose(file);
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	addresses[0] = mapped_at(LARGE) + 4096;
	addresses[1] = (uint64_t)test_symbolizer_here;
	killer = start_killer();
	/* On a busy machine the killer comes late: it gets many chances. */
	for (int i = 0; i < 10000; i++, addresses[0] += 64) {
		/* And time, which is not what this is about. */
		process_snapshot_mapping(process, addresses[0])->file->source.busy.debt_ns = 0;
		process->tenant->parsing.debt_ns = 0;
		assert_int_equal(symbolizer_user(process, addresses, 1, &symbols), 0);
		if (!strcmp(text(answer(0)->name), "[quarantined libLLVM-14.so.1]"))
			break;
	}
	kill(killer, SIGKILL);
	waitpid(killer, NULL, 0);
	assert_string_equal(text(answer(0)->name), "[quarantined libLLVM-14.so.1]");

	/* The others go on; the last parser to be killed may have been asked nothing yet. */
	assert_int_equal(symbolizer_user(process, addresses, 2, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "[quarantined libLLVM-14.so.1]");
	assert_string_equal(text(answer(1)->name), "test_symbolizer_here");
	costs = symbolizer_costs(symbolizer);
	assert_true(costs.crashes >= 2);
	assert_int_equal(costs.quarantined, 1);
	assert_string_equal(text(costs.quarantined_last), "libLLVM-14.so.1");
	symbolizer_process_free(process);
	munmap(mapped, 1 << 20);
}

static void test_symbolizer__tenant_whose_files_took_too_long_costs_no_other_one_its_names(void **state)
{
	struct process_identity identity = {.pid = getpid(), .start_ns = own_start_ns(), .tenant = 1};
	struct process_identity other = {.pid = getpid(), .start_ns = own_start_ns(), .tenant = 2};
	struct time_share_limit limit = tenants_limit(0);
	uint64_t here = (uint64_t)test_symbolizer_here;
	struct symbolizer_process *process, *others;
	struct time_share *parsing;

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_int_equal(symbolizer_process_new(symbolizer, &other, &others), 0);
	parsing = &process->tenant->parsing;
	*parsing = (struct time_share){2 * limit.debt_ns, clock_now_ns()};
	assert_int_equal(symbolizer_user(process, &here, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "[container's parsing time is used up: test_symbolizer]");
	assert_int_equal(symbolizer_costs(symbolizer).skipped, 1);
	assert_int_equal(symbolizer_costs(symbolizer).tenants_over, 1);

	assert_int_equal(symbolizer_user(others, &here, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "test_symbolizer_here");
	assert_true(others->tenant->parsing.debt_ns > 0);
	/* What is known costs nothing. */
	assert_int_equal(symbolizer_user(process, &here, 1, &symbols), 0);
	assert_string_equal(text(answer(0)->name), "test_symbolizer_here");
	symbolizer_process_free(process);
	symbolizer_process_free(others);
}

static void test_symbolizer__file_that_took_too_long_is_asked_again_and_counted_once(void **state)
{
	struct process_identity identity = {.pid = getpid(), .start_ns = own_start_ns(), .tenant = 1};
	uint64_t limit_ns = parser_source_limit(0).debt_ns;
	struct symbolizer_process *process;
	struct time_share *busy;

	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	for (uint64_t i = 0; i < 2; i++) {
		/* Not two of one function, which is remembered. */
		uint64_t there = i ? (uint64_t)run : (uint64_t)test_symbolizer_here;

		busy = &process_snapshot_mapping(process, there)->file->source.busy;
		*busy = (struct time_share){2 * limit_ns, clock_now_ns()};
		assert_int_equal(symbolizer_user(process, &there, 1, &symbols), 0);
		assert_string_equal(text(answer(0)->name), "[takes too long: test_symbolizer]");
		assert_true(answer(0)->pending);
		busy->at_ns -= PARSER_SOURCE_PART * 2 * limit_ns;
		assert_int_equal(symbolizer_user(process, &there, 1, &symbols), 0);
		assert_string_equal(text(answer(0)->name), i ? "run" : "test_symbolizer_here");
		assert_int_equal(symbolizer_costs(symbolizer).slow, 1);
	}
	symbolizer_process_free(process);
}

static void test_symbolizer__kernel_addresses_have_names_or_a_reason(void **state)
{
	uint64_t address = 1;

	assert_int_equal(symbolizer_kernel(symbolizer, &address, 1, &symbols), 0);
	assert_int_equal(answer(0)->kind, SYMBOL_KERNEL);
	assert_false(answer(0)->named);
	assert_string_equal(text(answer(0)->name),
			    symbolizer_kernel_hidden(symbolizer) ? "[kernel: kptr_restrict]" : "[kernel: no symbol]");
}

static const char *kernel_name(struct symbolizer *of, uint64_t address)
{
	assert_int_equal(symbolizer_kernel(of, &address, 1, &symbols), 0);
	return string_table_text(symbolizer_strings(of), answer(0)->name);
}

static void append(const char *path, const char *text)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_symbolizer__kernel_symbol_that_came_later_is_found_once_the_others_are_old(void **state)
{
	char path[] = "/tmp/kallsyms.XXXXXX";
	const struct symbolizer_options options = {.kallsyms = path};
	struct symbolizer *later;
	uint64_t read_ns;

	close(mkstemp(path));
	append(path, "ffffffff81000000 T old_function\n");
	assert_int_equal(symbolizer_new(&options, &later), 0);
	assert_string_equal(kernel_name(later, 0xffffffff81000010), "old_function");
	read_ns = later->kernel_read_ns;
	append(path, "ffffffffc0000000 t bpf_prog_6deef7357e7b4530_later\t[bpf]\n");

	/* As if it had just been read, then as if that were long ago. */
	later->kernel_read_ns = clock_now_ns() + 1000000000000ull;
	assert_string_equal(kernel_name(later, 0xffffffffc0000010), "[kernel: no symbol]");
	later->kernel_read_ns = 0;
	assert_string_equal(kernel_name(later, 0xffffffff81000010), "old_function");
	assert_int_equal(later->kernel_read_ns, 0);
	assert_string_equal(kernel_name(later, 0xffffffffc0000010), "bpf_prog_6deef7357e7b4530_later");
	assert_string_equal(string_table_text(symbolizer_strings(later), answer(0)->module), "bpf");
	assert_true(later->kernel_read_ns >= read_ns);

	/* One that nobody has does not have them read for each question. */
	read_ns = later->kernel_read_ns = clock_now_ns() + 1000000000000ull;
	assert_string_equal(kernel_name(later, 0xfffffffff0000000), "[kernel: no symbol]");
	assert_int_equal(later->kernel_read_ns, read_ns);
	symbolizer_free(later);
	assert_int_equal(unlink(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_symbolizer__its_own_process_has_names_and_reasons),
		TEST(test_symbolizer__a_map_that_was_written_since_is_found_without_a_refresh),
		TEST(test_symbolizer__another_image_under_the_pid_is_not_asked),
		TEST(test_symbolizer__a_file_that_is_none_says_so),
		TEST(test_symbolizer__debug_file_that_is_not_read_in_time_is_offered_again),
		TEST(test_symbolizer__a_file_that_kills_two_parsers_is_in_quarantine),
		TEST(test_symbolizer__tenant_whose_files_took_too_long_costs_no_other_one_its_names),
		TEST(test_symbolizer__file_that_took_too_long_is_asked_again_and_counted_once),
		TEST(test_symbolizer__kernel_symbol_that_came_later_is_found_once_the_others_are_old),
		TEST(test_symbolizer__kernel_addresses_have_names_or_a_reason),
	};

	memset(&symbols, 0, sizeof(symbols));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
