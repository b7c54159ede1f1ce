/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile_accounting: one account for each container and one for all, from what the file says and what the samples tell.
 */
#ifndef STOKER_PROFILE_ACCOUNTING_H
#define STOKER_PROFILE_ACCOUNTING_H

#include "profiler/recording/recording.h"

/**
 * profile_account() - the rows of the accounting in order
 * Row i becomes container i's, and the one behind the last container the total's: what was recorded last, zeros where
 * nothing was. user_* and kernel_* are counted from the samples. Returns 0 or -ENOMEM, the rows as they were.
 */
int profile_account(struct recording_tables *rows);

#endif
