/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/base/array.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/process_files.h"
#include "tests/unit/elf_files.h"

static const unsigned char build_id[] = {0xab, 0xcd, 0xef, 0x01};

/* Two folders that stand for the roots of the host and of a container. */
struct roots {
	char folder[64];
	int host, inside;
};

static int set_up(void **state)
{
	struct roots *roots = calloc(1, sizeof(*roots));

	snprintf(roots->folder, sizeof(roots->folder), "/tmp/debug_files.XXXXXX");
	*state = roots;
	if (!mkdtemp(roots->folder))
		return -1;
	run("mkdir %s/host %s/inside", roots->folder, roots->folder);
	roots->host = roots->inside = -1;
	return 0;
}

static int tear_down(void **state)
{
	struct roots *roots = *state;

	close(roots->host);
	close(roots->inside);
	run("rm -rf '%s'", roots->folder);
	free(roots);
	return 0;
}

/* A file whose text is its own path below the two roots. */
static void make(const struct roots *roots, const char *path)
{
	run("cd %s && mkdir -p \"$(dirname %s)\" && echo %s >%s", roots->folder, path, path, path);
}

static struct debug_files search_for(struct roots *roots, const char *link, const char *path)
{
	char folder[128];

	snprintf(folder, sizeof(folder), "%s/host", roots->folder);
	roots->host = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(folder, sizeof(folder), "%s/inside", roots->folder);
	roots->inside = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(roots->host >= 0 && roots->inside >= 0);
	return (struct debug_files){
		.host_root = roots->host,
		.inside_root = roots->inside,
		.build_id = build_id,
		.build_id_bytes = sizeof(build_id),
		.link = link,
		.path = path,
	};
}

static void expect_next(struct debug_files *search, const char *text)
{
	char expected[PATH_MAX + 16], got[256] = "";
	struct debug_file file;
	ssize_t length;
	int fd;

	assert_int_equal(debug_files_next(search, &file), 0);
	fd = process_files_reopen(file.fd);
	length = pread(fd, got, sizeof(got) - 1, 0);
	close(fd);
	assert_true(length > 0);
	got[length - 1] = '\0';
	close(file.fd);
	assert_string_equal(got, text);
	assert_int_equal(file.status.st_size, length);
	snprintf(expected, sizeof(expected), "%s%s", file.inside ? "inside" : "host", file.path);
	assert_string_equal(got, expected);
}

static void expect_end(struct debug_files *search)
{
	struct debug_file file;

	assert_int_equal(debug_files_next(search, &file), -ENOENT);
	assert_int_equal(debug_files_next(search, &file), -ENOENT);
}

static void test_debug_files__places_are_tried_in_order_the_host_first(void **state)
{
	static const char *const all[] = {
		"host/usr/lib/debug/.build-id/ab/cdef01.debug",
		"host/usr/lib/debug/usr/bin/prog.debug",
		"host/usr/lib/debug/bin/prog.debug",
		"inside/usr/lib/debug/.build-id/ab/cdef01.debug",
		"inside/usr/lib/debug/usr/bin/prog.debug",
		"inside/usr/lib/debug/bin/prog.debug",
		"inside/usr/bin/prog.debug",
		"inside/usr/bin/.debug/prog.debug",
	};
	struct debug_files search;

	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		make(*state, all[i]);
	make(*state, "host/usr/bin/prog.debug");
	make(*state, "host/usr/bin/.debug/prog.debug");
	search = search_for(*state, "prog.debug", "/usr/bin/prog");
	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		expect_next(&search, all[i]);
	expect_end(&search);
}

static void test_debug_files__without_a_process_the_file_is_the_hosts(void **state)
{
	struct debug_files search;

	make(*state, "host/opt/.debug/prog");
	make(*state, "host/opt/prog");
	make(*state, "inside/opt/.debug/prog");
	search = search_for(*state, "prog", "/opt/prog");
	search.inside_root = -1;
	/* Not /opt/prog: that is the program. */
	expect_next(&search, "host/opt/.debug/prog");
	expect_end(&search);
}

static void test_debug_files__what_is_not_known_is_not_looked_for(void **state)
{
	struct debug_files search;

	make(*state, "host/usr/lib/debug/.build-id/ab/cdef01.debug");
	make(*state, "inside/usr/bin/prog.debug");
	search = search_for(*state, "", "");
	expect_next(&search, "host/usr/lib/debug/.build-id/ab/cdef01.debug");
	expect_end(&search);
	search = (struct debug_files){search.host_root, search.inside_root,	  false, NULL, 0,
				      "prog.debug",	"/usr/bin/prog (deleted)"};
	expect_next(&search, "inside/usr/bin/prog.debug");
	expect_end(&search);
	search = (struct debug_files){search.host_root, search.inside_root, false, NULL, 0, "prog.debug", "[vdso]"};
	expect_end(&search);
	search = (struct debug_files){-1, -1, false, build_id, sizeof(build_id), "prog.debug", "/usr/bin/prog"};
	expect_end(&search);
}

static void test_debug_files__a_strangers_names_lead_to_nothing_else_on_the_host(void **state)
{
	static const char *const links[] = {"../../../etc/shadow", "/etc/shadow", "..", ".", "shadow"};
	static const char *const paths[] = {"/usr/bin/prog",	       "/../../../etc/prog", "/usr/../../etc/prog",
					    "/x/../../../../etc/prog", "relative/prog",	     "prog"};
	struct debug_files search;

	make(*state, "host/etc/shadow");
	make(*state, "host/usr/lib/debug/x");
	make(*state, "host/usr/lib/shadow");
	search = search_for(*state, "", "");
	for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(paths); j++) {
			search.link = links[i];
			search.path = paths[j];
			search.alternate = false;
			search.next = 0;
			expect_end(&search);
			search.alternate = true;
			search.next = 0;
			expect_end(&search);
		}
	}
}

static void test_debug_files__links_inside_stay_inside(void **state)
{
	struct roots *roots = *state;
	struct debug_files search;

	make(roots, "host/etc/shadow");
	run("mkdir -p %s/inside/app %s/inside/etc && ln -s /etc/shadow %s/inside/app/prog.debug", roots->folder,
	    roots->folder, roots->folder);
	search = search_for(roots, "prog.debug", "/app/prog");
	expect_end(&search);
	run("echo inside/app/prog.debug >%s/inside/etc/shadow", roots->folder);
	search.next = 0;
	expect_next(&search, "inside/app/prog.debug");
	expect_end(&search);
}

static void test_debug_files__only_regular_files_are_opened(void **state)
{
	struct roots *roots = *state;
	struct debug_files search;

	run("cd %s/inside && mkdir -p app/.debug/prog.debug usr/lib/debug/app && mkfifo app/prog.debug && "
	    "ln -s /dev/zero usr/lib/debug/app/prog.debug",
	    roots->folder);
	search = search_for(roots, "prog.debug", "/app/prog");
	expect_end(&search);
}

static void test_debug_files__alternate_files_are_found_by_build_id_and_by_their_path(void **state)
{
	static const char *const all[] = {
		"host/usr/lib/debug/.build-id/ab/cdef01.debug",
		"host/usr/lib/debug/.dwz/x86_64-linux-gnu/prog.debug",
		"inside/usr/lib/debug/.build-id/ab/cdef01.debug",
		"inside/usr/lib/debug/.dwz/x86_64-linux-gnu/prog.debug",
	};
	struct debug_files search;

	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		make(*state, all[i]);
	search = search_for(*state, "/usr/lib/debug/.dwz/x86_64-linux-gnu/prog.debug", "");
	search.alternate = true;
	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		expect_next(&search, all[i]);
	expect_end(&search);

	search.next = 0;
	search.link = "../../.dwz/x86_64-linux-gnu/prog.debug";
	search.path = "/usr/lib/debug/.build-id/12/345678.debug";
	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		expect_next(&search, all[i]);
	expect_end(&search);
}

static void test_debug_files__text_leads_to_debug_files_and_to_the_own_folder_of_a_file_of_the_host(void **state)
{
	static const char *const links[] = {"/etc/secret", "../etc/secret", "/app/sub/secret", "/secret"};
	struct debug_files search;

	make(*state, "host/etc/secret");
	make(*state, "host/app/sub/secret");
	make(*state, "host/secret");
	make(*state, "host/app/common.dwz");
	for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
		/* A file of the host; one of a container that is gone, or that several map. */
		for (int j = 0; j < 2; j++) {
			search = search_for(*state, links[i], j ? "" : "/app/prog");
			search.inside_root = -1;
			search.alternate = true;
			expect_end(&search);
		}
	}
	search = search_for(*state, "common.dwz", "/app/prog");
	search.inside_root = -1;
	search.alternate = true;
	expect_next(&search, "host/app/common.dwz");
	expect_end(&search);
}

static void test_debug_files__names_that_are_too_long_end_nothing_but_their_place(void **state)
{
	static char longest[PATH_MAX + 16];
	struct debug_files search;

	make(*state, "inside/usr/lib/debug/.build-id/ab/cdef01.debug");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	search = search_for(*state, "prog.debug", longest);
	expect_next(&search, "inside/usr/lib/debug/.build-id/ab/cdef01.debug");
	expect_end(&search);
	longest[PATH_MAX - 4] = '/';
	search.next = 0;
	search.build_id_bytes = 200;
	expect_end(&search);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_debug_files__places_are_tried_in_order_the_host_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_debug_files__without_a_process_the_file_is_the_hosts, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_debug_files__what_is_not_known_is_not_looked_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_debug_files__a_strangers_names_lead_to_nothing_else_on_the_host,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_debug_files__links_inside_stay_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_debug_files__only_regular_files_are_opened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_debug_files__text_leads_to_debug_files_and_to_the_own_folder_of_a_file_of_the_host, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_debug_files__alternate_files_are_found_by_build_id_and_by_their_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_debug_files__names_that_are_too_long_end_nothing_but_their_place,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
