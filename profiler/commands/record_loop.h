/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_loop: a recording from its first tick to its last, whatever ends it.
 */
#ifndef STOKER_RECORD_LOOP_H
#define STOKER_RECORD_LOOP_H

#include "profiler/commands/record_setup.h"

struct record_outcome {
	bool written;	    /* there is a recording to look at, also after an error */
	int command_status; /* the command's exit status; 128 + signal where it was killed */
};

/**
 * record_run() - set up, sample, write
 * Ends after settings->seconds, with the command, or at SIGINT, SIGTERM or SIGHUP: each with everything written.
 * Logs one line on failure. Returns enum exit_status.
 */
int record_run(const struct record_settings *settings, struct record_outcome *ret_outcome);

#endif
