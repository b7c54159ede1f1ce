/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_view: whether the host can be seen from where this runs. From inside of a container it cannot.
 */
#ifndef STOKER_HOST_VIEW_H
#define STOKER_HOST_VIEW_H

#include "profiler/commands/commands.h"

/* EXIT_OK, or EXIT_UNSUPPORTED after one line that says why. It needs no root. */
enum exit_status host_view_check(void);

#endif
