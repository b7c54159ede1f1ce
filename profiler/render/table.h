/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: the report on the terminal: one line for each container, then where every sample went.
 */
#ifndef STOKER_TABLE_H
#define STOKER_TABLE_H

#include <stdio.h>

#include "profiler/profile/profile.h"

struct table_options {
	size_t rows_max; /* 0: all containers */
};

/* Returns 0, -ENOMEM, or what writing gave. */
int render_table(const struct profile *profile, const struct table_options *options, FILE *out);

/* The account alone: "26,928 samples taken = 26,928 kept + 0 filtered + 0 lost." and what belongs to it. */
int render_account(const struct profile *profile, FILE *out);

#endif
