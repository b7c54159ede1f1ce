/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands: one file per subcommand; each parses its options and calls the rooms above in order.
 */
#ifndef STOKER_COMMANDS_H
#define STOKER_COMMANDS_H

#include <stdbool.h>

/* How a command ends; with `record -- command`, the child's own status instead of EXIT_OK. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNSUPPORTED = 3, /* not permitted, or not possible on this kernel */
	EXIT_NO_SAMPLES = 4,
};

struct command {
	const char *name;
	const char *summary;		   /* one line for `stoker --help` */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns enum exit_status */
};

/* `stoker SECONDS`: record, table, stoker.svg and stoker.rec; argv[0] is the program, argv[1] the seconds. */
int command_oneshot(int argc, char **argv);
int command_record(int argc, char **argv);
int command_fold(int argc, char **argv);
int command_flame(int argc, char **argv);
int command_info(int argc, char **argv);
int command_hotspots(int argc, char **argv);
int command_offcpu(int argc, char **argv);
int command_locks(int argc, char **argv);
int command_runqlat(int argc, char **argv);
int command_syscalls(int argc, char **argv);
int command_series(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_symbolize(int argc, char **argv);

#endif
