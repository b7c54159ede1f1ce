/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/walk_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "symbolizer/base/cleanup.h"

#define PAGE_BYTES 4096ul

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static int map_one(int fd, size_t bytes, void *ret_memory)
{
	void *memory = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*(void **)ret_memory = memory;
	return 0;
}

static void unmap_one(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, whole_pages(bytes));
}

int walk_maps_init(struct walk_maps *maps, const struct walk_map_fds *fds)
{
	int err;

	*maps = (struct walk_maps){.fds = fds ? *fds : (struct walk_map_fds){-1, -1, -1, -1, -1, -1}};
	err = map_one(maps->fds.mappings, sizeof(*maps->mappings), &maps->mappings);
	if (!err)
		err = map_one(maps->fds.files, sizeof(*maps->files), &maps->files);
	if (!err)
		err = map_one(maps->fds.pages, sizeof(*maps->pages), &maps->pages);
	return err ? err : map_one(maps->fds.rules, sizeof(*maps->rules), &maps->rules);
}

void walk_maps_deinit(struct walk_maps *maps)
{
	unmap_one(maps->mappings, sizeof(*maps->mappings));
	unmap_one(maps->files, sizeof(*maps->files));
	unmap_one(maps->pages, sizeof(*maps->pages));
	unmap_one(maps->rules, sizeof(*maps->rules));
	for (size_t i = 0; i < WALK_SEGMENTS_MAX; i++)
		unmap_one(maps->segments[i], sizeof(**maps->segments));
	memset(maps, 0, sizeof(*maps));
}

int walk_maps_add_segment(struct walk_maps *maps, uint32_t number)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	_cleanup_close_ int fd = -1;
	struct walk_segment *segment = NULL;
	int err;

	if (number >= WALK_SEGMENTS_MAX)
		return -E2BIG;
	if (maps->fds.segments < 0)
		return map_one(-1, sizeof(*segment), &maps->segments[number]);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "walk_segment", sizeof(uint32_t), sizeof(*segment), 1, &options);
	if (fd < 0)
		return -errno;
	err = map_one(fd, sizeof(*segment), &segment);
	if (err)
		return err;
	if (bpf_map_update_elem(maps->fds.segments, &number, &fd, BPF_ANY)) {
		err = -errno;
		unmap_one(segment, sizeof(*segment));
		return err;
	}
	maps->segments[number] = segment;
	return 0;
}

bool walk_maps_process(const struct walk_maps *maps, uint32_t tgid, struct walk_process *ret)
{
	return !bpf_map_lookup_elem(maps->fds.processes, &tgid, ret);
}

int walk_maps_set_process(struct walk_maps *maps, uint32_t tgid, const struct walk_process *process)
{
	return bpf_map_update_elem(maps->fds.processes, &tgid, process, BPF_ANY) ? -errno : 0;
}

void walk_maps_forget_process(struct walk_maps *maps, uint32_t tgid)
{
	bpf_map_delete_elem(maps->fds.processes, &tgid);
}

void walk_maps_each_process(const struct walk_maps *maps,
			    void (*call)(void *data, uint32_t tgid, const struct walk_process *process), void *data)
{
	struct walk_process process;
	uint32_t tgid, next;
	void *previous = NULL;

	/* A key that was deleted starts the map again: so no more steps than it can have. */
	for (uint32_t i = 0; i < WALK_PROCESSES_MAX && !bpf_map_get_next_key(maps->fds.processes, previous, &next);
	     i++) {
		tgid = next;
		previous = &tgid;
		if (!bpf_map_lookup_elem(maps->fds.processes, &tgid, &process))
			call(data, tgid, &process);
	}
}
