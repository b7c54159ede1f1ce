/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tenants: whose the processes are, container by container, and what each costs.
 *
 * A tenant is a number of the caller's (process_identity.tenant). What one does to whoever reads its files (path_lookup.h)
 * is noted here, so that it costs no other one.
 */
#ifndef SYMBOLIZER_TENANTS_H
#define SYMBOLIZER_TENANTS_H

#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/path_lookup.h"

struct tenant {
	uint64_t number;
	struct path_lookups lookups;
};

/* All zero: none. */
struct tenants {
	ARRAY(struct tenant *) list;
	struct hash_index index;
};

/* The one of that number, which lives as long as @tenants. NULL where memory is out. */
struct tenant *tenants_find(struct tenants *tenants, uint64_t number);

/* No process has one of them any more. */
void tenants_deinit(struct tenants *tenants);

#endif
