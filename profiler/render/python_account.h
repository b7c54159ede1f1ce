/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python_account: in which containers Python ran, and whether all of its frames are there.
 */
#ifndef STOKER_PYTHON_ACCOUNT_H
#define STOKER_PYTHON_ACCOUNT_H

#include <stdio.h>

#include "profiler/profile/profile.h"

/* A line for @max such containers, and an empty one behind them; nothing where there was no Python. 0 or -ENOMEM. */
int render_python_account(const struct profile *profile, size_t max, FILE *out);

#endif
