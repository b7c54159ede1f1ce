/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * own_memory: what this process has resident, without the BPF maps that it sees through mmap(2): those are counted as
 * maps, by the kernel's own figures.
 */
#ifndef STOKER_OWN_MEMORY_H
#define STOKER_OWN_MEMORY_H

#include <stdint.h>

/* Bytes; 0 where /proc does not tell. */
uint64_t own_memory_bytes(void);

#endif
