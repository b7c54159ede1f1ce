/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/container_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "profiler/containers/runtime_file.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

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
		SET(names->name, runtime_file_text(labels, keys[i].name));
		SET(names->pod, runtime_file_text(labels, keys[i].pod));
		SET(names->namespace, runtime_file_text(labels, keys[i].namespace));
		SET(names->image, runtime_file_text(labels, keys[i].image));
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
	_cleanup_(cleanup_runtime_file) struct json_object *object = NULL;
	struct json_object *config;
	char path[1024];
	const char *name;

	snprintf(path, sizeof(path), "%s%s/containers/%s/config.v2.json", root, data_root, owner->id);
	object = runtime_file_read(path);
	if (!object)
		return -ENOENT;
	name = runtime_file_text(object, "Name");
	config = runtime_file_member(object, "Config");
	SET(names->name, name + (name[0] == '/'));
	SET(names->image, runtime_file_text(config, "Image"));
	if (is_of_kubelet(owner, name))
		take_kubernetes(runtime_file_member(config, "Labels"), names);
	SET(names->runtime, "docker");
	return 0;
}

static int find_docker(const char *root, struct runtime_places *places, const struct cgroup_owner *owner,
		       struct container_names *names)
{
	const char *data_root;

	for (size_t i = 0; (data_root = runtime_places_docker(places, i)); i++)
		if (!take_docker(root, data_root, owner, names))
			return 0;
	return -ENOENT;
}

/* An OCI bundle's config.json: containerd's tasks, and the userdata of podman and CRI-O. */
static int take_bundle(const char *path, const char *runtime, struct container_names *names)
{
	_cleanup_(cleanup_runtime_file) struct json_object *object = runtime_file_read(path);
	struct json_object *annotations;

	if (!object)
		return -ENOENT;
	annotations = runtime_file_member(object, "annotations");
	take_kubernetes(annotations, names);
	SET(names->name, runtime_file_text(annotations, "io.podman.annotations.name"));
	SET(names->name, runtime_file_text(annotations, "nerdctl/name"));
	SET(names->image, runtime_file_text(annotations, "io.kubernetes.cri-o.ImageName"));
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

static int find_podman(const char *root, struct runtime_places *places, const char *id, struct container_names *names)
{
	char path[1024];
	const char *name, *storage;
	bool found = false;

	for (size_t i = 0; (storage = runtime_places_storage(i)); i++) {
		snprintf(path, sizeof(path), "%s%s/%s/userdata/config.json", root, storage, id);
		found |= !take_bundle(path, "", names);
	}
	name = runtime_places_podman(places, id);
	if (!name)
		return found ? 0 : -ENOENT;
	SET(names->name, name);
	return 0;
}

static const struct {
	const char *place, *file, *runtime;
} known[] = {{"/run/runc", "state.json", "runc"}, {"/run/crun", "status", "crun"}};

bool container_names_hidden(const char *root)
{
	char path[1024];

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		snprintf(path, sizeof(path), "%s%s", root, known[i].place);
		if (access(path, X_OK) && errno == EACCES)
			return true;
	}
	return false;
}

/* runc's and crun's state says that a plain directory is a container: its id is the name that people gave it. */
static int find_runc(const char *root, const char *id, struct container_names *names)
{
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

static int find_container(const char *root, struct runtime_places *places, const struct cgroup_owner *owner,
			  struct container_names *names)
{
	int err = -ENOENT;

	if (!strcmp(owner->runtime, "docker"))
		err = find_docker(root, places, owner, names);
	if (err)
		err = find_containerd(root, owner->id, names);
	if (err)
		err = find_podman(root, places, owner->id, names);
	if (err)
		err = find_runc(root, owner->id, names);
	/* Last of all: where Docker keeps its data is asked of a daemon, which may not be there. */
	if (err && !owner->runtime[0])
		err = find_docker(root, places, owner, names);
	return err;
}

int container_names_find(const char *root, struct runtime_places *places, const struct cgroup_owner *owner,
			 struct container_names *ret_names)
{
	struct container_names names = {0};
	int err = -ENOENT;

	if (owner->kind == CONTAINER_HOST) {
		if (owner->name[0] && strcmp(owner->name, ".") != 0 && strcmp(owner->name, "..") != 0)
			err = find_runc(root, owner->name, &names);
	} else if (owner->kind == CONTAINER_CONTAINER && owner->id[0] && !strchr(owner->id, '/')) {
		err = find_container(root, places, owner, &names);
	}
	if (!err)
		*ret_names = names;
	return err;
}
