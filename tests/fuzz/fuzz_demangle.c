/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_demangle: hostile symbol names. The input is a name; what comes out is a string of bounded length.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1), *readable;

	if (!name)
		abort();
	memcpy(name, data, size);
	name[size] = '\0';
	readable = demangle(name);
	if (readable && (!readable[0] || strlen(readable) > DEMANGLED_BYTES_MAX))
		abort();
	free(readable);
	free(name);
	return 0;
}
