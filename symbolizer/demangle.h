/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demangle: C++ and Rust names as their authors wrote them, without parameters (as perf shows them).
 *
 * Names are a stranger's, and a short one can stand for an endless text: both ends have a limit.
 */
#ifndef SYMBOLIZER_DEMANGLE_H
#define SYMBOLIZER_DEMANGLE_H

#define MANGLED_BYTES_MAX 2047	 /* a longer name stays as it is */
#define DEMANGLED_BYTES_MAX 4096 /* what would be longer is cut */

/**
 * demangle() - @name, readable
 * Returns a string to be freed, never empty; or NULL where @name is not mangled, or mangled in no way that libiberty
 * knows.
 */
char *demangle(const char *name);

#endif
