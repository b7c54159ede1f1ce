/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_accounting: the part of the account that the samples themselves tell.
 */
#ifndef STOKER_PROFILE_ACCOUNTING_H
#define STOKER_PROFILE_ACCOUNTING_H

#include "profiler/recording/recording.h"

/**
 * profile_account_samples() - fill user_* and kernel_* of every container's row and of the total
 * Rows that are missing are added. Returns 0 or -ENOMEM.
 */
int profile_account_samples(struct recording_tables *rows);

#endif
