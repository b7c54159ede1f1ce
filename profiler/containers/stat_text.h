/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat_text: numbers in the small text files of /proc and of cgroup hierarchies. They are the kernel's, not a container's.
 */
#ifndef STOKER_STAT_TEXT_H
#define STOKER_STAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * stat_text_read() - a file as it is now
 * @fd:   read from its beginning, wherever it stands
 * @text: [size], closed with a NUL; what does not fit is left out, from the last whole line on
 * Returns 0, or what read() gave: -ENODEV for a cgroup that is gone.
 */
int stat_text_read(int fd, char *text, size_t size);

/* The number in a line "key 123" or "key: 123"; false where there is no such line. */
bool stat_text_value(const char *text, const char *key, uint64_t *ret);

/* The number behind "key=" in a line: "8:0 rbytes=4096 wbytes=0"; false where the line ends without. */
bool stat_text_field(const char *line, const char *key, uint64_t *ret);

/* The line after this one; NULL at the end. */
const char *stat_text_next(const char *line);

#endif
