/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "profiler/render/columns.h"
#include "profiler/render/info.h"
#include "profiler/render/json.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"
#include "tests/unit/recordings.h"

static void start(struct maker *maker)
{
	maker_start(maker);
	maker_fact(maker, "event.hz", "100");
	maker_fact(maker, "event.period_ns", "10000000");
	maker_fact(maker, "duration_ns", "10000000000");
	maker_fact(maker, "self.cpu_ns", "40000000");
	maker_fact(maker, "self.memory_bytes", "21000000");
}

static char *table_of(struct profile *profile, uint32_t rows_max)
{
	struct table_options options = {.rows_max = rows_max};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(render_table(profile, &options, out), 0);
	fclose(out);
	profile_free(profile);
	return text;
}

static void test_render_table__is_aligned_and_ends_with_the_account(void **state)
{
	struct maker maker;
	char *text;

	start(&maker);
	maker_container(&maker, CONTAINER_KERNEL, "kernel", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "web-1", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "quiet", "", "");
	maker_sample(&maker, 0, "k:kthread;k:worker", 12);
	maker_sample(&maker, 1, "main;loop", 700);
	maker_sample(&maker, 1, "main;[stripped libfoo.so+0x1]", 150);
	maker_sample(&maker, 1, "main;[stripped libfoo.so+0x2]", 149);
	maker_sample(&maker, 1, "main;k:do_syscall_64;k:vfs_read", 1);
	text = table_of(maker_load(&maker), 0);
	assert_string_equal(
		text,
		"CONTAINER   CPU  KERNEL  SAMPLES  WHOLE  NAMED  TOP FUNCTION\n"
		"web-1      1.00      0%    1,000   100%  85.0%  loop          14.9% of its frames: [stripped "
		"libfoo.so]\n"
		"kernel     0.01    100%       12      -   100%  worker\n"
		"\n"
		"1,012 samples taken = 1,012 kept + 0 filtered + 0 lost.  stoker itself: 0.4% of one CPU, 21 MB.\n");
	free(text);
}

static void test_render_table__every_loss_has_its_line(void **state)
{
	struct maker maker;
	char *text;

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, "main", 10);
	maker.total.taken += 1000 + 20 + 3;
	maker.total.filtered = 1000;
	maker.total.lost_ring = 20;
	maker.total.lost_read = 3;
	maker.total.idle = 5000;
	text = table_of(maker_load(&maker), 0);
	assert_non_null(strstr(text, "1,033 samples taken = 10 kept + 1,000 filtered + 23 lost."));
	assert_non_null(strstr(text, "\n5,000 more ticks found an idle CPU."));
	assert_non_null(strstr(text, "\n20 lost: the ring buffer was full"));
	assert_non_null(strstr(text, "\n3 lost: counted in the kernel"));
	assert_null(strstr(text, "does not add up"));
	free(text);
}

static void test_render_table__an_account_that_does_not_add_up_is_said(void **state)
{
	struct maker maker;
	char *text;

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, "main", 10);
	maker.total.taken += 7;
	text = table_of(maker_load(&maker), 0);
	assert_non_null(strstr(text, "does not add up: 7 samples"));
	free(text);

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, "main", 10);
	maker.total.taken += 7;
	maker.total.kept += 7;
	text = table_of(maker_load(&maker), 0);
	assert_non_null(strstr(text, "holds 10 samples, which is not what was kept"));
	free(text);
}

static void test_render_table__hostile_names_stay_on_their_line(void **state)
{
	struct maker maker;
	char *text, name[5000];
	size_t lines = 0;

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "\x1b[2J\nroot\x7f\xff", "", "");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	maker_container(&maker, CONTAINER_CONTAINER, name, "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "grün-日本", "", "");
	for (uint32_t i = 0; i < 3; i++)
		maker_sample(&maker, i, name, 30 - i);
	text = table_of(maker_load(&maker), 0);
	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
	assert_non_null(strstr(text, "x…"));
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	/* Title, three containers, an empty line, the account. */
	assert_int_equal(lines, 6);
	free(text);
}

static void test_render_table__columns_stand_below_each_other_in_any_script(void **state)
{
	struct maker maker;
	char *text, *line, *rest;
	size_t place[3], count = 0;

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "grün-日本", "", "");
	maker_container(&maker, CONTAINER_CONTAINER, "plain", "", "");
	maker_sample(&maker, 0, "main", 30);
	maker_sample(&maker, 1, "main", 20);
	text = rest = table_of(maker_load(&maker), 0);
	while (count < 3 && (line = strsep(&rest, "\n")) != NULL) {
		char *last = strstr(line, count ? "main" : "TOP FUNCTION");

		assert_non_null(last);
		*last = '\0';
		place[count++] = text_columns(line);
	}
	assert_int_equal(place[1], place[0]);
	assert_int_equal(place[2], place[0]);
	free(text);
}

static void test_render_table__containers_beyond_the_limit_are_summed_up(void **state)
{
	struct maker maker;
	char *text;

	start(&maker);
	for (uint32_t i = 0; i < 5; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%u", i);
		maker_container(&maker, CONTAINER_CONTAINER, name, "", "");
		maker_sample(&maker, i, "main", 100 - i);
	}
	text = table_of(maker_load(&maker), 2);
	assert_non_null(strstr(text, "\nc1 "));
	assert_null(strstr(text, "\nc2 "));
	assert_non_null(strstr(text, "\n(3 more, 59.3% of samples)  "));
	assert_non_null(strstr(text, " 291 "));
	free(text);
}

static void test_render_table__many_containers_have_an_end_without_being_asked(void **state)
{
	struct maker maker;
	char *text;

	start(&maker);
	for (uint32_t i = 0; i < TABLE_ROWS + 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%u", i);
		maker_container(&maker, CONTAINER_CONTAINER, name, "", "");
		maker_sample(&maker, i, "main", 1000 - i);
	}
	text = table_of(maker_load(&maker), 0);
	assert_non_null(strstr(text, "\nc29 "));
	assert_null(strstr(text, "\nc30 "));
	assert_non_null(strstr(text, "\n(3 more, 8.9% of samples) "));
	free(text);
}

static void test_render_table__info_is_sorted_and_has_an_end(void **state)
{
	static const char *const names[] = {"quiet", "busy", "idle", "middle"};
	struct info_options options = {.max = 2};
	struct recording_accounting account = {0};
	struct profile *profile;
	struct maker maker;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	start(&maker);
	maker_fact(&maker, "unwind.files", "3");
	maker_fact(&maker, "copies.taken", "4");
	maker_fact(&maker, "host.name", "here");
	for (uint32_t i = 0; i < 4; i++) {
		maker_container(&maker, CONTAINER_CONTAINER, names[i], "", "");
		account.container = i;
		account.taken = account.kept = i == 1 ? 90 : i == 3 ? 9 : i ? 0 : 1;
		assert_int_equal(recording_writer_accounting(maker.writer, &account), 0);
		if (account.kept)
			maker_sample(&maker, i, "main;[stripped libx.so+0x10]", account.kept);
	}
	profile = maker_load(&maker);
	assert_int_equal(render_info_text(profile, &options, out), 0);
	fclose(out);
	assert_memory_equal(text, "host.name            here\n", 26);
	assert_true(strstr(text, "\nduration_ns ") < strstr(text, "\ncopies.taken "));
	assert_true(strstr(text, "\ncopies.taken ") < strstr(text, "\nunwind.files "));
	assert_true(strstr(text, "\nbusy ") < strstr(text, "\nmiddle "));
	assert_null(strstr(text, "\nidle "));
	assert_non_null(strstr(text, "\n(2 more, 1.0% of samples) "));
	assert_non_null(strstr(text, "-n shows them\n"));
	assert_non_null(strstr(text, "\n(1 more: -n shows them)\n"));
	free(text);
	profile_free(profile);
}

static void test_render_table__a_recording_without_samples_is_said_to_have_none(void **state)
{
	struct maker maker;
	char *text;

	start(&maker);
	text = table_of(maker_load(&maker), 0);
	assert_int_equal(strncmp(text, "no samples\n\n0 samples taken = 0 kept", 35), 0);
	free(text);
}

static void test_render_table__a_cut_recording_is_said_to_be_cut(void **state)
{
	struct profile *profile = NULL;
	struct maker maker;
	char *text, error[256];

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "", "");
	maker_sample(&maker, 0, "main", 10);
	assert_int_equal(recording_writer_flush(maker.writer), 0);
	recording_writer_free(maker.writer);
	assert_int_equal(truncate(maker.path, (off_t)17), 0);
	assert_int_equal(profile_load(maker.path, RECORDING_ALL, &profile, error, sizeof(error)), 0);
	unlink(maker.path);
	text = table_of(profile, 0);
	assert_non_null(strstr(text, "The recording was cut"));
	assert_non_null(strstr(text, "no account of what was lost"));
	assert_null(strstr(text, "0 lost"));
	free(text);
}

static void test_render_table__a_recording_without_an_account_has_none_in_json(void **state)
{
	struct recording_accounting accounts[2] = {{.container = 0, .kept = 3}, {.container = RECORDING_TOTAL}};
	struct recording_sample sample = {.kind = SAMPLE_ONCPU, .stack = RECORDING_STACK_ROOT, .count = 3};
	struct recording_container container = {.kind = CONTAINER_CONTAINER};
	string_id label = 0;
	struct profile profile = {
		.rows.containers = {&container, 1, 1},
		.rows.samples = {&sample, 1, 1},
		.rows.accounting = {accounts, 2, 2},
		.labels = {&label, 1, 1},
	};
	_cleanup_json_ struct json_object *object = json_object_new_object();
	struct json_object *value;

	assert_int_equal(json_add_account(object, &profile), 0);
	assert_true(json_object_object_get_ex(object, "accounting", &value));
	assert_null(value);
	accounts[1].taken = accounts[1].kept = 3;
	assert_int_equal(json_add_account(object, &profile), 0);
	assert_true(json_object_object_get_ex(object, "accounting", &value));
	assert_non_null(value);
}

static void test_render_table__info_is_valid_json_with_facts_and_containers(void **state)
{
	struct json_object *top, *value, *list;
	struct profile *profile;
	struct maker maker;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	start(&maker);
	maker_fact(&maker, "command", "sh -c '\xff\n\"'");
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "pod");
	maker_sample(&maker, 0, "main", 10);
	profile = maker_load(&maker);
	assert_int_equal(render_info_json(profile, out), 0);
	fclose(out);
	top = json_tokener_parse(text);
	assert_non_null(top);
	assert_true(json_object_object_get_ex(top, "facts", &list));
	assert_true(json_object_object_get_ex(list, "command", &value));
	assert_string_equal(json_object_get_string(value), "sh -c '\xef\xbf\xbd\n\"'");
	assert_true(json_object_object_get_ex(top, "containers", &list));
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 0), "pod", &value));
	assert_string_equal(json_object_get_string(value), "pod");
	assert_true(json_object_object_get_ex(top, "accounting", &list));
	assert_true(json_object_object_get_ex(list, "kept", &value));
	assert_int_equal(json_object_get_int(value), 10);
	json_object_put(top);
	free(text);

	out = open_memstream(&text, &size);
	assert_int_equal(render_info_text(profile, &(struct info_options){0}, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "duration_ns          10000000000  (10.000 s)\n"));
	assert_non_null(strstr(text, "10 samples taken = 10 kept"));
	free(text);
	profile_free(profile);
}

static void test_render_table__ids_are_as_long_as_it_takes_to_tell_them_apart(void **state)
{
	struct profile *profile;
	struct maker maker;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "production-web-1-blue", "");
	maker_container(&maker, CONTAINER_CONTAINER, "web", "production-web-2-blue", "");
	maker_container(&maker, CONTAINER_CONTAINER, "db", "0123456789abcdef", "");
	profile = maker_load(&maker);
	assert_int_equal(render_info_text(profile, &(struct info_options){0}, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "\nweb (production-web-1)  container           production-web-1  "));
	assert_non_null(strstr(text, "\nweb (production-web-2)  container           production-web-2  "));
	assert_non_null(strstr(text, "\ndb                      container           0123456789ab      "));
	free(text);
	profile_free(profile);
}

static void test_render_table__not_all_of_Python_is_not_rounded_up_to_all(void **state)
{
	struct profile *profile;
	struct maker maker;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
	maker_container(&maker, CONTAINER_CONTAINER, "db", "def", "");
	maker_sample(&maker, 0, "main;p:app.py:main", 199999);
	maker_sample(&maker, 0, "main;p:[python: frames not readable]", 1);
	maker_sample(&maker, 1, "main;p:app.py:main", 7);
	profile = maker_load(&maker);
	assert_int_equal(render_info_text(profile, &(struct info_options){0}, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "Python in web: 200,000 samples, 99.99% with all frames"));
	assert_non_null(strstr(text, "Python in db: 7 samples, 100% with all frames"));
	free(text);
	profile_free(profile);
}

static void test_render_table__info_says_what_would_name_the_rest(void **state)
{
	struct json_object *top, *value, *list;
	struct profile *profile;
	struct maker maker;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "pod");
	maker_sample(&maker, 0, "main;[stripped libx.so+0x10];leaf", 2);
	maker_sample(&maker, 0, "main;[stripped libx.so+0x20]", 1);
	maker_sample(&maker, 0, "main;[jit: no map]", 1);
	maker_sample(&maker, 0, "main", 492);
	profile = maker_load(&maker);
	assert_int_equal(render_info_text(profile, &(struct info_options){0}, out), 0);
	fclose(out);
	/* 3 of the 502 frames are below one percent. */
	assert_null(strstr(text, "UNNAMED"));
	free(text);

	out = open_memstream(&text, &size);
	assert_int_equal(render_info_json(profile, out), 0);
	fclose(out);
	top = json_tokener_parse(text);
	assert_true(json_object_object_get_ex(top, "unnamed", &list));
	assert_int_equal(json_object_array_length(list), 2);
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 0), "reason", &value));
	assert_string_equal(json_object_get_string(value), "[stripped libx.so]");
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 0), "frames", &value));
	assert_int_equal(json_object_get_int(value), 3);
	assert_true(json_object_object_get_ex(json_object_array_get_idx(list, 1), "fix", &value));
	assert_non_null(strstr(json_object_get_string(value), "perf map"));
	json_object_put(top);
	free(text);
	profile_free(profile);

	start(&maker);
	maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "pod");
	maker_sample(&maker, 0, "main;[stripped libx.so+0x10]", 2);
	profile = maker_load(&maker);
	out = open_memstream(&text, &size);
	assert_int_equal(render_info_text(profile, &(struct info_options){0}, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "web          50.0%  [stripped libx.so]  its debug symbols"));
	free(text);
	profile_free(profile);
}

static void test_render_table__info_does_not_advise_what_was_done(void **state)
{
	static const struct {
		const char *stacks, *reason, *fix;
	} cases[] = {
		{"frame pointers", "[no mapping]", "[no mapping]  stacks walked by tables: --unwind auto"},
		{"tables and frame pointers", "[no mapping]", "[no mapping]  nothing: its mappings were not known yet"},
		{"tables and frame pointers", "[memory is locked]", "[memory is locked]  a process that"},
		{"tables and frame pointers", "[too many stacks at once]", "[too many stacks at once]  fewer samples"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile *profile;
		struct maker maker;
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		start(&maker);
		maker_fact(&maker, "user_stacks", cases[i].stacks);
		maker_container(&maker, CONTAINER_CONTAINER, "web", "abc", "");
		maker_sample(&maker, 0, cases[i].reason, 2);
		profile = maker_load(&maker);
		assert_int_equal(render_info_text(profile, &(struct info_options){0}, out), 0);
		fclose(out);
		assert_non_null(strstr(text, cases[i].fix));
		free(text);
		profile_free(profile);
	}
}

static void test_render_table__text_is_cut_at_characters(void **state)
{
	char text[32] = "日本語のコンテナ", tight[8] = "abcdefg";

	text_cut(text, sizeof(text), 4);
	assert_string_equal(text, "日本語…");
	text_cut(text, sizeof(text), 4);
	assert_string_equal(text, "日本語…");
	text_cut(tight, sizeof(tight), 6);
	assert_string_equal(tight, "abcd…");
}

#define TEST(name) cmocka_unit_test(test_render_table__##name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_aligned_and_ends_with_the_account),
		TEST(every_loss_has_its_line),
		TEST(an_account_that_does_not_add_up_is_said),
		TEST(hostile_names_stay_on_their_line),
		TEST(columns_stand_below_each_other_in_any_script),
		TEST(containers_beyond_the_limit_are_summed_up),
		TEST(many_containers_have_an_end_without_being_asked),
		TEST(info_is_sorted_and_has_an_end),
		TEST(a_recording_without_samples_is_said_to_have_none),
		TEST(a_cut_recording_is_said_to_be_cut),
		TEST(a_recording_without_an_account_has_none_in_json),
		TEST(info_is_valid_json_with_facts_and_containers),
		TEST(ids_are_as_long_as_it_takes_to_tell_them_apart),
		TEST(not_all_of_Python_is_not_rounded_up_to_all),
		TEST(info_says_what_would_name_the_rest),
		TEST(info_does_not_advise_what_was_done),
		TEST(text_is_cut_at_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
