/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_stat: what one cgroup, with all below it, has used and waited for by now: CPU, throttling, pressure, memory, I/O.
 *
 * On a hybrid host each number comes from whichever hierarchy has it, the unified one first. What no file tells is not
 * known: pressure has no files in v1, slab has no number there.
 *
 * The files stay open between readings as long as there are descriptors to spare, and are opened for each reading beyond that.
 * They are the host's own: paths with "/..", and links, are not followed.
 *
 * Formats: Documentation/admin-guide/cgroup-v2.rst, accounting/psi.rst, admin-guide/cgroup-v1/{memory,blkio-controller}.rst,
 * scheduler/sched-bwc.rst in the kernel tree.
 */
#ifndef STOKER_CGROUP_STAT_H
#define STOKER_CGROUP_STAT_H

#include <stddef.h>

#include "profiler/recording/recording.h"

struct cgroup_stat_reader;
struct cgroup_stat;

/* @root: prefix of every path, "" for the host; @files_max: kept open at most, of all cgroups. 0 or -ENOMEM. */
int cgroup_stat_reader_new(const char *root, size_t files_max, struct cgroup_stat_reader **ret_reader);
void cgroup_stat_reader_free(struct cgroup_stat_reader *reader);

/* @path: below its hierarchy's root; the reader must live longer. 0, -EINVAL (no such path can be), or -ENOMEM. */
int cgroup_stat_new(struct cgroup_stat_reader *reader, const char *path, struct cgroup_stat **ret_stat);
void cgroup_stat_free(struct cgroup_stat *stat);

/**
 * cgroup_stat_read() - read all
 * @ret_unrelated: SERIES_BIT() of each that does not go on from the last reading, nor from 0 when the cgroup was made:
 *                 throttling is that of the tightest limit, which another cgroup may have by now, or an older one above it
 * Returns 0, -ENOENT (it is gone, or was never there), or why none of its files could be read this time: -EMFILE, -ENOMEM, …
 */
int cgroup_stat_read(struct cgroup_stat *stat, struct series_values *ret_values, uint64_t *ret_unrelated);

#endif
