/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chosen: reports of some containers only: what they leave out, and what they say of it.
 *
 * A row is left out where none of the chosen containers takes part in it: neither waits, nor makes others wait. What is left
 * has the numbers that it has in the whole report, and so have the last lines, the account.
 */
#ifndef STOKER_RENDER_CHOSEN_H
#define STOKER_RENDER_CHOSEN_H

#include <stdio.h>

#include "profiler/render/json.h"

/* @wanted: [containers of the profile], NULL: all. @container: a row, or RECORDING_NONE: nobody's. */
static inline bool is_chosen(const bool *wanted, uint32_t container)
{
	return !wanted || (container != RECORDING_NONE && wanted[container]);
}

/* The line instead of a table that would have no rows: "No readings of the containers asked for.", or "No readings." of all. */
void render_none(const char *what, const bool *wanted, FILE *out);

/* A line to stand before the account; nothing where @wanted is NULL. */
void render_chosen(const struct profile *profile, const bool *wanted, FILE *out);

/* "only": the labels of those that were chosen; nothing where @wanted is NULL. 0 or -ENOMEM. */
int json_add_chosen(struct json_object *object, const struct profile *profile, const bool *wanted);

#endif
