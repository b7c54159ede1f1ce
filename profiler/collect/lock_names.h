/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_names: what locks are called: static ones by their symbol, those in objects by the object's slab cache.
 *
 * The first has names where the kernel has symbols of its data (CONFIG_KALLSYMS_ALL), the second from Linux 6.13 on. Each is
 * asked for once. A slab cache that goes, and another one at the same address, are not told apart.
 */
#ifndef STOKER_LOCK_NAMES_H
#define STOKER_LOCK_NAMES_H

#include <stdint.h>

#include "bpf/shared_waits.h"
#include "profiler/recording/recording_writer.h"

struct lock_names;
struct stoker_bpf;

/* @skeleton and @writer stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int lock_names_new(struct stoker_bpf *skeleton, struct recording_writer *writer, struct lock_names **ret_names);
void lock_names_free(struct lock_names *names);

/*
 * All that is wanted is looked up at once: a pass over the kernel's symbols takes a tenth of a second.
 * @where, @lock: as in struct lock_key. Both return 0 or -ENOMEM; what the kernel does not tell stays without a name.
 */
int lock_names_want(struct lock_names *names, uint32_t where, uint64_t lock);
int lock_names_look_up(struct lock_names *names);

/* The name in the recording, or 0. */
string_id lock_names_find(const struct lock_names *names, uint32_t where, uint64_t lock);

#endif
