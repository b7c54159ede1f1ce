/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hotspot_lore: what is known about kernel functions and system calls that containers have met in before.
 */
#ifndef STOKER_HOTSPOT_LORE_H
#define STOKER_HOTSPOT_LORE_H

#include <stdbool.h>

/* What the entry is called under which BPF programs at tracepoints are summed up. */
#define HOTSPOT_TRACING "BPF programs that trace"

/* The group of functions that walk one shared structure, by the name of its first one; NULL: in none. */
const char *hotspot_lore_group(const char *function);

/* A function that does anybody's work (copies, device doorbells, spinning): what called it says more. */
bool hotspot_lore_is_generic(const char *function);

/* Sentences on a function or an entry; both untouched where nothing is known. */
void hotspot_lore_find(const char *name, bool is_function, const char **ret_what, const char **ret_way_out);

#endif
