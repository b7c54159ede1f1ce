/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/cgroup_path.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"

#define SEGMENTS_MAX 64
#define ID_LENGTH 64

struct segments {
	char text[4096];
	const char *list[SEGMENTS_MAX];
	size_t ends[SEGMENTS_MAX]; /* in the path */
	size_t count;
};

static void split(const char *path, struct segments *segments)
{
	segments->count = 0;
	snprintf(segments->text, sizeof(segments->text), "%s", path);
	for (char *at = segments->text; *at && segments->count < SEGMENTS_MAX;) {
		size_t length = strcspn(at, "/");

		if (length) {
			segments->ends[segments->count] = (size_t)(at - segments->text) + length;
			segments->list[segments->count++] = at;
		}
		if (!at[length])
			break;
		at[length] = '\0';
		at += length + 1;
	}
}

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), wanted = strlen(suffix);

	return length > wanted && !strcmp(text + length - wanted, suffix);
}

static bool is_hex(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isxdigit((unsigned char)text[i]) || isupper((unsigned char)text[i]))
			return false;
	return true;
}

static void copy(char *out, size_t size, const char *from, size_t length)
{
	snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), from);
}

static const char *parent_of(const struct segments *segments, size_t i)
{
	return i ? segments->list[i - 1] : "";
}

/* pod<uid>, kubepods-burstable-pod<uid>.slice, with a prefix or without; systemd writes '-' as '_'. */
static bool take_pod(const char *segment, struct cgroup_owner *owner)
{
	const char *at = strstr(segment, "pod");

	for (; at; at = strstr(at + 1, "pod")) {
		size_t length = strspn(at + 3, "0123456789abcdef-_");

		if ((at != segment && at[-1] != '-') || length < 8 || !is_hex(at + 3, 8))
			continue;
		if (at[3 + length] && strcmp(at + 3 + length, ".slice") != 0)
			continue;
		copy(owner->pod, sizeof(owner->pod), at + 3, length);
		for (char *c = owner->pod; *c; c++)
			if (*c == '_')
				*c = '-';
		return true;
	}
	return false;
}

static bool set_container(struct cgroup_owner *owner, const char *runtime, const char *id, size_t length)
{
	owner->kind = CONTAINER_CONTAINER;
	owner->runtime = runtime;
	copy(owner->id, sizeof(owner->id), id, length);
	return true;
}

static bool set_overhead(struct cgroup_owner *owner, const char *runtime, const char *segment)
{
	owner->kind = CONTAINER_OVERHEAD;
	owner->runtime = runtime;
	copy(owner->name, sizeof(owner->name), segment, strlen(segment));
	return true;
}

/* "docker-<64 hex>.scope" and its kin. */
static bool take_prefixed(const char *segment, struct cgroup_owner *owner)
{
	static const struct {
		const char *prefix, *runtime;
	} known[] = {
		{"docker-", "docker"}, {"cri-containerd-", "containerd"}, {"crio-", "cri-o"},
		{"libpod-", "podman"}, {"nerdctl-", "containerd"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		const char *id = segment + strlen(known[i].prefix);

		if (!starts(segment, known[i].prefix))
			continue;
		if (starts(id, "conmon-"))
			return set_overhead(owner, known[i].runtime, segment);
		if (strlen(id) >= ID_LENGTH && is_hex(id, ID_LENGTH) &&
		    (!id[ID_LENGTH] || !strcmp(id + ID_LENGTH, ".scope")))
			return set_container(owner, known[i].runtime, id, ID_LENGTH);
	}
	return false;
}

static const char *runtime_of_parent(const char *parent)
{
	if (!strcmp(parent, "docker"))
		return "docker";
	if (starts(parent, "libpod"))
		return "podman";
	if (!strcmp(parent, "garden"))
		return "garden";
	return "";
}

/* Bare ids: 64 hexadecimal digits (cgroupfs drivers), ECS's 32-digits-number, and containerd's v1 "x:cri-containerd:id". */
static bool take_id(const struct segments *segments, size_t i, struct cgroup_owner *owner)
{
	const char *segment = segments->list[i], *parent = parent_of(segments, i), *at;
	size_t length = strlen(segment);

	at = strstr(segment, ":cri-containerd:");
	if (at && strlen(at + 16) == ID_LENGTH && is_hex(at + 16, ID_LENGTH))
		return set_container(owner, "containerd", at + 16, ID_LENGTH);
	/* A pod's: its containers are below, with a prefix. */
	if (!strcmp(parent, "libpod_parent"))
		return false;
	if (length == ID_LENGTH && is_hex(segment, ID_LENGTH)) {
		if (i && !runtime_of_parent(parent)[0] && !take_pod(parent, owner) && !starts(parent, "kubepods") &&
		    strcmp(parent, "actions_job") != 0 && strcmp(parent, "ecs") != 0)
			copy(owner->namespace, sizeof(owner->namespace), parent, strlen(parent));
		for (size_t j = 0; j < i; j++)
			if (!strcmp(segments->list[j], "ecs"))
				return set_container(owner, "ecs", segment, length);
		return set_container(owner, owner->namespace[0] ? "containerd" : runtime_of_parent(parent), segment,
				     length);
	}
	if (length > 33 && is_hex(segment, 32) && segment[32] == '-' &&
	    strspn(segment + 33, "0123456789") == length - 33)
		return set_container(owner, "ecs", segment, length);
	return false;
}

static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
		    isxdigit((unsigned char)text[3])) {
			char digits[3] = {text[2], text[3], '\0'};

			*out++ = (char)strtoul(digits, NULL, 16);
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static bool set_named(struct cgroup_owner *owner, const char *runtime, const char *name, size_t length)
{
	if (!length)
		return false;
	set_container(owner, runtime, name, length);
	copy(owner->name, sizeof(owner->name), name, length);
	unescape(owner->name);
	return true;
}

/* LXC, nspawn, Mesos, Garden, containerd's default namespace: the path says the name. */
static bool take_named(const struct segments *segments, size_t i, struct cgroup_owner *owner)
{
	const char *segment = segments->list[i], *parent = parent_of(segments, i);
	size_t length = strlen(segment);

	if (starts(segment, "lxc.monitor."))
		return set_overhead(owner, "lxc", segment);
	if (starts(segment, "lxc.payload."))
		return set_named(owner, "lxc", segment + 12, length - 12);
	if (!strcmp(parent, "lxc") && i == 1)
		return set_named(owner, "lxc", segment, length);
	if (starts(segment, "machine-") && ends(segment, ".scope") && length > 14) {
		if (i + 1 < segments->count && !strcmp(segments->list[i + 1], "supervisor"))
			return set_overhead(owner, "nspawn", segment);
		return set_named(owner, "nspawn", segment + 8, length - 14);
	}
	if (starts(segment, "systemd-nspawn@") && ends(segment, ".service")) {
		if (i + 1 < segments->count && !strcmp(segments->list[i + 1], "supervisor"))
			return set_overhead(owner, "nspawn", segment);
		return set_named(owner, "nspawn", segment + 15, length - 23);
	}
	if (i == 1 && !strcmp(parent, "mesos"))
		return set_named(owner, "mesos", segment, length);
	if (i == 1 && !strcmp(parent, "garden"))
		return set_named(owner, "garden", segment, length);
	if (i == 1 && (!strcmp(parent, "default") || !strcmp(parent, "k8s.io") || !strcmp(parent, "moby"))) {
		copy(owner->namespace, sizeof(owner->namespace), parent, strlen(parent));
		return set_named(owner, "containerd", segment, length);
	}
	return false;
}

static bool is_unit(const char *segment)
{
	return ends(segment, ".service") || ends(segment, ".scope") || ends(segment, ".socket") ||
	       ends(segment, ".mount") || ends(segment, ".swap");
}

static bool take_overhead(const char *segment, struct cgroup_owner *owner)
{
	if (strstr(segment, "-conmon-") || starts(segment, "conmon-"))
		return set_overhead(owner, strstr(segment, "crio") ? "cri-o" : "podman", segment);
	if (starts(segment, "containerd-shim"))
		return set_overhead(owner, "containerd", segment);
	return false;
}

static bool take_segment(const struct segments *segments, size_t i, struct cgroup_owner *owner)
{
	return take_overhead(segments->list[i], owner) || take_prefixed(segments->list[i], owner) ||
	       take_id(segments, i, owner) || take_named(segments, i, owner);
}

static bool is_below_container(const struct segments *segments, size_t i)
{
	struct cgroup_owner above = {0};

	while (i-- > 0)
		if (take_segment(segments, i, &above) && above.kind == CONTAINER_CONTAINER)
			return true;
	return false;
}

static bool take_container(const struct segments *segments, struct cgroup_owner *owner)
{
	for (size_t i = segments->count; i-- > 0;) {
		struct cgroup_owner taken = *owner;

		if (!take_segment(segments, i, &taken) ||
		    (taken.kind == CONTAINER_OVERHEAD && is_below_container(segments, i)))
			continue;
		*owner = taken;
		owner->length = segments->ends[i];
		if (owner->kind == CONTAINER_OVERHEAD)
			return true;
		/* systemd inside: its innermost unit is a detail of the container. */
		for (size_t j = segments->count; j-- > i + 1 && !owner->unit[0];)
			if (is_unit(segments->list[j]))
				copy(owner->unit, sizeof(owner->unit), segments->list[j], strlen(segments->list[j]));
		for (size_t j = i; j-- > 0 && !owner->pod[0];)
			take_pod(segments->list[j], owner);
		return true;
	}
	return false;
}

/* What is of no container: a unit of the host by its innermost unit, else the host itself. */
static void take_host(const struct segments *segments, struct cgroup_owner *owner)
{
	for (size_t i = segments->count; i-- > 0;) {
		if (!is_unit(segments->list[i]) && strcmp(segments->list[i], "user.slice") != 0 &&
		    strcmp(segments->list[i], "system.slice") != 0)
			continue;
		owner->kind = CONTAINER_HOST_UNIT;
		owner->length = segments->ends[i];
		copy(owner->name, sizeof(owner->name), segments->list[i], strlen(segments->list[i]));
		return;
	}
	owner->kind = CONTAINER_HOST;
	if (segments->count)
		copy(owner->name, sizeof(owner->name), segments->list[segments->count - 1],
		     strlen(segments->list[segments->count - 1]));
	else
		copy(owner->name, sizeof(owner->name), "host", 4);
}

void cgroup_path_classify(const char *path, struct cgroup_owner *ret_owner)
{
	struct segments segments;

	memset(ret_owner, 0, sizeof(*ret_owner));
	ret_owner->runtime = "";
	ret_owner->length = strlen(path);
	split(path, &segments);
	if (take_container(&segments, ret_owner))
		return;
	for (size_t i = segments.count; i-- > 0;) {
		if (!take_pod(segments.list[i], ret_owner))
			continue;
		/* The pod's own cgroup: what runs there is the runtime's, for the pod. */
		set_overhead(ret_owner, "kubernetes", segments.list[i]);
		ret_owner->length = segments.ends[i];
		return;
	}
	take_host(&segments, ret_owner);
}
