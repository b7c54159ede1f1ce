/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cmocka.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/copy_unwinder.h"
#include "symbolizer/dwarf_expression.h"
#include "symbolizer/symbolizer_private.h"
#include "tests/unit/worker_children.h"

/* A stack of this process: a copy of it, and what the compiler's own unwinder makes of it. */
struct taken {
	struct copy_to_unwind copy;
	uint64_t words[COPY_UNWINDER_WORDS_MAX];
	void *known[512];
	int known_count;
};

static struct taken taken;
static volatile unsigned sink;

static uint64_t top_of_stack(void)
{
	pthread_attr_t attributes;
	size_t bytes;
	void *base;

	assert_int_equal(pthread_getattr_np(pthread_self(), &attributes), 0);
	assert_int_equal(pthread_attr_getstack(&attributes, &base, &bytes), 0);
	pthread_attr_destroy(&attributes);
	return (uint64_t)base + bytes;
}

/* The frames of others, red zones of the sanitizers between them. */
__attribute__((no_sanitize("address"))) static void copy_words(uint64_t *to, const volatile uint64_t *from,
							       size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

/* What backtrace(3) does; that one a sanitizer puts a function of its own around. */
static _Unwind_Reason_Code take_known(struct _Unwind_Context *frame, void *data)
{
	(void)data;
	if (taken.known_count == (int)ARRAY_LENGTH(taken.known) || !_Unwind_GetIP(frame))
		return _URC_END_OF_STACK;
	taken.known[taken.known_count++] = (void *)_Unwind_GetIP(frame);
	return _URC_NO_REASON;
}

__attribute__((noinline)) static int take_stack(void)
{
	static const int by_number[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
					REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
	size_t words;
	ucontext_t now;

	memset(&taken, 0, sizeof(taken));
	_Unwind_Backtrace(take_known, NULL);
	getcontext(&now);
	for (size_t i = 0; i < ARRAY_LENGTH(by_number); i++)
		taken.copy.registers[i] = (uint64_t)now.uc_mcontext.gregs[by_number[i]];
	words = (top_of_stack() - taken.copy.registers[CALL_SP]) / sizeof(uint64_t);
	taken.copy.known = (1u << CALL_REGISTERS) - 1;
	taken.copy.words = taken.words;
	taken.copy.word_count = words < ARRAY_LENGTH(taken.words) ? words : ARRAY_LENGTH(taken.words);
	copy_words(taken.words, (const volatile uint64_t *)taken.copy.registers[CALL_SP], taken.copy.word_count);
	return sink + 1;
}

static void take_in_handler(int number)
{
	sink += take_stack();
}

__attribute__((noinline)) static int take_in_signal(void)
{
	signal(SIGUSR1, take_in_handler);
	raise(SIGUSR1);
	return sink + 1;
}

/* Its CFA is an expression of more than a table holds: rsp + 32 + 0. */
__asm__(".text\n"
	"call_by_expression:\n"
	".cfi_startproc\n"
	"push %rbx\n"
	"sub $16, %rsp\n"
	".cfi_escape 0x0f, 4, 0x77, 32, 0x30, 0x22\n" /* DW_CFA_def_cfa_expression, breg7 32, lit0, plus */
	".cfi_offset %rbx, -16\n"
	"call *%rdi\n"
	"add $16, %rsp\n"
	"pop %rbx\n"
	".cfi_def_cfa %rsp, 8\n"
	"ret\n"
	".cfi_endproc\n"
	".type call_by_expression, @function\n"
	".size call_by_expression, . - call_by_expression\n");
extern int call_by_expression(int (*leaf)(void));

__attribute__((noinline)) static int take_by_expression(void)
{
	return call_by_expression(take_stack) + 1;
}

/* Also in a build with frame pointers: one test knows no more than where the stack is. */
#define NO_FRAME_POINTER __attribute__((noinline, optimize("omit-frame-pointer")))

NO_FRAME_POINTER static int nest(int depth, int (*leaf)(void))
{
	return (depth > 1 ? nest(depth - 1, leaf) : leaf()) + sink;
}

NO_FRAME_POINTER static void *nest_in_thread(void *leaf)
{
	sink += nest(20, (int (*)(void))leaf);
	return NULL;
}

static void take(int (*leaf)(void))
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, nest_in_thread, (void *)leaf), 0);
	pthread_join(thread, NULL);
	assert_in_range(taken.known_count, 20, 100);
}

static int setup(void **state)
{
	const struct symbolizer_options none = {0};

	return symbolizer_new(&none, (struct symbolizer **)state);
}

static int teardown(void **state)
{
	symbolizer_free(*state);
	return 0;
}

static struct symbolizer_process *snapshot_for(struct symbolizer *symbolizer, pid_t pid, uint64_t tenant)
{
	struct symbolizer_process *process;
	struct process_identity identity;

	assert_int_equal(symbolizer_identify(pid, &identity), 0);
	identity.tenant = tenant;
	assert_int_equal(symbolizer_process_new(symbolizer, &identity, &process), 0);
	assert_true(symbolizer_process_mappings(process) > 0);
	return process;
}

static struct symbolizer_process *snapshot_of(struct symbolizer *symbolizer, pid_t pid)
{
	return snapshot_for(symbolizer, pid, 0);
}

/* The first frame is a place in take_stack() in both, not the same one; what a signal interrupted is told by one more. */
static void expect_known_frames(const struct unwound *unwound, size_t count)
{
	assert_true(count <= unwound->count && count <= (size_t)taken.known_count);
	for (size_t i = 1; i < count; i++)
		assert_in_range(unwound->frames[i] - (uint64_t)taken.known[i], 0, 1);
}

static void expect_whole(struct symbolizer_process *process)
{
	struct unwound unwound;

	assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), 0);
	assert_int_equal(unwound.end, UNWOUND_COMPLETE);
	assert_int_equal(unwound.flags, 0);
	assert_int_equal(unwound.count, taken.known_count);
	expect_known_frames(&unwound, unwound.count);
}

static void test_copy_unwinder__thread_is_walked_to_its_first_function(void **state)
{
	struct symbolizer_process *process = snapshot_of(*state, getpid());

	take(take_stack);
	expect_whole(process);
	symbolizer_process_free(process);
}

static void test_copy_unwinder__signal_handler_lies_on_what_it_interrupted(void **state)
{
	struct symbolizer_process *process = snapshot_of(*state, getpid());

	take(take_in_signal);
	expect_whole(process);
	symbolizer_process_free(process);
}

static void test_copy_unwinder__rules_may_be_expressions(void **state)
{
	struct symbolizer_process *process = snapshot_of(*state, getpid());

	take(take_by_expression);
	expect_whole(process);
	symbolizer_process_free(process);
}

/* How many words of the stack there are up to the return address into frame @number. */
static size_t words_before(int number)
{
	size_t at = 0;

	for (int i = 1; i <= number; i++, at++)
		while (taken.words[at] != (uint64_t)taken.known[i])
			at++;
	return at;
}

static void test_copy_unwinder__short_copy_has_the_leaf_part(void **state)
{
	struct symbolizer_process *process = snapshot_of(*state, getpid());
	struct unwound unwound;

	take(take_stack);
	taken.copy.word_count = words_before(10);
	assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), 0);
	assert_int_equal(unwound.end, UNWOUND_OUT);
	assert_int_equal(unwound.count, 11);
	expect_known_frames(&unwound, unwound.count);
	symbolizer_process_free(process);
}

/* Its first frame is a caller, and other registers than these two are not known. */
static void test_copy_unwinder__walk_goes_on_from_where_another_stopped(void **state)
{
	struct symbolizer_process *process = snapshot_of(*state, getpid());
	struct unwound rest;
	size_t walked;

	take(take_stack);
	walked = words_before(5);
	taken.copy.registers[CALL_IP] = (uint64_t)taken.known[5];
	taken.copy.registers[CALL_SP] += walked * sizeof(uint64_t);
	taken.copy.known = 1u << CALL_IP | 1u << CALL_SP;
	taken.copy.after_call = taken.copy.inner = 1;
	taken.copy.words += walked;
	taken.copy.word_count -= walked;
	assert_int_equal(copy_unwinder_run(process, &taken.copy, &rest), 0);
	assert_int_equal(rest.end, UNWOUND_COMPLETE);
	assert_int_equal(rest.count, taken.known_count - 5);
	assert_memory_equal(rest.frames, taken.known + 5, rest.count * sizeof(uint64_t));
	symbolizer_process_free(process);
}

static void test_copy_unwinder__process_may_have_ended(void **state)
{
	struct symbolizer_process *process;
	pid_t child;

	take(take_stack);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		pause();
		_exit(0);
	}
	process = snapshot_of(*state, child);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect_whole(process);
	symbolizer_process_free(process);
}

/* Whatever is in registers and memory: an answer, from the same child, which it does not kill. */
static void test_copy_unwinder__garbage_is_walked_to_some_end(void **state)
{
	struct symbolizer_process *process = snapshot_of(*state, getpid());
	uint64_t random = 1, deaths = symbolizer_costs(*state).crashes + symbolizer_costs(*state).timeouts;
	struct unwound unwound;

	for (int round = 0; round < 200; round++) {
		take(round % 2 ? take_stack : take_by_expression);
		for (size_t i = 0; i < taken.copy.word_count; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			if (random >> 60 < 4)
				taken.words[i] =
					random >> 59 & 1 ? random : taken.words[random % taken.copy.word_count];
		}
		taken.copy.registers[random % CALL_REGISTERS] = random;
		assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), 0);
		assert_in_range(unwound.count, 1, UNWOUND_FRAMES_MAX);
	}
	assert_int_equal(symbolizer_costs(*state).crashes + symbolizer_costs(*state).timeouts, deaths);
	symbolizer_process_free(process);
}

static void test_copy_unwinder__file_system_that_does_not_answer_takes_one_child_of_a_process(void **state)
{
	struct symbolizer *symbolizer = *state;
	struct worker *worker = parser_worker(symbolizer->parser);
	struct symbolizer_process *process = snapshot_for(symbolizer, getpid(), 1),
				  *beside = snapshot_for(symbolizer, getpid(), 1),
				  *other = snapshot_for(symbolizer, getpid(), 2);
	struct unwound unwound;
	uint64_t requests;
	pid_t child;

	take(take_stack);
	expect_whole(process);
	child = parsing_child();
	hold(child);
	assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), -EHOSTDOWN);
	assert_int_equal(symbolizer->silent.count, 1);
	assert_int_equal(symbolizer->silent.list[0].tenant, 1);
	/* It has waited for half a second, and ending it took a fifth. */
	assert_true(process->tenant->copies.debt_ns >= 700000000);
	assert_int_equal(process->tenant->copy_deaths, 1);
	requests = worker_counts(worker).requests;
	assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), -ENOTRECOVERABLE);
	assert_int_equal(copy_unwinder_run(beside, &taken.copy, &unwound), -EBUSY);
	beside->tenant->copy_stalls.until_ms = 0;
	time_share_spend(&beside->tenant->copies, 1000000000);
	assert_int_equal(copy_unwinder_run(beside, &taken.copy, &unwound), -EDQUOT);
	assert_int_equal(worker_counts(worker).requests, requests);
	expect_whole(other);
	beside->tenant->copies = (struct time_share){0};
	expect_whole(beside);
	let_go(child);
	symbolizer_process_free(process);
	symbolizer_process_free(beside);
	symbolizer_process_free(other);
}

/* It is killed at once, but as long as somebody traces it only that one sees it go. */
static void reap_traced(void *child)
{
	waitpid(*(pid_t *)child, NULL, WNOHANG | __WALL);
}

static void test_copy_unwinder__container_whose_files_come_late_waits_longer_each_time(void **state)
{
	struct symbolizer *symbolizer = *state;
	struct symbolizer_process *process = snapshot_for(symbolizer, getpid(), 3);
	uint64_t stuck = worker_counts(parser_worker(symbolizer->parser)).stuck, requests;
	struct parser_stalls *stalls = &process->tenant->copy_stalls;
	struct unwound unwound;
	pid_t child;

	take(take_stack);
	for (int i = 0; i < 2; i++) {
		parser_stop(symbolizer->parser);
		expect_whole(process);
		child = parsing_child();
		assert_int_equal(ptrace(PTRACE_SEIZE, child, NULL, NULL), 0);
		symbolizer->waiting = (struct worker_waiting){reap_traced, &child};
		assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), -EBUSY);
		symbolizer->waiting = (struct worker_waiting){0};
		assert_in_range(stalls->until_ms - clock_now_ms(), (PARSER_STALLED_MS << i) - 500,
				PARSER_STALLED_MS << i);
		requests = worker_counts(parser_worker(symbolizer->parser)).requests;
		assert_int_equal(copy_unwinder_run(process, &taken.copy, &unwound), -EBUSY);
		assert_int_equal(worker_counts(parser_worker(symbolizer->parser)).requests, requests);
		stalls->until_ms = clock_now_ms();
		process->tenant->copies = (struct time_share){0};
		expect_whole(process);
	}
	assert_int_equal(process->copy_deaths, 0);
	assert_int_equal(worker_counts(parser_worker(symbolizer->parser)).stuck, stuck);
	symbolizer_process_free(process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_unwinder__thread_is_walked_to_its_first_function),
		cmocka_unit_test(test_copy_unwinder__signal_handler_lies_on_what_it_interrupted),
		cmocka_unit_test(test_copy_unwinder__rules_may_be_expressions),
		cmocka_unit_test(test_copy_unwinder__short_copy_has_the_leaf_part),
		cmocka_unit_test(test_copy_unwinder__walk_goes_on_from_where_another_stopped),
		cmocka_unit_test(test_copy_unwinder__process_may_have_ended),
		cmocka_unit_test(test_copy_unwinder__garbage_is_walked_to_some_end),
		cmocka_unit_test(test_copy_unwinder__file_system_that_does_not_answer_takes_one_child_of_a_process),
		cmocka_unit_test(test_copy_unwinder__container_whose_files_come_late_waits_longer_each_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
