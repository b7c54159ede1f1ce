/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/containers/cgroup_path.h"
#include "profiler/containers/container_names.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define ID_PREFIX_MIN 3
#define SHORT_ID 12
#define DEPTH_MAX 64 /* as deep as cgroup_path looks */

struct described {
	string_id path;
	struct container_info info;
};

struct container_resolver {
	char root[512];
	struct runtime_places *places;
	struct string_table strings;
	ARRAY(struct described) known;
	struct hash_index index;
};

int container_resolver_new(const char *root, struct container_resolver **ret_resolver)
{
	struct container_resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver || string_table_init(&resolver->strings) || runtime_places_new(root, &resolver->places)) {
		container_resolver_free(resolver);
		return -ENOMEM;
	}
	snprintf(resolver->root, sizeof(resolver->root), "%s", root);
	*ret_resolver = resolver;
	return 0;
}

void container_resolver_free(struct container_resolver *resolver)
{
	if (!resolver)
		return;
	runtime_places_free(resolver->places);
	string_table_deinit(&resolver->strings);
	array_deinit(&resolver->known);
	hash_index_deinit(&resolver->index);
	free(resolver);
}

void container_resolver_refresh(struct container_resolver *resolver)
{
	resolver->known.count = 0;
	hash_index_clear(&resolver->index);
	string_table_clear(&resolver->strings);
}

static int keep(struct container_resolver *resolver, const char *text, const char **ret_text)
{
	string_id id;
	int err = string_table_add(&resolver->strings, text, strlen(text), &id);

	if (!err)
		*ret_text = string_table_text(&resolver->strings, id);
	return err;
}

static const char *first_of(const char *a, const char *b)
{
	return a[0] ? a : b;
}

static int keep_start(struct container_resolver *resolver, const char *path, size_t length, const char **ret_text)
{
	_cleanup_free_ char *start = strndup(path, length);

	return start ? keep(resolver, start, ret_text) : -ENOMEM;
}

/* A container in another one: what it is called must not be taken for one of the host's. */
static int describe_inside(struct container_resolver *resolver, const struct cgroup_owner *owner,
			   const struct container_info *outer, const char *path, struct container_info *ret_info)
{
	struct container_info info = {.kind = CONTAINER_CONTAINER, .id = "", .image = "", .runtime = owner->runtime};
	char name[512];

	snprintf(name, sizeof(name), "%.*s/%.*s", (int)sizeof(name) / 2 - 1, outer->name,
		 owner->name[0] ? (int)sizeof(owner->name) : SHORT_ID, first_of(owner->name, owner->id));
	if (keep(resolver, name, &info.name) || keep_start(resolver, path, owner->length, &info.own) ||
	    keep(resolver, owner->pod, &info.pod) || keep(resolver, owner->namespace, &info.namespace) ||
	    keep(resolver, owner->unit, &info.unit))
		return -ENOMEM;
	*ret_info = info;
	return 0;
}

static int describe_own(struct container_resolver *resolver, struct cgroup_owner owner, const char *path,
			struct container_info *ret_info)
{
	struct container_names names = {0};
	struct container_info info;
	char short_id[SHORT_ID + 1];

	info.on_disk = !container_names_find(resolver->root, resolver->places, &owner, &names);
	info.kind = owner.kind;
	if (owner.kind == CONTAINER_HOST && names.runtime[0]) {
		info.kind = CONTAINER_CONTAINER;
		snprintf(owner.id, sizeof(owner.id), "%s", owner.name);
	}
	/* A directory of the host's own is best known by where it is. */
	if (info.kind == CONTAINER_HOST && path[0] == '/' && path[1])
		snprintf(owner.name, sizeof(owner.name), "%.*s", (int)sizeof(owner.name) - 1, path + 1);
	snprintf(short_id, sizeof(short_id), "%.*s", SHORT_ID, owner.id);
	if (keep(resolver, first_of(first_of(names.name, owner.name), first_of(short_id, "host")), &info.name) ||
	    keep(resolver, owner.id, &info.id) ||
	    keep(resolver, first_of(owner.runtime, names.runtime), &info.runtime) ||
	    keep(resolver, names.image, &info.image) || keep(resolver, first_of(names.pod, owner.pod), &info.pod) ||
	    keep(resolver, first_of(names.namespace, owner.namespace), &info.namespace) ||
	    keep(resolver, owner.unit, &info.unit) || keep_start(resolver, path, owner.length, &info.own))
		return -ENOMEM;
	*ret_info = info;
	return 0;
}

static int describe(struct container_resolver *resolver, const char *path, const struct container_info *outer,
		    struct container_info *ret_info)
{
	size_t outer_length = outer ? strlen(outer->own) : 0;
	struct cgroup_owner owner;

	cgroup_path_classify(path, &owner);
	/* On the way to its own cgroup a container may have what is its runtime's (nspawn's supervisor). */
	if (!outer || (owner.length <= outer_length && owner.kind != CONTAINER_CONTAINER))
		return describe_own(resolver, owner, path, ret_info);
	if (owner.length > outer_length && owner.kind == CONTAINER_CONTAINER)
		return describe_inside(resolver, &owner, outer, path, ret_info);
	*ret_info = *outer;
	return keep(resolver, owner.unit, &ret_info->unit);
}

static int find_or_describe(struct container_resolver *resolver, const char *path, const struct container_info *outer,
			    struct container_info *ret_info)
{
	struct described *known;
	uint32_t number;
	string_id id;
	uint64_t hash;
	int err = string_table_add(&resolver->strings, path, strlen(path), &id);

	if (err)
		return -ENOMEM;
	hash = hash_words(id, 0);
	for (size_t at = hash_index_first(&resolver->index, hash);
	     hash_index_next(&resolver->index, hash, &at, &number);) {
		if (resolver->known.items[number].path == id) {
			*ret_info = resolver->known.items[number].info;
			return 0;
		}
	}
	err = describe(resolver, path, outer, ret_info);
	if (err || array_reserve(&resolver->known, 1) ||
	    hash_index_insert(&resolver->index, hash, (uint32_t)resolver->known.count))
		return -ENOMEM;
	known = array_add(&resolver->known);
	*known = (struct described){id, *ret_info};
	return 0;
}

int container_resolver_describe(struct container_resolver *resolver, const char *path, struct container_info *ret_info)
{
	_cleanup_free_ char *above = strdup(path);
	struct container_info info, *outer = NULL;
	size_t depth = 0;

	if (!above)
		return -ENOMEM;
	/* The outermost container first: the disk may say that a plain directory is one. */
	for (char *end = above; !outer && *end && (end = strchr(end + 1, '/')) && depth < DEPTH_MAX; depth++) {
		*end = '\0';
		if (find_or_describe(resolver, above, NULL, &info))
			return -ENOMEM;
		*end = '/';
		if (info.kind == CONTAINER_CONTAINER)
			outer = &info;
	}
	return find_or_describe(resolver, path, outer, ret_info);
}

bool container_matches(const struct container_info *info, const char *path, const char *wanted)
{
	size_t length = strlen(wanted);

	if (!strcmp(wanted, info->name) || !strcmp(wanted, path))
		return true;
	return length >= ID_PREFIX_MIN && !strncmp(wanted, info->id, length);
}
