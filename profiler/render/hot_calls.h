/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hot_calls: `stoker syscalls --hot`, for people and for programs (docs/syscalls.md).
 */
#ifndef STOKER_RENDER_HOT_CALLS_H
#define STOKER_RENDER_HOT_CALLS_H

#include "profiler/analysis/hot_calls.h"
#include "profiler/render/calls.h"

/* As render_calls_text() and render_calls_json(). */
int render_hot_calls_text(const struct hot_calls *hot, const struct profile *profile,
			  const struct calls_options *options, FILE *out);
int render_hot_calls_json(const struct hot_calls *hot, const struct profile *profile,
			  const struct calls_options *options, FILE *out);

#endif
