/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/container_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define FILE_BYTES_MAX (4u << 20)
#define JSON_DEPTH_MAX 32
#define PROCESSES_MAX 65536

static void cleanup_json(struct json_object **object)
{
	json_object_put(*object);
}

static void cleanup_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static int read_file(const char *path, char **ret_text, size_t *ret_length)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat status;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status))
		return -ENOENT;
	if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > FILE_BYTES_MAX)
		return -EINVAL;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	got = pread(fd, text, (size_t)status.st_size, 0);
	if (got <= 0)
		return -EIO;
	text[got] = '\0';
	*ret_text = take_ptr(text);
	*ret_length = (size_t)got;
	return 0;
}

/* The first JSON value of a file; what follows it (some runc versions leave a tail) is not looked at. */
static struct json_object *read_json(const char *path)
{
	_cleanup_(cleanup_tokener) struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	_cleanup_free_ char *text = NULL;
	size_t length;

	if (!tokener || read_file(path, &text, &length))
		return NULL;
	return json_tokener_parse_ex(tokener, text, (int)length);
}

static const char *text_at(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!object || !json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static struct json_object *object_at(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!object || !json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value))
		return NULL;
	return value;
}

static void set(char *out, size_t size, const char *text)
{
	if (text[0])
		snprintf(out, size, "%.*s", (int)size - 1, text);
}

#define SET(field, text) set(field, sizeof(field), text)

static void take_kubernetes(struct json_object *labels, struct container_names *names)
{
	static const struct {
		const char *name, *pod, *namespace, *image;
	} keys[] = {
		{"io.kubernetes.container.name", "io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
		 "io.kubernetes.image.name"},
		{"io.kubernetes.cri.container-name", "io.kubernetes.cri.sandbox-name",
		 "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.image-name"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		SET(names->name, text_at(labels, keys[i].name));
		SET(names->pod, text_at(labels, keys[i].pod));
		SET(names->namespace, text_at(labels, keys[i].namespace));
		SET(names->image, text_at(labels, keys[i].image));
	}
}

/* An image brings labels of its own, and may call itself what it likes: the kubelet's containers are told by more than that. */
static bool is_of_kubelet(const struct cgroup_owner *owner, const char *docker_name)
{
	return owner->pod[0] || !strncmp(docker_name, "/k8s_", 5);
}

static int take_docker(const char *root, const char *data_root, const struct cgroup_owner *owner,
		       struct container_names *names)
{
	_cleanup_(cleanup_json) struct json_object *object = NULL;
	struct json_object *config;
	char path[1024];
	const char *name;

	snprintf(path, sizeof(path), "%s%s/containers/%s/config.v2.json", root, data_root, owner->id);
	object = read_json(path);
	if (!object)
		return -ENOENT;
	name = text_at(object, "Name");
	config = object_at(object, "Config");
	SET(names->name, name + (name[0] == '/'));
	SET(names->image, text_at(config, "Image"));
	if (is_of_kubelet(owner, name))
		take_kubernetes(object_at(config, "Labels"), names);
	SET(names->runtime, "docker");
	return 0;
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
	char path[512], own[64] = "", of[64] = "";

	snprintf(path, sizeof(path), "%s/proc/%s/ns/pid", root, pid);
	if (readlink(path, of, sizeof(of) - 1) < 0)
		return root[0];
	return readlink("/proc/self/ns/pid", own, sizeof(own) - 1) > 0 && !strcmp(own, of);
}

static int docker_of_process(const char *root, const char *pid, const struct cgroup_owner *owner,
			     struct container_names *names)
{
	_cleanup_close_ int fd = -1;
	char path[512], text[4096], data_root[512];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/proc/%s/comm", root, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (got <= 0 || strncmp(text, "dockerd\n", 8) != 0 || !is_of_host(root, pid))
		return -ENOENT;
	close(take_fd(&fd));
	snprintf(path, sizeof(path), "%s/proc/%s/cmdline", root, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return -ENOENT;
	text[got] = '\0';
	return data_root_of(text, (size_t)got, data_root, sizeof(data_root))
		       ? take_docker(root, data_root, owner, names)
		       : -ENOENT;
}

static int docker_of_running(const char *root, const struct cgroup_owner *owner, struct container_names *names)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[512];
	int looked_at = 0;

	snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && looked_at++ < PROCESSES_MAX)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    !docker_of_process(root, entry->d_name, owner, names))
			return 0;
	return -ENOENT;
}

static int find_docker(const char *root, const struct cgroup_owner *owner, struct container_names *names)
{
	_cleanup_(cleanup_json) struct json_object *daemon = NULL;
	char path[512];

	if (!take_docker(root, "/var/lib/docker", owner, names))
		return 0;
	snprintf(path, sizeof(path), "%s/etc/docker/daemon.json", root);
	daemon = read_json(path);
	if (text_at(daemon, "data-root")[0] && !take_docker(root, text_at(daemon, "data-root"), owner, names))
		return 0;
	return docker_of_running(root, owner, names);
}

/* An OCI bundle's config.json: containerd's tasks, and the userdata of podman and CRI-O. */
static int take_bundle(const char *path, const char *runtime, struct container_names *names)
{
	_cleanup_(cleanup_json) struct json_object *object = read_json(path);
	struct json_object *annotations;

	if (!object)
		return -ENOENT;
	annotations = object_at(object, "annotations");
	take_kubernetes(annotations, names);
	SET(names->name, text_at(annotations, "io.podman.annotations.name"));
	SET(names->name, text_at(annotations, "nerdctl/name"));
	SET(names->image, text_at(annotations, "io.kubernetes.cri-o.ImageName"));
	SET(names->runtime, runtime);
	return 0;
}

static int find_containerd(const char *root, const char *id, struct container_names *names)
{
	static const char *const places[] = {"/run/containerd", "/run/k3s/containerd"};
	char base[512], path[1024];

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		_cleanup_closedir_ DIR *dir = NULL;
		struct dirent *entry;

		snprintf(base, sizeof(base), "%s%s/io.containerd.runtime.v2.task", root, places[i]);
		dir = opendir(base);
		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s/%s/config.json", base, entry->d_name, id);
			/* Docker's own containerd keeps its bundles here too, and names nothing in them. */
			if (strcmp(entry->d_name, "moby") != 0 && !take_bundle(path, "containerd", names)) {
				if (!names->namespace[0])
					SET(names->namespace, entry->d_name);
				return 0;
			}
		}
	}
	return -ENOENT;
}

static int take_storage(const char *path, const char *id, struct container_names *names)
{
	_cleanup_(cleanup_json) struct json_object *list = read_json(path);

	if (!list || !json_object_is_type(list, json_type_array))
		return -ENOENT;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *container = json_object_array_get_idx(list, i);
		struct json_object *all = object_at(container, "names");

		if (strcmp(text_at(container, "id"), id) != 0)
			continue;
		if (all && json_object_is_type(all, json_type_array) && json_object_array_length(all))
			SET(names->name, json_object_get_string(json_object_array_get_idx(all, 0)));
		return 0;
	}
	return -ENOENT;
}

static int find_podman(const char *root, const char *id, struct container_names *names)
{
	static const char *const places[] = {"/var/lib/containers/storage", "/run/containers/storage"};
	static const char *const files[] = {"containers.json", "volatile-containers.json"};
	char path[1024];
	bool found = false;

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		snprintf(path, sizeof(path), "%s%s/overlay-containers/%s/userdata/config.json", root, places[i], id);
		found |= !take_bundle(path, "", names);
		for (size_t j = 0; j < ARRAY_LENGTH(files); j++) {
			snprintf(path, sizeof(path), "%s%s/overlay-containers/%s", root, places[i], files[j]);
			found |= !take_storage(path, id, names);
		}
	}
	return found ? 0 : -ENOENT;
}

/* runc's and crun's state says that a plain directory is a container: its id is the name that people gave it. */
static int find_runc(const char *root, const char *id, struct container_names *names)
{
	static const struct {
		const char *place, *file, *runtime;
	} known[] = {{"/run/runc", "state.json", "runc"}, {"/run/crun", "status", "crun"}};
	struct stat status;
	char path[1024];

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		snprintf(path, sizeof(path), "%s%s/%s/%s", root, known[i].place, id, known[i].file);
		if (lstat(path, &status) || !S_ISREG(status.st_mode))
			continue;
		SET(names->runtime, known[i].runtime);
		SET(names->name, id);
		return 0;
	}
	return -ENOENT;
}

int container_names_find(const char *root, const struct cgroup_owner *owner, struct container_names *ret_names)
{
	struct container_names names = {0};
	int err = -ENOENT;

	if (owner->kind == CONTAINER_HOST) {
		if (owner->name[0] && strcmp(owner->name, ".") != 0 && strcmp(owner->name, "..") != 0)
			err = find_runc(root, owner->name, &names);
	} else if (owner->kind == CONTAINER_CONTAINER && owner->id[0] && !strchr(owner->id, '/')) {
		/* Looking for a daemon's data root walks /proc: only where it may be Docker's. */
		if (!owner->runtime[0] || !strcmp(owner->runtime, "docker"))
			err = find_docker(root, owner, &names);
		if (err)
			err = find_containerd(root, owner->id, &names);
		if (err)
			err = find_podman(root, owner->id, &names);
		if (err)
			err = find_runc(root, owner->id, &names);
	}
	if (!err)
		*ret_names = names;
	return err;
}
