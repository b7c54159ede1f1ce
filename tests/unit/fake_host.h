/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_host: for tests: a made-up host (fake_root.h) with one cgroup v2 hierarchy, and what a recording of it needs: its
 * tree, names from its disk, owners and a writer. A test that needs more has it as a member. Include it after cmocka.h.
 */
#ifndef STOKER_TEST_FAKE_HOST_H
#define STOKER_TEST_FAKE_HOST_H

#include "profiler/collect/owners.h"
#include "profiler/recording/recording_reader.h"
#include "tests/unit/fake_root.h"

struct fake_host {
	char *root, path[96]; /* path: the recording's */
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	struct recording_writer *writer;
	struct owners *owners;
	struct recording_tables tables; /* fake_host_read_back() */
};

/* @host: zeroed. Both return 0, or what a setup or teardown that fails returns. */
static inline int fake_host_init(struct fake_host *host)
{
	if (make_root((void **)&host->root))
		return -1;
	write_file(host->root, "/proc/self/mountinfo", V2_MOUNT);
	snprintf(host->path, sizeof(host->path), "%s/rec", host->root);
	return cgroup_tree_new(host->root, &host->tree) || container_resolver_new(host->root, &host->resolver) ||
	       recording_writer_new(host->path, &host->writer) ||
	       owners_new(host->tree, host->resolver, host->writer, &host->owners);
}

static inline int fake_host_deinit(struct fake_host *host)
{
	recording_tables_deinit(&host->tables);
	owners_free(host->owners);
	recording_writer_free(host->writer);
	container_resolver_free(host->resolver);
	cgroup_tree_free(host->tree);
	return remove_root((void **)&host->root);
}

/* What the kernel side tells of a cgroup. */
static inline struct cgroup_event fake_event(enum event_type type, uint64_t id, const char *path)
{
	struct cgroup_event event = {.type = type, .cgroup_id = id};

	event.path_bytes = (uint32_t)snprintf(event.path, sizeof(event.path), "%s", path) + 1;
	return event;
}

static inline void fake_host_tell(struct fake_host *host, enum event_type type, uint64_t id, const char *path)
{
	struct cgroup_event event = fake_event(type, id, path);

	assert_int_equal(owners_cgroup(host->owners, &event), 0);
}

/* Ends the recording; the tables are what a reader finds in it, containers by row. */
static inline void fake_host_read_back(struct fake_host *host)
{
	struct recording_end end;
	FILE *file;

	assert_int_equal(recording_writer_finish(host->writer), 0);
	file = fopen(host->path, "r");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&host->tables), 0);
	assert_int_equal(recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, &host->tables, &end), 0);
	assert_true(end.whole);
	fclose(file);
}

#endif
