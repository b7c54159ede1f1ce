/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info: what a recording is: its facts, its containers, and what became of their samples. Also for a cut recording.
 */
#ifndef STOKER_RENDER_INFO_H
#define STOKER_RENDER_INFO_H

#include <stdio.h>

#include "profiler/profile/profile.h"

#define INFO_ROWS 30

struct info_options {
	uint32_t max; /* containers, and lines of each part below them; 0: INFO_ROWS. JSON has all */
};

/*
 * Both: 0, -ENOMEM, or -EIO and the like where @out cannot be written. Containers come by the samples that were kept of them, facts
 * by their names, but for those that say what was recorded, which come first.
 */
int render_info_text(const struct profile *profile, const struct info_options *options, FILE *out);
int render_info_json(const struct profile *profile, FILE *out);

#endif
