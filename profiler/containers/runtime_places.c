/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/runtime_places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "profiler/containers/runtime_file.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"

#define PROCESSES_MAX 65536
#define DOCKER_AGAIN_NS 5000000000ull

/* Where they are by default. */
static const char docker_default[] = "/var/lib/docker";
static const char *const storages[] = {"/var/lib/containers/storage/overlay-containers",
				       "/run/containers/storage/overlay-containers"};
static const char *const list_files[] = {"containers.json", "volatile-containers.json"};

struct podman_list {
	struct stat status;	   /* of the file when it was read; zeroes where there is none */
	struct json_object *names; /* by id; NULL where there are none */
};

struct runtime_places {
	char root[512];
	char docker[2][512]; /* of its settings and of the daemon; "" where they do not say */
	uint64_t docker_ns;  /* when they were asked; 0: never */
	struct podman_list lists[ARRAY_LENGTH(storages) * ARRAY_LENGTH(list_files)];
};

int runtime_places_new(const char *root, struct runtime_places **ret_places)
{
	struct runtime_places *places = calloc(1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	snprintf(places->root, sizeof(places->root), "%s", root);
	*ret_places = places;
	return 0;
}

void runtime_places_free(struct runtime_places *places)
{
	if (!places)
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(places->lists); i++)
		json_object_put(places->lists[i].names);
	free(places);
}

/* "--data-root D", "--data-root=D" (or -g, --graph) of a NUL-separated command line. */
static bool data_root_of(const char *text, size_t length, char *out, size_t size)
{
	const char *end = text + length;

	for (const char *at = text; at < end; at += strnlen(at, (size_t)(end - at)) + 1) {
		const char *next = at + strnlen(at, (size_t)(end - at)) + 1;

		if (!strncmp(at, "--data-root=", 12)) {
			snprintf(out, size, "%s", at + 12);
			return true;
		}
		if (!strcmp(at, "--data-root") && next < end) {
			snprintf(out, size, "%s", next);
			return true;
		}
	}
	return false;
}

/* Whoever asks for the arguments of a process in a container may wait for it for ever. */
static bool is_of_host(const char *root, const char *pid)
{
	char path[800], own[64] = "", of[64] = "";

	snprintf(path, sizeof(path), "%s/proc/%s/ns/pid", root, pid);
	if (readlink(path, of, sizeof(of) - 1) < 0)
		return root[0];
	return readlink("/proc/self/ns/pid", own, sizeof(own) - 1) > 0 && !strcmp(own, of);
}

/* Reads the start of /proc/PID/WHAT; false where there is nothing. */
static bool read_of_process(const char *root, const char *pid, const char *what, char *out, size_t size,
			    size_t *ret_length)
{
	_cleanup_close_ int fd = -1;
	char path[800];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/proc/%s/%s", root, pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, out, size - 1);
	if (got <= 0)
		return false;
	out[got] = '\0';
	*ret_length = (size_t)got;
	return true;
}

static bool docker_of_process(const char *root, const char *pid, char *out, size_t size)
{
	char text[4096];
	size_t length;

	return read_of_process(root, pid, "comm", text, sizeof(text), &length) && !strcmp(text, "dockerd\n") &&
	       is_of_host(root, pid) && read_of_process(root, pid, "cmdline", text, sizeof(text), &length) &&
	       data_root_of(text, length, out, size);
}

static void ask_daemon(const char *root, char *out, size_t size)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[800];
	int looked_at = 0;

	snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && looked_at++ < PROCESSES_MAX)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    docker_of_process(root, entry->d_name, out, size))
			return;
}

static void look_for_docker(struct runtime_places *places)
{
	_cleanup_(cleanup_runtime_file) struct json_object *settings = NULL;
	uint64_t now = clock_now_ns();
	char path[800];

	if (places->docker_ns && now - places->docker_ns < DOCKER_AGAIN_NS)
		return;
	places->docker_ns = now;
	memset(places->docker, 0, sizeof(places->docker));
	snprintf(path, sizeof(path), "%s/etc/docker/daemon.json", places->root);
	settings = runtime_file_read(path);
	snprintf(places->docker[0], sizeof(places->docker[0]), "%s", runtime_file_text(settings, "data-root"));
	ask_daemon(places->root, places->docker[1], sizeof(places->docker[1]));
}

const char *runtime_places_docker(struct runtime_places *places, size_t i)
{
	if (!i)
		return docker_default;
	look_for_docker(places);
	for (size_t j = 0; j < ARRAY_LENGTH(places->docker); j++)
		if (places->docker[j][0] && !--i)
			return places->docker[j];
	return NULL;
}

const char *runtime_places_storage(size_t i)
{
	return i < ARRAY_LENGTH(storages) ? storages[i] : NULL;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Of each container of a list its first name, by id. */
static struct json_object *names_of(struct json_object *list)
{
	struct json_object *names =
		list && json_object_is_type(list, json_type_array) ? json_object_new_object() : NULL;

	for (size_t i = 0; names && i < json_object_array_length(list); i++) {
		struct json_object *container = json_object_array_get_idx(list, i);
		struct json_object *all = runtime_file_member(container, "names"), *first = NULL;
		const char *id = runtime_file_text(container, "id");

		if (all && json_object_is_type(all, json_type_array) && json_object_array_length(all))
			first = json_object_array_get_idx(all, 0);
		if (id[0] && !json_object_object_get_ex(names, id, NULL) &&
		    json_object_object_add(names, id, json_object_get(first)))
			json_object_put(first);
	}
	return names;
}

static void read_list(struct podman_list *list, const char *path)
{
	_cleanup_(cleanup_runtime_file) struct json_object *all = NULL;
	struct stat status = {0};

	/* Before it is read: what is written meanwhile is read the next time. */
	if (stat(path, &status))
		memset(&status, 0, sizeof(status));
	if (is_same_file(&status, &list->status))
		return;
	all = status.st_ino ? runtime_file_read(path) : NULL;
	json_object_put(list->names);
	list->names = names_of(all);
	list->status = status;
}

const char *runtime_places_podman(struct runtime_places *places, const char *id)
{
	const char *found = NULL, *text;
	char path[800];

	for (size_t i = 0; i < ARRAY_LENGTH(places->lists); i++) {
		struct podman_list *list = &places->lists[i];
		struct json_object *name;

		snprintf(path, sizeof(path), "%s%s/%s", places->root, storages[i / ARRAY_LENGTH(list_files)],
			 list_files[i % ARRAY_LENGTH(list_files)]);
		read_list(list, path);
		if (!list->names || !json_object_object_get_ex(list->names, id, &name))
			continue;
		text = name ? json_object_get_string(name) : NULL;
		if (!found || (text && text[0]))
			found = text ? text : "";
	}
	return found;
}
