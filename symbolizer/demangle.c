/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/demangle.h"

#include <string.h>

#include <libiberty/demangle.h>

/* Hostile names can make demanglers slow and their output huge. */
#define MANGLED_BYTES_MAX 2048

char *demangle(const char *name)
{
	if (strncmp(name, "_Z", 2) && strncmp(name, "_R", 2) && strncmp(name, "__Z", 3))
		return NULL;
	if (strnlen(name, MANGLED_BYTES_MAX) == MANGLED_BYTES_MAX)
		return NULL;
	return cplus_demangle(name, DMGL_AUTO);
}
