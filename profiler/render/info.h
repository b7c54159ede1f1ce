/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info: what a recording is: its facts, its containers, and what became of their samples. Also for a cut recording.
 */
#ifndef STOKER_RENDER_INFO_H
#define STOKER_RENDER_INFO_H

#include <stdio.h>

#include "profiler/profile/profile.h"

/* Both: 0, -ENOMEM, or -EIO and the like where @out cannot be written. */
int render_info_text(const struct profile *profile, FILE *out);
int render_info_json(const struct profile *profile, FILE *out);

#endif
