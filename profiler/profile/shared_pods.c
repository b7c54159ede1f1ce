/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/shared_pods.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"

int shared_pods_find(const struct profile *profile, bool **ret_shared)
{
	size_t strings = profile->rows.strings.entries.count;
	_cleanup_free_ string_id *namespaces = calloc(strings + 1, sizeof(*namespaces));
	_cleanup_free_ bool *seen = calloc(strings + 1, sizeof(*seen)), *shared = calloc(strings + 1, sizeof(*shared));

	if (!namespaces || !seen || !shared)
		return -ENOMEM;
	for (size_t i = 0; i < profile->rows.containers.count; i++) {
		const struct recording_container *container = &profile->rows.containers.items[i];

		if (!seen[container->pod])
			namespaces[container->pod] = container->namespace;
		else if (namespaces[container->pod] != container->namespace)
			shared[container->pod] = true;
		seen[container->pod] = true;
	}
	*ret_shared = take_ptr(shared);
	return 0;
}
