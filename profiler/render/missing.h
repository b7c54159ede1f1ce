/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * missing: which frames of each container have no name, why, and what would name them. A part of `stoker info`.
 */
#ifndef STOKER_MISSING_H
#define STOKER_MISSING_H

#include <stdio.h>

#include <json-c/json.h>

#include "profiler/profile/profile.h"

/* A table of @max rows, and nothing where all frames have names. 0 or -ENOMEM. */
int render_missing_text(const struct profile *profile, size_t max, FILE *out);

/* The same as "unnamed" of @top. 0 or -ENOMEM. */
int render_missing_json(const struct profile *profile, struct json_object *top);

#endif
