/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "profiler/analysis/hotspot_lore.h"
#include "profiler/render/hotspots.h"
#include "tests/unit/recordings.h"

#define CALL "main;k:entry_SYSCALL_64_after_hwframe;k:do_syscall_64;k:x64_sys_call;"

static const char *name_of(const struct hotspots *hotspots, size_t number)
{
	assert_true(number < hotspots->list.count);
	return string_table_text(&hotspots->strings, hotspots->list.items[number].name);
}

static void expect_entry(const char *stack, enum kernel_entry_kind kind, const char *name, const char *function)
{
	const char *names[32], *reversed[32];
	char copy[512], *rest = copy, *one;
	struct kernel_entry entry;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", stack);
	while ((one = strsep(&rest, ";")) != NULL)
		names[count++] = one;
	for (size_t i = 0; i < count; i++)
		reversed[i] = names[count - 1 - i];
	kernel_entry_find(reversed, count, &entry);
	assert_int_equal(entry.kind, kind);
	assert_string_equal(entry.name, name);
	assert_string_equal(entry.function, function);
}

static void test_hotspots__a_system_call_is_known_by_its_name(void **state)
{
	static const char *const fadvise[] = {
		"entry_SYSCALL_64_after_hwframe;do_syscall_64;x64_sys_call;__x64_sys_fadvise64;ksys_fadvise64_64;xas_"
		"find",
		"entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_fadvise64;xas_find",
		"entry_SYSCALL_64_after_hwframe;do_syscall_64;ksys_fadvise64_64;xas_find",
		"entry_SYSCALL_64;do_syscall_64;x64_sys_call;__do_sys_fadvise64.isra.0;xas_find",
		"entry_INT80_compat;do_int80_syscall_32;ia32_sys_call;__ia32_sys_fadvise64;xas_find",
		"el0t_64_sync;el0t_64_sync_handler;el0_svc;do_el0_svc;el0_svc_common.constprop.0;invoke_syscall;"
		"__arm64_sys_fadvise64;xas_find",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(fadvise); i++)
		expect_entry(fadvise[i], KERNEL_ENTRY_SYSTEM_CALL, "fadvise64", "xas_find");
	/* the entry's own frames were cut off */
	expect_entry("__x64_sys_fadvise64;xas_find", KERNEL_ENTRY_SYSTEM_CALL, "fadvise64", "xas_find");
	expect_entry("do_syscall_64;do_sys_openat2;path_openat", KERNEL_ENTRY_SYSTEM_CALL, "openat", "path_openat");
	expect_entry("do_syscall_64;vfs_statx", KERNEL_ENTRY_SYSTEM_CALL, "newfstatat", "vfs_statx");
	expect_entry("do_syscall_64;vm_mmap_pgoff;down_write_killable", KERNEL_ENTRY_SYSTEM_CALL, "mmap",
		     "down_write_killable");
	expect_entry("do_syscall_64;x64_sys_call;__x64_sys_umount;path_umount", KERNEL_ENTRY_SYSTEM_CALL, "umount2",
		     "path_umount");
	expect_entry("do_syscall_64;__do_sys_newfstat;vfs_fstat", KERNEL_ENTRY_SYSTEM_CALL, "fstat", "vfs_fstat");
	expect_entry("do_syscall_64;srso_alias_return_thunk", KERNEL_ENTRY_SYSTEM_CALL, "system call entry and exit",
		     "srso_alias_return_thunk");
	expect_entry("do_syscall_64;ksys_read;vfs_read;srso_alias_return_thunk", KERNEL_ENTRY_SYSTEM_CALL, "read",
		     "vfs_read");
	expect_entry("do_syscall_64;syscall_exit_to_user_mode;exit_to_user_mode_loop;schedule",
		     KERNEL_ENTRY_SYSTEM_CALL, "system call entry and exit", "schedule");
	expect_entry("entry_SYSCALL_64_after_hwframe", KERNEL_ENTRY_SYSTEM_CALL, "system call entry and exit",
		     "entry_SYSCALL_64_after_hwframe");
}

static void test_hotspots__what_is_no_system_call_is_told_apart(void **state)
{
	expect_entry("asm_exc_page_fault;exc_page_fault;handle_mm_fault;clear_page_erms", KERNEL_ENTRY_PAGE_FAULT,
		     "page faults", "clear_page_erms");
	expect_entry("ret_from_fork_asm;ret_from_fork;kthread;worker_thread;process_one_work", KERNEL_ENTRY_THREAD,
		     "kernel threads", "process_one_work");
	expect_entry("asm_common_interrupt;common_interrupt;handle_irq;vring_interrupt", KERNEL_ENTRY_INTERRUPT,
		     "interrupts", "vring_interrupt");
	expect_entry("asm_exc_general_protection;fixup_vdso", KERNEL_ENTRY_OTHER, "exceptions", "fixup_vdso");
	expect_entry("some_function", KERNEL_ENTRY_OTHER, "other", "some_function");
	/* A fault on the way is part of the call that took it. */
	expect_entry("do_syscall_64;__x64_sys_write;copy_from_iter;asm_exc_page_fault;handle_mm_fault",
		     KERNEL_ENTRY_SYSTEM_CALL, "write", "handle_mm_fault");
}

static void test_hotspots__an_interrupt_that_works_is_not_the_system_calls(void **state)
{
	expect_entry("do_syscall_64;__x64_sys_read;vfs_read;asm_common_interrupt;common_interrupt;irq_exit_rcu;"
		     "handle_softirqs;net_rx_action;napi_poll",
		     KERNEL_ENTRY_INTERRUPT, "interrupts", "napi_poll");
	/* One that has nothing to do came late: the call was sampled. */
	expect_entry("do_syscall_64;__x64_sys_read;vfs_read;asm_sysvec_apic_timer_interrupt;irqentry_exit",
		     KERNEL_ENTRY_SYSTEM_CALL, "read", "vfs_read");
	expect_entry("do_syscall_64;__x64_sys_read;vfs_read;asm_sysvec_apic_timer_interrupt;"
		     "sysvec_apic_timer_interrupt;__sysvec_apic_timer_interrupt;hrtimer_interrupt;perf_swevent_hrtimer;"
		     "__perf_event_overflow;bpf_overflow_handler;bpf_prog_1_sample",
		     KERNEL_ENTRY_SYSTEM_CALL, "read", "vfs_read");
	/* In user space: nothing but the sampling. */
	expect_entry("asm_sysvec_apic_timer_interrupt;sysvec_apic_timer_interrupt;hrtimer_interrupt;"
		     "perf_swevent_hrtimer",
		     KERNEL_ENTRY_NONE, "", "");
	expect_entry("asm_sysvec_apic_timer_interrupt;irqentry_exit_to_user_mode", KERNEL_ENTRY_INTERRUPT, "interrupts",
		     "irqentry_exit_to_user_mode");
}

static void expect_tracing(bool expected, const char *leaf, const char *caller, const char *callers_caller)
{
	const char *names[] = {leaf, caller, callers_caller, "do_syscall_64"};

	assert_int_equal(kernel_entry_is_tracing(names, ARRAY_LENGTH(names)), expected);
}

static void test_hotspots__programs_that_trace_are_told_from_those_that_sample(void **state)
{
	expect_tracing(true, "read_tsc", "bpf_prog_732e7be6d1ba537f_call_returned", "bpf_trace_run2");
	expect_tracing(true, "__bpf_trace_sys_exit", "syscall_exit_work", "__x64_sys_read");
	expect_tracing(false, "bpf_prog_free_deferred", "process_one_work", "worker_thread");
	expect_tracing(false, "bpf_prog_732e7be6d1ba537f_sample", "perf_event_overflow", "asm_exc_nmi");
	assert_string_equal(kernel_entry_program_name("bpf_prog_732e7be6d1ba537f_call_returned"), "call_returned");
	assert_string_equal(kernel_entry_program_name("bpf_prog_732e7be6d1ba537f"), "bpf_prog_732e7be6d1ba537f");
	assert_string_equal(kernel_entry_program_name("bpf_"), "bpf_");
}

static void test_hotspots__leaves_that_say_nothing_give_way_to_their_callers(void **state)
{
	expect_entry("do_syscall_64;__x64_sys_futex;futex_wake.constprop.0;_raw_spin_unlock_irqrestore",
		     KERNEL_ENTRY_SYSTEM_CALL, "futex", "futex_wake");
}

/* Three containers drop their log's pages; one computes and is interrupted now and then. */
static struct profile *fadvise_story(void)
{
	struct maker maker;

	maker_start(&maker);
	for (int i = 0; i < 3; i++) {
		char name[16];
		uint32_t log;

		snprintf(name, sizeof(name), "log-%d", i);
		log = maker_container(&maker, CONTAINER_CONTAINER, name, name, "");
		maker_sample(&maker, log, CALL "k:__x64_sys_fadvise64;k:invalidate;k:xas_find", 40);
		maker_sample(&maker, log, CALL "k:__x64_sys_fadvise64;k:ksys_fadvise64_64;k:iowrite16", 50);
		maker_sample(&maker, log, CALL "k:__x64_sys_write;k:ext4_write", 30);
		maker_sample(&maker, log, CALL "k:__x64_sys_write;k:ext4_write;k:iowrite16", 31);
	}
	maker_container(&maker, CONTAINER_CONTAINER, "calm", "calm-id", "");
	maker_sample(&maker, 3, "main;compute", 500);
	maker_sample(&maker, 3, "main;k:asm_common_interrupt;k:handle_irq", 8);
	maker_container(&maker, CONTAINER_KERNEL, "kernel", "", "");
	maker_sample(&maker, 4, "k:ret_from_fork;k:kthread;k:worker", 20);
	return maker_load(&maker);
}

static void test_hotspots__fadvise_in_three_containers_stands_first(void **state)
{
	struct profile *profile = fadvise_story();
	struct hotspots hotspots;
	const struct hotspot *top;
	uint64_t sum = 0;

	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	top = &hotspots.list.items[0];
	assert_string_equal(name_of(&hotspots, 0), "fadvise64");
	assert_false(top->is_function);
	assert_false(top->rest);
	assert_int_equal(top->samples, 270);
	assert_int_equal(top->containers.count, 3);
	assert_true(top->containers_effective > 2.99 && top->containers_effective < 3.01);
	assert_int_equal(top->containers.items[0].own, 151);
	assert_string_equal(string_table_text(&hotspots.strings, top->functions.items[0].name), "iowrite16");
	assert_non_null(top->way_out);
	/* iowrite16 is half of write too, but it is a device's doorbell and explains nothing. */
	assert_string_equal(name_of(&hotspots, 1), "write");
	for (size_t i = 0; i < hotspots.list.count; i++)
		sum += hotspots.list.items[i].samples;
	assert_int_equal(sum, hotspots.kernel_samples);
	hotspots_deinit(&hotspots);
	profile_free(profile);
}

/* Two victims look up paths; a third container writes. */
static struct profile *dentry_story(void)
{
	struct maker maker;

	maker_start(&maker);
	for (int i = 0; i < 2; i++) {
		uint32_t row = maker_container(&maker, CONTAINER_CONTAINER, i ? "shop" : "search", i ? "a" : "b", "");

		maker_sample(&maker, row, CALL "k:__x64_sys_newfstatat;k:vfs_statx;k:__d_lookup_rcu", 40);
		maker_sample(&maker, row, CALL "k:__x64_sys_newfstatat;k:vfs_statx;k:__d_lookup", 10);
		maker_sample(&maker, row, CALL "k:__x64_sys_openat;k:path_openat;k:__d_lookup_rcu", 10);
		maker_sample(&maker, row, CALL "k:__x64_sys_newfstatat;k:vfs_statx;k:strncpy_from_user", 70);
	}
	maker_container(&maker, CONTAINER_CONTAINER, "calm", "calm-id", "");
	maker_sample(&maker, 2, CALL "k:__x64_sys_write;k:ext4_write", 100);
	return maker_load(&maker);
}

static void test_hotspots__path_look_ups_of_two_containers_are_one_function(void **state)
{
	struct profile *profile = dentry_story();
	struct hotspots hotspots;
	const struct hotspot *top;

	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	top = &hotspots.list.items[0];
	assert_string_equal(name_of(&hotspots, 0), "__d_lookup_rcu");
	assert_true(top->is_function);
	assert_int_equal(top->samples, 120);
	assert_true(top->containers_effective > 1.99 && top->containers_effective < 2.01);
	assert_int_equal(top->containers.count, 2);
	assert_int_equal(top->entries.count, 2);
	assert_string_equal(string_table_text(&hotspots.strings, top->entries.items[0].name), "newfstatat");
	assert_non_null(top->what);
	/* The rest of those calls is more than the look-ups are, and yet comes after them. */
	assert_string_equal(name_of(&hotspots, 1), "newfstatat");
	assert_true(hotspots.list.items[1].rest);
	assert_int_equal(hotspots.list.items[1].samples, 140);
	assert_int_equal(hotspots.list.items[1].without.count, 1);
	assert_string_equal(string_table_text(&hotspots.strings, hotspots.list.items[1].without.items[0].name),
			    "__d_lookup_rcu");
	assert_int_equal(hotspots.list.items[1].without.items[0].samples, 100);
	assert_string_equal(name_of(&hotspots, 2), "write");
	assert_false(hotspots.list.items[2].rest);
	hotspots_deinit(&hotspots);
	profile_free(profile);
}

static void test_hotspots__a_function_of_one_call_alone_is_listed_below_it(void **state)
{
	struct hotspots hotspots;
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, CALL "k:__x64_sys_getdents64;k:filldir", 90);
	maker_sample(&maker, 0, CALL "k:__x64_sys_read;k:common_walk", 60);
	maker_sample(&maker, 0, CALL "k:__x64_sys_pread64;k:common_walk", 50);
	profile = maker_load(&maker);
	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	assert_string_equal(name_of(&hotspots, 0), "common_walk");
	assert_true(hotspots.list.items[0].is_function);
	assert_string_equal(name_of(&hotspots, 1), "getdents64");
	assert_int_equal(hotspots.list.count, 2);
	hotspots_deinit(&hotspots);
	profile_free(profile);
}

static char *render(const struct profile *profile, int (*how)(const struct hotspots *, const struct profile *,
							      const struct hotspots_options *, FILE *))
{
	struct hotspots_options options = {0};
	struct hotspots hotspots;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	assert_int_equal(how(&hotspots, profile, &options, out), 0);
	fclose(out);
	hotspots_deinit(&hotspots);
	return text;
}

static void test_hotspots__the_report_says_what_it_cannot_see_and_ends_with_the_account(void **state)
{
	struct profile *profile = fadvise_story();
	char *text = render(profile, render_hotspots_text);

	assert_non_null(strstr(text, "1. fadvise64 (system call): "));
	assert_non_null(strstr(text, "hot in 3.0 containers"));
	assert_non_null(strstr(text, "is not seen here"));
	assert_non_null(strstr(text, "981 samples taken = 981 kept + 0 filtered + 0 lost."));
	free(text);
	profile_free(profile);
}

static void test_hotspots__what_tracing_costs_is_not_the_calls(void **state)
{
	struct hotspots hotspots;
	struct profile *profile;
	struct maker maker;

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, CALL "k:__x64_sys_read;k:vfs_read", 60);
	maker_sample(&maker, 0,
		     CALL "k:__x64_sys_read;k:schedule;k:bpf_trace_run4;k:bpf_prog_732e7be6d1ba537f_switched", 20);
	maker_sample(&maker, 0, "main;k:entry_SYSCALL_64;k:syscall_trace_enter;k:bpf_trace_run2", 15);
	profile = maker_load(&maker);
	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	assert_int_equal(hotspots.list.count, 2);
	assert_string_equal(name_of(&hotspots, 1), HOTSPOT_TRACING);
	assert_int_equal(hotspots.list.items[1].samples, 35);
	assert_int_equal(hotspots.list.items[1].kind, KERNEL_ENTRY_TRACING);
	assert_string_equal(string_table_text(&hotspots.strings, hotspots.list.items[1].functions.items[0].name),
			    "switched");
	assert_non_null(hotspots.list.items[1].what);
	hotspots_deinit(&hotspots);
	profile_free(profile);
}

static void test_hotspots__the_rest_says_of_what_it_is_the_rest(void **state)
{
	struct profile *profile = dentry_story();
	char *text = render(profile, render_hotspots_text), *json = render(profile, render_hotspots_json);

	assert_non_null(strstr(text, "2. newfstatat (system call), the rest without __d_lookup_rcu: "));
	assert_non_null(strstr(text, "   less:  __d_lookup_rcu 42%\n"));
	assert_non_null(strstr(json, "\"without\": ["));
	free(text);
	free(json);
	profile_free(profile);
}

static void test_hotspots__json_has_all_of_them_and_the_text_says_how_many_more(void **state)
{
	struct json_object *top, *list;
	struct profile *profile;
	struct maker maker;
	char *text, stack[128];

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	for (unsigned int i = 0; i < 13; i++) {
		snprintf(stack, sizeof(stack), CALL "k:__x64_sys_call%u;k:function%u", i, i);
		maker_sample(&maker, 0, stack, i == 12 ? 1 : 100);
	}
	profile = maker_load(&maker);
	text = render(profile, render_hotspots_text);
	assert_non_null(strstr(text, "(3 more, 16.7% of all kernel time; -n shows the 2 of 1% and more)\n"));
	free(text);
	text = render(profile, render_hotspots_json);
	top = json_tokener_parse(text);
	assert_true(json_object_object_get_ex(top, "hotspots", &list));
	assert_int_equal(json_object_array_length(list), 13);
	json_object_put(top);
	free(text);
	profile_free(profile);
}

static void test_hotspots__a_chosen_container_has_its_line_where_it_takes_part(void **state)
{
	static const bool wanted[] = {false, false, false, true, false};
	struct hotspots_options options = {.wanted = wanted};
	struct profile *profile = fadvise_story();
	struct hotspots hotspots;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	assert_int_equal(render_hotspots_text(&hotspots, profile, &options, out), 0);
	fclose(out);
	assert_null(strstr(text, "fadvise64"));
	assert_non_null(strstr(text, "4. interrupts: "));
	assert_non_null(strstr(text, "   calm "));
	assert_non_null(strstr(text, "Only what concerns calm; the lines below account for the whole recording.\n"));
	free(text);
	hotspots_deinit(&hotspots);
	profile_free(profile);
}

static void test_hotspots__a_chosen_container_has_its_entry_however_small_its_part(void **state)
{
	static const bool wanted[] = {false, false, true};
	struct hotspots_options options = {.wanted = wanted};
	struct json_object *top, *list, *first, *value;
	struct hotspots hotspots;
	struct profile *profile;
	struct maker maker;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	maker_start(&maker);
	for (uint32_t i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "web-%u", i);
		maker_container(&maker, CONTAINER_CONTAINER, name, name, "");
		maker_sample(&maker, i, CALL "k:__x64_sys_read;k:vfs_read", i ? 1 : 998);
	}
	profile = maker_load(&maker);
	assert_int_equal(hotspots_init(&hotspots, profile), 0);
	assert_int_equal(render_hotspots_json(&hotspots, profile, &options, out), 0);
	fclose(out);
	top = json_tokener_parse(text);
	assert_true(json_object_object_get_ex(top, "hotspots", &list));
	first = json_object_array_get_idx(list, 0);
	assert_true(json_object_object_get_ex(first, "containers", &list));
	assert_int_equal(json_object_array_length(list), 2);
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 1), "label", &value));
	assert_string_equal(json_object_get_string(value), "web-2");
	assert_true(json_object_object_get_ex(first, "containers_more", &value));
	assert_int_equal(json_object_get_int(value), 1);
	json_object_put(top);
	free(text);
	hotspots_deinit(&hotspots);
	profile_free(profile);
}

static void test_hotspots__few_kernel_samples_find_nothing_and_say_so(void **state)
{
	struct profile *profile;
	struct maker maker;
	char *text;

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, CALL "k:__x64_sys_read;k:vfs_read", HOTSPOTS_SAMPLES_MIN - 1);
	profile = maker_load(&maker);
	text = render(profile, render_hotspots_text);
	assert_non_null(strstr(text, "Nothing found"));
	assert_null(strstr(text, "1. "));
	free(text);
	profile_free(profile);
}

static void test_hotspots__json_is_valid_whatever_a_container_is_called(void **state)
{
	struct json_object *top, *list, *first, *value;
	struct profile *profile;
	struct maker maker;
	char *text;

	maker_start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "a\"b\\\n\xff\xfe\x1b[31m", "id", "");
	maker_sample(&maker, 0, CALL "k:__x64_sys_read;k:vfs_read", 100);
	profile = maker_load(&maker);
	text = render(profile, render_hotspots_json);
	top = json_tokener_parse(text);
	assert_non_null(top);
	assert_true(json_object_object_get_ex(top, "hotspots", &list));
	assert_int_equal(json_object_array_length(list), 1);
	first = json_object_array_get_idx(list, 0);
	assert_true(json_object_object_get_ex(first, "name", &value));
	assert_string_equal(json_object_get_string(value), "read");
	assert_true(json_object_object_get_ex(first, "containers", &list));
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 0), "name", &value));
	assert_string_equal(json_object_get_string(value), "a\"b\\\n\xef\xbf\xbd\xef\xbf\xbd\x1b[31m");
	assert_null(strchr(text, '\x1b'));
	json_object_put(top);
	free(text);
	profile_free(profile);
}

#define TEST(name) cmocka_unit_test(test_hotspots__##name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_system_call_is_known_by_its_name),
		TEST(what_is_no_system_call_is_told_apart),
		TEST(an_interrupt_that_works_is_not_the_system_calls),
		TEST(programs_that_trace_are_told_from_those_that_sample),
		TEST(leaves_that_say_nothing_give_way_to_their_callers),
		TEST(fadvise_in_three_containers_stands_first),
		TEST(path_look_ups_of_two_containers_are_one_function),
		TEST(a_function_of_one_call_alone_is_listed_below_it),
		TEST(the_report_says_what_it_cannot_see_and_ends_with_the_account),
		TEST(what_tracing_costs_is_not_the_calls),
		TEST(the_rest_says_of_what_it_is_the_rest),
		TEST(json_has_all_of_them_and_the_text_says_how_many_more),
		TEST(a_chosen_container_has_its_line_where_it_takes_part),
		TEST(a_chosen_container_has_its_entry_however_small_its_part),
		TEST(few_kernel_samples_find_nothing_and_say_so),
		TEST(json_is_valid_whatever_a_container_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
