/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * duration: times as people read them: three digits and a unit ("843 ns", "12.4 µs", "1.05 s").
 */
#ifndef STOKER_RENDER_DURATION_H
#define STOKER_RENDER_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* @out: [size]; 16 bytes hold any of them. Returns @out. */
char *duration_text(uint64_t ns, char *out, size_t size);

#endif
