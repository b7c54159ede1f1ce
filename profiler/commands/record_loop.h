/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_loop: a recording from its first tick to its last, whatever ends it.
 */
#ifndef STOKER_RECORD_LOOP_H
#define STOKER_RECORD_LOOP_H

#include "profiler/commands/record_setup.h"

/**
 * record_run() - set up, sample, write
 * @ret_command: the command's exit status; 128 + signal where it was killed, 0 without one and where it still runs
 * Ends after settings->seconds, with the command, or at SIGINT, SIGTERM or SIGHUP: each with everything written.
 * A command that runs at the end of the recording is told to end too, and left where it has not after 3 s or at one more signal.
 * Logs one line on failure. Returns enum exit_status.
 */
int record_run(const struct record_settings *settings, int *ret_command);

#endif
