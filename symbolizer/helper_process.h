/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper_process: the first thing that a forked process does which serves one socket, until its caller ends it.
 */
#ifndef SYMBOLIZER_HELPER_PROCESS_H
#define SYMBOLIZER_HELPER_PROCESS_H

#define HELPER_SOCKET 3 /* its descriptor from then on; none above it is open */

/* @name: as it is shown, 15 bytes. Terminals' signals are not for it, all others do what they do by default or did before. */
void helper_process_init(int socket, const char *name);

#endif
