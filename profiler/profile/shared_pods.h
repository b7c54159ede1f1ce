/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared_pods: names of pods that are in several namespaces, and tell no pod without theirs (a StatefulSet's "postgres-0").
 */
#ifndef STOKER_PROFILE_SHARED_PODS_H
#define STOKER_PROFILE_SHARED_PODS_H

#include "profiler/profile/profile.h"

/**
 * shared_pods_find() - the names that containers of more than one namespace have as their pod's
 * @ret_shared: [strings of the profile], to be freed; untouched on failure
 * Returns 0 or -ENOMEM.
 */
int shared_pods_find(const struct profile *profile, bool **ret_shared);

#endif
