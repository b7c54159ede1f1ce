/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/demangle.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "symbolizer/base/cleanup.h"

struct output {
	jmp_buf full;
	size_t used;
	char text[DEMANGLED_BYTES_MAX + 1];
};

/*
 * What has been printed can be referred to again, so 300 bytes may stand for terabytes. libiberty has no way to be
 * stopped; it holds nothing on the heap while it prints, but for a few bytes of a Rust identifier in Punycode.
 */
static void take_piece(const char *text, size_t length, void *opaque)
{
	struct output *output = opaque;
	size_t left = DEMANGLED_BYTES_MAX - output->used, taken = length < left ? length : left;

	if (!taken && !length)
		return;
	memcpy(output->text + output->used, text, taken);
	output->used += taken;
	if (taken < length)
		longjmp(output->full, 1);
}

/*
 * In the order of cplus_demangle(): older Rust names are C++ ones with a hash at their end. libiberty's own limit on
 * recursion would refuse C++ names past 1,024 bytes unseen. References of Rust can form a cycle: there it must hold.
 */
static bool print(const char *name, struct output *output)
{
	if (setjmp(output->full))
		return true;
	if (rust_demangle_callback(name, DMGL_NO_OPTS, take_piece, output))
		return true;
	output->used = 0;
	return cplus_demangle_v3_callback(name, DMGL_NO_RECURSE_LIMIT, take_piece, output);
}

char *demangle(const char *name)
{
	_cleanup_free_ struct output *output = NULL;

	if (strncmp(name, "_Z", 2) && strncmp(name, "_R", 2) && strncmp(name, "__Z", 3))
		return NULL;
	if (strnlen(name, MANGLED_BYTES_MAX + 1) > MANGLED_BYTES_MAX)
		return NULL;
	output = malloc(sizeof(*output));
	if (!output)
		return NULL;
	output->used = 0;
	if (!print(name, output) || !output->used)
		return NULL;
	output->text[output->used] = '\0';
	return strdup(output->text);
}
