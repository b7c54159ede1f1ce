/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demangle: C++ and Rust names as their authors wrote them, without parameters (as perf shows them).
 */
#ifndef SYMBOLIZER_DEMANGLE_H
#define SYMBOLIZER_DEMANGLE_H

/**
 * demangle() - @name, readable
 * Returns a string to be freed, or NULL where @name is not mangled, or mangled in no way that libiberty knows.
 */
char *demangle(const char *name);

#endif
