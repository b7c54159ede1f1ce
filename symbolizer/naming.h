/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * naming: user addresses to questions for the child that parses, its answers to symbols.
 *
 * Questions are sorted by file and asked in batches; each file's ranges are remembered, so that most addresses need
 * no question at all.
 */
#ifndef SYMBOLIZER_NAMING_H
#define SYMBOLIZER_NAMING_H

#include "symbolizer/symbolizer_private.h"

/**
 * naming_process() - name addresses of a process
 * @addresses: [count]
 * @symbols:   one symbol and one span for each address (symbols_reset()); filled
 * Returns 0 or -ENOMEM.
 */
int naming_process(struct symbolizer_process *process, const uint64_t *addresses, size_t count,
		   struct symbols *symbols);

/* The same for addresses as a file's own symbols have them; @path is the host's. */
int naming_file(struct symbolizer *symbolizer, struct pinned_file *file, const char *path, const uint64_t *addresses,
		size_t count, struct symbols *symbols);

#endif
