/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name_text: names of containers where there is little room. What tells two of them apart is mostly at their ends:
 * "shop-backend-worker-1", "worker (19df9aa081c3)".
 */
#ifndef STOKER_RENDER_NAME_TEXT_H
#define STOKER_RENDER_NAME_TEXT_H

#include <stddef.h>

/**
 * name_text() - a name, printable, in at most @max characters
 * @name: of anybody's making (profile_container_label())
 * @max:  more than 2; where the name is longer, "…" stands for its middle, or for what is before an id in brackets
 * @out:  [size], at least 4 * @max + 1 bytes
 * Returns @out.
 */
char *name_text(const char *name, size_t max, char *out, size_t size);

#endif
