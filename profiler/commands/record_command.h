/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_command: the program that `record -- command` runs.
 */
#ifndef STOKER_RECORD_COMMAND_H
#define STOKER_RECORD_COMMAND_H

/**
 * record_command_check() - whether there is such a program, before anything is begun for it
 * @name: looked for as execvp(3) does
 *
 * Logs one line where it cannot be run. Returns 0, or the exit status that a shell has for it: 127 where there is none, 126.
 */
int record_command_check(const char *name);

/**
 * record_command_exec() - turn this process into it
 * Where that fails: logs one line, ends with the same statuses.
 */
_Noreturn void record_command_exec(char **command);

#endif
