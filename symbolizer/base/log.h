/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log: lines for people, on stderr.
 *
 * Libraries log at debug only; commands say an error once, as one line: what, where, what to do. Text in a line that
 * somebody else chose (a container's name, a path) goes through text_printable() first.
 */
#ifndef STOKER_BASE_LOG_H
#define STOKER_BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_ERROR,   /* the command fails */
	LOG_WARNING, /* it goes on, with less */
	LOG_DEBUG,   /* printed where STOKER_DEBUG is set in the environment */
};

/* "stoker: TEXT\n" on stderr, in one write; a progress line on the terminal is cleared first. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
