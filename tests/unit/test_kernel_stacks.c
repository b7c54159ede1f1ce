/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/profile/kernel_stacks.h"
#include "tests/unit/recordings.h"

static void test_kernel_stacks__each_says_the_same_again_and_its_names_are_the_callers(void **state)
{
	static const char *const stacks[] = {
		"main;k:do_syscall_64;k:__x64_sys_fsync;k:jbd2_log_wait_commit;k:schedule;k:__schedule",
		"main;k:do_syscall_64;k:ksys_read;k:asm_sysvec_apic_timer_interrupt;k:hrtimer_interrupt;k:hrtimer_"
		"wakeup",
		"k:do_syscall_64;k:__x64_sys_kill;k:__send_signal_locked",
		"k:do_syscall_64;k:ksys_read;k:__traceiter_sys_enter;k:bpf_trace_run2",
		"main",
	};
	static const struct {
		enum kernel_entry_kind kind;
		const char *entry, *blocked;
		uint16_t interrupt_frames;
		bool is_tracing, sends_signal;
	} wanted[] = {
		{KERNEL_ENTRY_SYSTEM_CALL, "fsync", "jbd2_log_wait_commit", 0, false, false},
		{KERNEL_ENTRY_INTERRUPT, "interrupts", "hrtimer_wakeup", 3, false, false},
		{KERNEL_ENTRY_SYSTEM_CALL, "kill", "__send_signal_locked", 0, false, true},
		{KERNEL_ENTRY_SYSTEM_CALL, "read", "bpf_trace_run2", 0, true, false},
		{KERNEL_ENTRY_NONE, "", "", 0, false, false},
	};
	const struct kernel_stack *stack, *again;
	struct kernel_stacks list;
	struct string_table names;
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	for (size_t i = 0; i < ARRAY_LENGTH(stacks); i++)
		maker_sample(&maker, 0, stacks[i], 1 + i);
	profile = maker_load(&maker);
	assert_int_equal(string_table_init(&names), 0);
	assert_int_equal(kernel_stacks_init(&list, profile, &names), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
		uint32_t number = profile->rows.samples.items[i].stack;

		assert_int_equal(kernel_stacks_find(&list, number, &stack), 0);
		assert_int_equal(stack->kind, wanted[i].kind);
		assert_string_equal(string_table_text(&names, stack->entry), wanted[i].entry);
		assert_string_equal(string_table_text(&names, stack->blocked), wanted[i].blocked);
		assert_int_equal(stack->interrupt_frames, wanted[i].interrupt_frames);
		assert_int_equal(stack->is_tracing, wanted[i].is_tracing);
		assert_int_equal(stack->sends_signal, wanted[i].sends_signal);
		assert_int_equal(kernel_stacks_find(&list, number, &again), 0);
		assert_ptr_equal(again, stack);
		assert_true(stack->read);
	}
	assert_int_equal(kernel_stacks_find(&list, RECORDING_STACK_ROOT, &stack), 0);
	assert_int_equal(stack->kind, KERNEL_ENTRY_NONE);
	kernel_stacks_deinit(&list);
	string_table_deinit(&names);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_stacks__each_says_the_same_again_and_its_names_are_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
