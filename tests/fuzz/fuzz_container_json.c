/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_container_json: hostile text where the runtimes keep names. One file stands in every place that is looked at,
 * below a root of its own; each runtime then finds it there.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/containers/container_names.h"
#include "symbolizer/base/array.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Those that a place of another runtime hides are looked at by an id or a name of their own. */
static const struct {
	const char *path;
	struct cgroup_owner owner;
} places[] = {
	{"/var/lib/docker/containers/" ID "/config.v2.json", {CONTAINER_CONTAINER, "docker", ID}},
	{"/etc/docker/daemon.json", {CONTAINER_CONTAINER, "docker", "absent"}},
	{"/run/containerd/io.containerd.runtime.v2.task/default/" ID "/config.json",
	 {CONTAINER_CONTAINER, "containerd", ID}},
	{"/var/lib/containers/storage/overlay-containers/pod/userdata/config.json",
	 {CONTAINER_CONTAINER, "podman", "pod"}},
	{"/run/containers/storage/overlay-containers/volatile-containers.json", {CONTAINER_CONTAINER, "podman", "a"}},
	{"/run/runc/web/state.json", {CONTAINER_HOST, "", "", "web"}},
};

static char root[] = "/tmp/stoker-fuzz-XXXXXX";

static void remove_root(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	if (system(command))
		fprintf(stderr, "%s is left\n", root);
}

/* All names are links to one file, which is written once for each input. */
static void make_root(void)
{
	char first[256], path[256], *slash;

	if (!mkdtemp(root))
		abort();
	atexit(remove_root);
	snprintf(first, sizeof(first), "%s/input", root);
	close(open(first, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		snprintf(path, sizeof(path), "%s%s", root, places[i].path);
		for (slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
			*slash = '\0';
			mkdir(path, 0700);
			*slash = '/';
		}
		if (link(first, path))
			abort();
	}
}

static void write_input(const uint8_t *data, size_t size)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/input", root);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

#define IS_TEXT(field) is_text(field, sizeof(field))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;

	if (!made)
		make_root();
	made = true;
	write_input(data, size);
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		struct runtime_places *of_input;
		struct container_names names;
		int err;

		/* Anew: two inputs may be written in one tick of the file system's clock. */
		if (runtime_places_new(root, &of_input))
			abort();
		memset(&names, 'x', sizeof(names));
		err = container_names_find(root, of_input, &places[i].owner, &names);
		runtime_places_free(of_input);
		if (err)
			continue;
		if (!IS_TEXT(names.runtime) || !IS_TEXT(names.name) || !IS_TEXT(names.image) || !IS_TEXT(names.pod) ||
		    !IS_TEXT(names.namespace))
			abort();
	}
	return 0;
}
