/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_entries: what a BPF hash holds, a thousand entries at a time.
 *
 * Asking for one key after another costs two or three system calls an entry; and asking for the first one again and again,
 * while they are deleted, searches all buckets that are empty already each time.
 */
#ifndef STOKER_MAP_ENTRIES_H
#define STOKER_MAP_ENTRIES_H

#include <stdbool.h>

/**
 * map_entries_each() - every entry, once
 * @map_fd: a hash, not one of those with a value for each CPU
 * @take: they are deleted, each before @each has it
 * @each: @key and @value are as long as the map says, and not aligned; may delete other entries; not 0 ends it
 * What programs add meanwhile may be among them. Ends after twice as many as the map can hold.
 * Returns 0, what @each ended it with, -ENOMEM or an errno of the kernel.
 */
int map_entries_each(int map_fd, bool take, int (*each)(void *data, const void *key, const void *value), void *data);

#endif
