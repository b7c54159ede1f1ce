/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render_info: what a recording is, and its account by container.
 */
#ifndef STOKER_RENDER_INFO_H
#define STOKER_RENDER_INFO_H

#include <stdio.h>

#include "profiler/profile/profile.h"

/* Both return 0, -ENOMEM, or -EIO. */
int render_info_text(const struct profile *profile, FILE *out);
int render_info_json(const struct profile *profile, FILE *out);

#endif
