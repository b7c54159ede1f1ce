/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/flame_script.h"

/* Paths are from the repository's root, where make runs; the Makefile knows that this object depends on both files. */
#define EMBED(symbol, path)                                  \
	__asm__(".section .rodata\n"                         \
		".global " #symbol "\n"                      \
		".type " #symbol ", @object\n" #symbol ":\n" \
		".incbin \"" path "\"\n"                     \
		".byte 0\n"                                  \
		".size " #symbol ", . - " #symbol "\n"       \
		".previous\n")

EMBED(flame_script, "profiler/render/flame.js");
EMBED(flame_style, "profiler/render/flame.css");
