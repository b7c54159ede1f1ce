/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render_hotspots: the ranked list for people and for programs.
 */
#ifndef STOKER_RENDER_HOTSPOTS_H
#define STOKER_RENDER_HOTSPOTS_H

#include <stdio.h>

#include "profiler/analysis/hotspots.h"

/* @most: how many at most. Both return 0, -ENOMEM, or -EIO. */
int render_hotspots_text(const struct profile *profile, const struct hotspots *hotspots, size_t most, FILE *out);
int render_hotspots_json(const struct profile *profile, const struct hotspots *hotspots, FILE *out);

#endif
