/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python_runtime: is a file CPython's interpreter, which version, and where is its state?
 *
 * An interpreter is what defines _PyRuntime and Py_Version (Include/internal/pycore_runtime.h, Include/cpython/pylifecycle.h;
 * the latter since 3.11): an executable, libpython3.X.so, or a program that has it built in. Names of files say nothing.
 * The file comes from a container, and what it says is checked by nobody but those who use it.
 */
#ifndef SYMBOLIZER_PYTHON_RUNTIME_H
#define SYMBOLIZER_PYTHON_RUNTIME_H

#include <stdint.h>

struct elf_image;

/* All zero: no interpreter. */
struct python_runtime {
	uint32_t version; /* major << 8 | minor: 0x030b is 3.11 */
	/* Of _PyRuntime in memory: to be added to an executable mapping's start less its offset in the file. */
	uint64_t place;
};

/**
 * python_runtime_find() - look for an interpreter in a file
 * Costs one look through the exported names.
 * Returns 0, also where there is none, or -ENOMEM.
 */
int python_runtime_find(const struct elf_image *image, struct python_runtime *ret_runtime);

#endif
