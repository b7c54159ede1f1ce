/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/inotify.h>

#include "profiler/containers/container.h"
#include "tests/unit/fake_root.h"

#define DAEMON "/proc/77"
#define STORAGE "/var/lib/containers/storage/overlay-containers"
#define LISTED "/machine.slice/libpod-%064u.scope"

/* What is opened in a folder, or itself, from now on. */
static int watch(const char *root, const char *folder)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[512];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "%s%s", root, folder);
	assert_true(inotify_add_watch(fd, path, IN_OPEN) >= 0);
	return fd;
}

/* Describes two hundred containers, as often as the cgroups of a busy host are; of how many was something opened? */
static unsigned int describe_many(struct container_resolver *resolver, const char *pattern, int watched)
{
	struct container_info info;
	char path[256], events[4096];
	unsigned int opened = 0;

	for (unsigned int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), pattern, i);
		if (i % 50 == 0)
			container_resolver_refresh(resolver);
		assert_int_equal(container_resolver_describe(resolver, path, &info), 0);
		opened += read(watched, events, sizeof(events)) > 0;
	}
	return opened;
}

static void expect_name(struct container_resolver *resolver, const char *pattern, unsigned int number, const char *name)
{
	struct container_info info;
	char path[256];

	snprintf(path, sizeof(path), pattern, number);
	container_resolver_refresh(resolver);
	assert_int_equal(container_resolver_describe(resolver, path, &info), 0);
	assert_string_equal(info.name, name);
}

static void test_runtime_places__a_daemon_is_looked_for_once_for_all_containers(void **state)
{
	static const char *const patterns[] = {"/system.slice/docker-%064u.scope",
					       "/kubepods/burstable/pod1a2b3c4d-1111-2222-3333-444455556666/%064u"};
	static const char *const programs[] = {"sleep\n", "dockerd\n"};

	for (size_t i = 0; i < 4; i++) {
		struct container_resolver *resolver;
		int watched;

		write_file(*state, DAEMON "/comm", programs[i / 2]);
		assert_int_equal(container_resolver_new(*state, &resolver), 0);
		watched = watch(*state, DAEMON);
		assert_int_equal(describe_many(resolver, patterns[i % 2], watched), 1);
		close(watched);
		container_resolver_free(resolver);
	}
}

static void test_runtime_places__docker_is_where_its_settings_or_its_daemon_say(void **state)
{
	static const char *const folders[] = {"/var/lib/docker", "/srv/settings", "/srv/daemon"};
	struct container_resolver *resolver;
	char path[256];

	write_file(*state, "/etc/docker/daemon.json", "{\"data-root\":\"/srv/settings\"}");
	write_file(*state, DAEMON "/comm", "dockerd\n");
	write_file(*state, DAEMON "/cmdline", "--data-root=/srv/daemon");
	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/containers/%064u/config.v2.json", folders[i], i);
		write_file(*state, path, "{\"Name\":\"/web\"}");
	}
	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	for (unsigned int i = 0; i < 3; i++) {
		expect_name(resolver, "/docker/%064u", i, "web");
		expect_name(resolver, "/kubepods/pod1a2b3c4d-1111/%064u", i, "web");
	}
	expect_name(resolver, "/docker/%064u", 3, "000000000000");
	container_resolver_free(resolver);
}

static void test_runtime_places__podmans_lists_are_read_once_and_when_they_change(void **state)
{
	struct container_resolver *resolver;
	char text[256];
	int watched;

	snprintf(text, sizeof(text), "[{\"id\":\"%064u\",\"names\":[\"web\"]},{\"id\":\"b\",\"names\":[null]}]", 7);
	write_file(*state, STORAGE "/containers.json", text);
	assert_int_equal(container_resolver_new(*state, &resolver), 0);
	watched = watch(*state, STORAGE);
	assert_int_equal(describe_many(resolver, LISTED, watched), 1);
	expect_name(resolver, LISTED, 7, "web");
	expect_name(resolver, LISTED, 8, "000000000000");
	snprintf(text, sizeof(text), "[{\"id\":\"%064u\",\"names\":[]},{\"id\":\"%064u\",\"names\":[\"shop\"]}]", 7, 8);
	write_file(*state, STORAGE "/volatile-containers.json", text);
	expect_name(resolver, LISTED, 7, "web");
	expect_name(resolver, LISTED, 8, "shop");
	close(watched);
	container_resolver_free(resolver);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_runtime_places__##name, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_daemon_is_looked_for_once_for_all_containers),
		TEST(docker_is_where_its_settings_or_its_daemon_say),
		TEST(podmans_lists_are_read_once_and_when_they_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
