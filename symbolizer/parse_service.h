/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse_service: the child's side of the symbolizer: files and JIT maps by number, names out of them.
 *
 * Runs in a worker (worker.h); nothing in it opens anything. Tables, of files and of JIT maps alike, have a budget of memory:
 * those unused for longest are dropped, and made again from their descriptors when they are asked for. All are where
 * memory is out. Descriptors, of which .dwo files take most, have a budget as well. That it was, or that a descriptor was missing, is remembered of no file: others may have taken it.
 */
#ifndef SYMBOLIZER_PARSE_SERVICE_H
#define SYMBOLIZER_PARSE_SERVICE_H

#include "symbolizer/worker.h"

extern const struct worker_handler parse_service;

#endif
