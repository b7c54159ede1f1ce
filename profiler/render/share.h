/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share: parts of a whole as people read them: "99.9%".
 */
#ifndef STOKER_RENDER_SHARE_H
#define STOKER_RENDER_SHARE_H

#include <stddef.h>
#include <stdint.h>

/**
 * share_text() - @part of @whole, rounded down: only "100%" is all of it
 * @decimals: behind the point, at most 2; none where it is all
 * @out: [size]; 24 bytes hold any of them; "-" where there is no whole. Returns @out.
 */
char *share_text(uint64_t part, uint64_t whole, unsigned int decimals, char *out, size_t size);

#endif
