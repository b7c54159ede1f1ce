/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu_list: CPUs as the kernel lists them, "0-3,6".
 */
#ifndef STOKER_CPU_LIST_H
#define STOKER_CPU_LIST_H

#include <stdbool.h>

#define CPU_LIST_BYTES 4096 /* room for one */

/* Is a CPU in it? */
bool cpu_list_has(const char *list, int cpu);

#endif
