/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/commands/tree_input.h"
#include "profiler/recording/recording_writer.h"

struct world {
	char path[64]; /* an empty file, to be written */
	int standard_input;
	int standard_error;
	int log; /* what was logged */
};

static int set_up(void **state)
{
	static struct world world;
	int fd;

	*state = &world;
	snprintf(world.path, sizeof(world.path), "/tmp/tree_input.XXXXXX");
	fd = mkstemp(world.path);
	world.standard_input = dup(STDIN_FILENO);
	world.standard_error = dup(STDERR_FILENO);
	world.log = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	dup2(world.log, STDERR_FILENO);
	return fd < 0 || close(fd) || world.log < 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	dup2(world->standard_input, STDIN_FILENO);
	dup2(world->standard_error, STDERR_FILENO);
	close(world->standard_input);
	close(world->standard_error);
	close(world->log);
	return unlink(world->path);
}

static void logged(struct world *world, const char *part)
{
	char text[4096] = "";

	assert_true(pread(world->log, text, sizeof(text) - 1, 0) >= 0);
	if (*part ? !strstr(text, part) : *text)
		fail_msg("logged '%s', not '%s'", text, part);
}

static void write_text(struct world *world, const char *text)
{
	FILE *file = fopen(world->path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static string_id string(struct recording_writer *writer, const char *text)
{
	string_id id;

	assert_int_equal(recording_writer_string(writer, text, strlen(text), &id), 0);
	return id;
}

/* Two containers, "web" with 7 counts of main;read and "db" with 3. */
static void write_recording(struct world *world)
{
	struct recording_writer *writer;
	struct recording_process process = {.tgid = 1};
	uint32_t thread, main_frame, read_frame, main_stack, read_stack;

	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(recording_writer_new(world->path, &writer), 0);
	process.comm = string(writer, "app");
	assert_int_equal(recording_writer_process(writer, &process, &thread), 0);
	assert_int_equal(
		recording_writer_thread(
			writer, &(struct recording_thread){.process = thread, .tid = 1, .comm = process.comm}, &thread),
		0);
	assert_int_equal(recording_writer_frame(writer,
						&(struct recording_frame){FRAME_USER, true, string(writer, "main")},
						&main_frame),
			 0);
	assert_int_equal(recording_writer_frame(writer,
						&(struct recording_frame){FRAME_KERNEL, true, string(writer, "read")},
						&read_frame),
			 0);
	assert_int_equal(recording_writer_stack(writer, &(struct recording_stack){RECORDING_STACK_ROOT, main_frame},
						&main_stack),
			 0);
	assert_int_equal(recording_writer_stack(writer, &(struct recording_stack){main_stack, read_frame}, &read_stack),
			 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct recording_container container = {.kind = CONTAINER_CONTAINER, .cgroup_id = i + 1};
		struct recording_sample sample = {.thread = thread, .stack = read_stack, .count = i ? 3 : 7};

		container.name = string(writer, i ? "db" : "web");
		assert_int_equal(recording_writer_container(writer, &container, &sample.container), 0);
		assert_int_equal(recording_writer_sample(writer, &sample), 0);
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);
}

/* The world's file becomes standard input, through a pipe: nothing can be read twice. */
static void pipe_in(struct world *world)
{
	char bytes[65536];
	int ends[2], fd = open(world->path, O_RDONLY);
	ssize_t length = read(fd, bytes, sizeof(bytes));

	assert_true(length > 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes, (size_t)length), length);
	close(ends[1]);
	close(fd);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
}

static uint64_t total(const struct tree_input *input)
{
	return input->tree.nodes.items[0].total;
}

static const struct query_settings nothing_asked = QUERY_SETTINGS_DEFAULT;

static void test_tree_input__folded_stacks_from_a_file_and_from_a_pipe(void **state)
{
	struct tree_input input;

	write_text(*state, "a;b 1\na;c 2\n");
	assert_int_equal(tree_input_load("t", ((struct world *)*state)->path, &nothing_asked, &input), EXIT_OK);
	assert_int_equal(total(&input), 3);
	assert_null(input.profile);
	tree_input_deinit(&input);
	pipe_in(*state);
	assert_int_equal(tree_input_load("t", "-", &nothing_asked, &input), EXIT_OK);
	assert_int_equal(total(&input), 3);
	tree_input_deinit(&input);
	logged(*state, "");
}

static void test_tree_input__a_recording_from_a_file_and_from_a_pipe(void **state)
{
	struct tree_input input;

	write_recording(*state);
	assert_int_equal(tree_input_load("t", ((struct world *)*state)->path, &nothing_asked, &input), EXIT_OK);
	assert_int_equal(total(&input), 10);
	assert_non_null(input.profile);
	assert_string_equal(call_tree_name(&input.tree, input.tree.nodes.items[0].first_child), "db");
	tree_input_deinit(&input);
	pipe_in(*state);
	assert_int_equal(tree_input_load("t", "-", &nothing_asked, &input), EXIT_OK);
	assert_int_equal(total(&input), 10);
	assert_non_null(input.profile);
	tree_input_deinit(&input);
}

static void test_tree_input__a_recording_answers_what_is_asked(void **state)
{
	struct query_settings settings = QUERY_SETTINGS_DEFAULT;
	struct tree_input input;
	const char *path = ((struct world *)*state)->path;

	write_recording(*state);
	*(char **)array_add(&settings.containers.entries) = strdup("web");
	settings.kernel_only = true;
	assert_int_equal(tree_input_load("t", path, &settings, &input), EXIT_OK);
	assert_int_equal(total(&input), 7);
	tree_input_deinit(&input);

	settings.comm = "^nobody$";
	assert_int_equal(tree_input_load("t", path, &settings, &input), EXIT_NO_SAMPLES);
	logged(*state, "no samples in ");

	settings.comm = "a(";
	assert_int_equal(tree_input_load("t", path, &settings, &input), EXIT_USAGE);
	logged(*state, "'a(' is no regular expression");

	settings.comm = NULL;
	settings.user_only = true;
	assert_int_equal(tree_input_load("t", path, &settings, &input), EXIT_USAGE);
	logged(*state, "-K and -U leave nothing");

	settings.user_only = false;
	settings.state = QUERY_D;
	for (settings.kind = PROFILE_ONCPU; settings.kind <= PROFILE_LOCKS; settings.kind++) {
		bool blocked = settings.kind == PROFILE_OFFCPU || settings.kind == PROFILE_WAKERS;

		assert_int_equal(tree_input_load("t", path, &settings, &input), blocked ? EXIT_NO_SAMPLES : EXIT_USAGE);
	}
	logged(*state, "t: --state is of blocked time: give --kind offcpu or --kind wakers with it\n");
	settings.kind = PROFILE_ONCPU;
	settings.state = QUERY_ALL_STATES;
	free(settings.containers.entries.items[0]);
	settings.containers.entries.items[0] = strdup("wbe");
	assert_int_equal(tree_input_load("t", path, &settings, &input), EXIT_FAILED);
	logged(*state, "wbe");
	query_settings_deinit(&settings);
}

static void test_tree_input__what_was_not_recorded_is_said_with_its_option(void **state)
{
	static const struct {
		int kind;
		const char *line;
	} kinds[] = {
		{PROFILE_OFFCPU, "t: no blocked time in this recording: record with --offcpu"},
		{PROFILE_WAKERS, "t: no blocked time in this recording: record with --offcpu"},
		{PROFILE_LOCKS, "t: no lock waits in this recording: record with --locks"},
	};
	struct world *world = *state;
	struct tree_input input;

	write_recording(world);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct query_settings settings = QUERY_SETTINGS_DEFAULT;

		settings.kind = kinds[i].kind;
		assert_int_equal(ftruncate(world->log, 0), 0);
		assert_int_equal(lseek(world->log, 0, SEEK_SET), 0);
		assert_int_equal(tree_input_load("t", world->path, &settings, &input), EXIT_NO_SAMPLES);
		logged(world, kinds[i].line);
	}
}

static void test_tree_input__folded_stacks_are_not_asked_what_they_do_not_tell(void **state)
{
	struct query_settings settings = {.by = PROFILE_BY_POD};
	struct tree_input input;

	write_text(*state, "a;b 1\n");
	assert_int_equal(tree_input_load("t", ((struct world *)*state)->path, &settings, &input), EXIT_USAGE);
	logged(*state, "give a recording");
}

static void test_tree_input__nothing_to_show_is_not_success(void **state)
{
	struct tree_input input;

	assert_int_equal(tree_input_load("t", ((struct world *)*state)->path, &nothing_asked, &input), EXIT_NO_SAMPLES);
	assert_int_equal(tree_input_load("t", "/dev/null", &nothing_asked, &input), EXIT_NO_SAMPLES);
	assert_int_equal(tree_input_load("t", "/nowhere/at all", &nothing_asked, &input), EXIT_FAILED);
	logged(*state, "cannot read /nowhere/at all: No such file or directory");
	assert_int_equal(tree_input_load("t", "/tmp", &nothing_asked, &input), EXIT_FAILED);
	logged(*state, "cannot read /tmp: Is a directory");
	logged(*state, "/dev/null is empty");
}

static void test_tree_input__lines_that_are_no_stacks_are_said(void **state)
{
	struct tree_input input;

	write_text(*state, "a;b 1\nwhat is this\na;c 2\nand this\n");
	assert_int_equal(tree_input_load("t", ((struct world *)*state)->path, &nothing_asked, &input), EXIT_OK);
	assert_int_equal(total(&input), 3);
	tree_input_deinit(&input);
	logged(*state, "2 of 4 lines in ");
	logged(*state, "the first is line 2");
}

static void test_tree_input__garbage_is_an_error_with_a_reason(void **state)
{
	static const char garbage[] = "\x7f"
				      "ELF\0\0\0\0 not a recording at all, not even nearly one, but long enough";
	struct world *world = *state;
	struct tree_input input;
	FILE *file = fopen(world->path, "w");

	assert_non_null(file);
	fwrite(garbage, 1, sizeof(garbage), file);
	fclose(file);
	assert_int_equal(tree_input_load("t", world->path, &nothing_asked, &input), EXIT_FAILED);
	logged(world, "recording");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_tree_input__##name, set_up, tear_down)
		T(folded_stacks_from_a_file_and_from_a_pipe),
		T(a_recording_from_a_file_and_from_a_pipe),
		T(a_recording_answers_what_is_asked),
		T(what_was_not_recorded_is_said_with_its_option),
		T(folded_stacks_are_not_asked_what_they_do_not_tell),
		T(nothing_to_show_is_not_success),
		T(lines_that_are_no_stacks_are_said),
		T(garbage_is_an_error_with_a_reason),
	};

	return cmocka_run_group_tests_name("tree_input", tests, NULL, NULL);
}
