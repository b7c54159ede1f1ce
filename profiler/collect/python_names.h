/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python_names: what Python functions are called, as the programs tell it before they send a stack that has them.
 *
 * Names are the interpreter's memory, copied by the programs: anything may be in them. They become UTF-8 without control
 * characters, of bounded length.
 */
#ifndef STOKER_PYTHON_NAMES_H
#define STOKER_PYTHON_NAMES_H

#include "bpf/shared.h"
#include "profiler/recording/recording_writer.h"

struct python_names;

/**
 * python_names_new() - with no names
 * @functions_fd: the programs' map python_functions, which is emptied when it is half full; -1: none
 * @lines: frames have a file and a line (--lines)
 * Returns 0 or -ENOMEM.
 */
int python_names_new(struct recording_writer *writer, int functions_fd, bool lines, struct python_names **ret_names);
void python_names_free(struct python_names *names);

/* Takes one name; a function that is known already keeps its own. 0, -EPROTO (@size is too small), or -ENOMEM. */
int python_names_take(struct python_names *names, const struct python_event *event, size_t size);

/* The frame row of a function, by struct python_event.number; of one whose name was lost, a row that says so. 0 or -ENOMEM. */
int python_names_frame(struct python_names *names, uint64_t number, uint32_t *ret_frame);

/* The row of a frame that stands where Python frames are missing, with the reason. 0 or -ENOMEM. */
int python_names_missing(struct python_names *names, const char *reason, uint32_t *ret_frame);

/**
 * python_text_utf8() - a str's characters as UTF-8
 * @out: [size], NUL-terminated; what does not fit is left out
 * Control characters and NUL become '?', what is no character U+FFFD. Returns the bytes written.
 */
size_t python_text_utf8(const struct python_text *text, char *out, size_t size);

#endif
