/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_layers: rows of several sources, one over another: a lower one is seen through the gaps of those above it.
 */
#ifndef SYMBOLIZER_UNWIND_LAYERS_H
#define SYMBOLIZER_UNWIND_LAYERS_H

#include "symbolizer/unwind_cfi.h"

/* By address, each address once; without gaps that are only alignment between functions, and rows that say nothing new. */
void unwind_layer_sort(struct unwind_cfi_rows *layer);

/**
 * unwind_layer_put_below() - fill gaps
 * @rows, @below: sorted; @below keeps its rows or loses them, and is to be emptied by the caller
 * Counts of functions are added up. Returns 0 or -ENOMEM.
 */
int unwind_layer_put_below(struct unwind_cfi_rows *rows, struct unwind_cfi_rows *below);

#endif
