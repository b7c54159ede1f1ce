/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime_places: what the runtimes keep for all of their containers at once: where Docker's data is, and podman's lists.
 *
 * It is looked at once for all containers, however many there are and however often they are described: anybody may make a
 * cgroup that is named like a container.
 */
#ifndef STOKER_RUNTIME_PLACES_H
#define STOKER_RUNTIME_PLACES_H

#include <stddef.h>

struct runtime_places;

/* @root: prefix of every path looked at, "" for the host. Returns 0 or -ENOMEM. */
int runtime_places_new(const char *root, struct runtime_places **ret_places);
void runtime_places_free(struct runtime_places *places);

/*
 * Where Docker may keep its data, the most likely first; NULL after the last. All but the first are asked of its settings and of
 * the running daemon, for which each process is looked at: at most every five seconds, found or not.
 */
const char *runtime_places_docker(struct runtime_places *places, size_t i);

/* Below which podman and CRI-O have a folder for each container; NULL after the last. */
const char *runtime_places_storage(size_t i);

/*
 * A container's name in podman's lists, valid until the next call: "" without one, NULL where it is in none. A list is read
 * again when its file has changed.
 */
const char *runtime_places_podman(struct runtime_places *places, const char *id);

#endif
