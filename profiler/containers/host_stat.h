/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_stat: what the host as a whole has used and waited for by now.
 *
 * Format: proc(5), Documentation/admin-guide/sysctl/fs.rst and accounting/psi.rst in the kernel tree.
 */
#ifndef STOKER_HOST_STAT_H
#define STOKER_HOST_STAT_H

#include "profiler/recording/recording.h"

/* @root: prefix of /proc: "" for the host. What a file does not tell is not known. */
void host_stat_read(const char *root, struct series_values *ret_values);

#endif
