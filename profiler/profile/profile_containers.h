/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_containers: which containers of a recording does somebody mean?
 */
#ifndef STOKER_PROFILE_CONTAINERS_H
#define STOKER_PROFILE_CONTAINERS_H

#include "profiler/profile/profile.h"

/**
 * profile_choose_containers() - containers by what people call them
 * @names: [count] names, labels, cgroup paths, or prefixes of one id of at least three characters; none: all are chosen
 * @ret_chosen: [containers of the profile]
 * @error: [error_size] one line on failure; near names are offered
 * Returns 0, -ENOENT (no such container), or -EEXIST (a prefix that fits several).
 */
int profile_choose_containers(const struct profile *profile, const char *const *names, size_t count, bool *ret_chosen,
			      char *error, size_t error_size);

#endif
