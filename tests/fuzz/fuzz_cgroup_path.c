/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_cgroup_path: paths of cgroups, whose last part a container with a cgroup namespace of its own chooses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/containers/cgroup_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IS_TEXT(field) (memchr(field, '\0', sizeof(field)) != NULL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = malloc(size + 1);
	struct cgroup_owner owner;

	if (!path)
		abort();
	memcpy(path, data, size);
	path[size] = '\0';
	memset(&owner, 'x', sizeof(owner));
	cgroup_path_classify(path, &owner);
	if (!IS_TEXT(owner.id) || !IS_TEXT(owner.name) || !IS_TEXT(owner.pod) || !IS_TEXT(owner.namespace) ||
	    !IS_TEXT(owner.unit) || strlen(owner.runtime) > 32)
		abort();
	if (owner.length > strlen(path))
		abort();
	/* A container has an id, and everything has something to be called by. */
	if (owner.kind == CONTAINER_CONTAINER ? !owner.id[0] : !owner.name[0])
		abort();
	if ((owner.kind == CONTAINER_HOST || owner.kind == CONTAINER_HOST_UNIT) && (owner.runtime[0] || owner.id[0]))
		abort();
	free(path);
	return 0;
}
