/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options: a subcommand's options as a table; parsing and --help both come from it.
 *
 * A table ends with an all-zero row. Values land in the caller's settings struct at @offset; the strings point into
 * argv and live as long as it does.
 */
#ifndef STOKER_OPTIONS_H
#define STOKER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/commands/commands.h"
#include "symbolizer/base/array.h"

enum option_type {
	OPTION_FLAG = 1, /* bool, set to true */
	OPTION_UNSET,	 /* bool, set to false: --no-progress */
	OPTION_NUMBER,	 /* uint64_t, between min and max */
	OPTION_REAL,	 /* double, at least 0 */
	OPTION_TEXT,	 /* const char *; not empty where min is 1 */
	OPTION_LIST,	 /* struct option_list: comma-separated, and may be given again */
	OPTION_CHOICE,	 /* int: the index in choices */
};

struct option_list {
	ARRAY(char *) entries; /* each one owned by the list; option_list_deinit() frees them */
};

struct option_row {
	char letter;	  /* 0: long form only */
	const char *name; /* without the dashes */
	enum option_type type;
	size_t offset;
	const char *value;	    /* what to call the value in the help; NULL for flags */
	const char *help;	    /* one line */
	uint64_t min, max;	    /* OPTION_NUMBER; min of OPTION_TEXT */
	const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
};

struct option_usage {
	const char *command;   /* "fold" */
	const char *arguments; /* "[OPTIONS] FILE" */
	const char *about;     /* a few lines, without the last newline */
	const struct option_row *rows;
};

/**
 * options_parse() - fill @settings from the command line
 * @argv: [argc]; permuted so that the arguments that are no options come last; "--" ends the options and is dropped
 * @ret_first: index in @argv of the first argument that is no option
 * @ret_status: where this is false and the command ends: that of options_shown() (--help was printed on stdout) or EXIT_USAGE
 *              (one line was logged)
 * Lists in @settings may have grown in either case.
 */
bool options_parse(const struct option_usage *usage, int argc, char **argv, void *settings, int *ret_first,
		   enum exit_status *ret_status);

/**
 * options_shown() - the end of a command that only shows its help, or the like
 * Returns EXIT_OK, or EXIT_FAILED where standard output did not take it all, with one line; a reader that goes away is no failure.
 */
enum exit_status options_shown(void);

void option_list_deinit(struct option_list *list);

#endif
