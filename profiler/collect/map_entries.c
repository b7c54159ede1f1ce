/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/map_entries.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "symbolizer/base/cleanup.h"

#define BATCH_ENTRIES 1024 /* the kernel wants room for a bucket at least */

int map_entries_each(int map_fd, bool take, int (*each)(void *data, const void *key, const void *value), void *data)
{
	uint32_t size = sizeof(struct bpf_map_info), position = 0, count;
	_cleanup_free_ char *keys = NULL, *values = NULL;
	struct bpf_map_info info = {0};
	uint32_t *from = NULL;
	uint64_t seen = 0;
	int err;

	if (bpf_obj_get_info_by_fd(map_fd, &info, &size))
		return -errno;
	keys = malloc((size_t)BATCH_ENTRIES * info.key_size);
	values = malloc((size_t)BATCH_ENTRIES * info.value_size);
	if (!keys || !values)
		return -ENOMEM;
	do {
		int ended = 0;

		count = BATCH_ENTRIES;
		err = take ? bpf_map_lookup_and_delete_batch(map_fd, from, &position, keys, values, &count, NULL)
			   : bpf_map_lookup_batch(map_fd, from, &position, keys, values, &count, NULL);
		/* -ENOENT: these were the last ones. */
		if (err && err != -ENOENT)
			return err;
		for (uint32_t i = 0; i < count && !ended; i++)
			ended = each(data, keys + (size_t)i * info.key_size, values + (size_t)i * info.value_size);
		if (ended)
			return ended;
		from = &position;
		seen += count;
	} while (!err && seen < 2ull * info.max_entries);
	return 0;
}
