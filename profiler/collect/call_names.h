/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_names: system calls by number, x86-64.
 */
#ifndef STOKER_CALL_NAMES_H
#define STOKER_CALL_NAMES_H

#include <stddef.h>

#include "profiler/recording/recording_waits.h"

#define CALL_NUMBERS 510u /* above: places for what has no number of this kind */
#define CALL_NAME_BYTES 32

/* "read", "syscall_480" for what is newer than this list, a word in brackets for what is no call of this kind. */
void call_name(unsigned int number, char *name, size_t size);

#endif
