/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tenants: whose the processes are, container by container, and what each costs.
 *
 * A tenant is a number of the caller's (process_identity.tenant). What one does to whoever reads its files, look-ups that
 * do not come back (path_lookup.h) and time, is noted here, so that it costs no other one.
 */
#ifndef SYMBOLIZER_TENANTS_H
#define SYMBOLIZER_TENANTS_H

#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/time_share.h"
#include "symbolizer/parser.h"
#include "symbolizer/path_lookup.h"

#define TENANT_OPEN_FILES_MAX 2048u /* until the next symbolizer_trim(), which closes most */

/* For reading what its processes map, on the caller's own thread: what is read in five seconds, and then a quarter of the time. */
#define TENANT_READING_LIMIT ((struct time_share_limit){.debt_ns = 5000000000ull, .part = 4})

struct tenant {
	uint64_t number;
	size_t users;	      /* the caller's: processes that it has */
	size_t open_files;    /* that were opened for it (file_cache.h) */
	size_t mapping_bytes; /* of its processes' snapshots */
	struct path_lookups lookups;
	struct time_share parsing;	  /* time that the child has spent on its files */
	struct time_share reading;	  /* time of the caller's, on reading what its processes map */
	struct time_share copies;	  /* the same, on walking copies of its stacks */
	uint32_t copy_deaths;		  /* of the child, by copies of its stacks */
	struct parser_stalls copy_stalls; /* of it, by files that these did not get in time */
	uint64_t skipped;		  /* addresses that were not asked for, as that was used up */
};

/* How long a tenant's files may take: that of four requests at once, and then a tenth of the time. @flags: parse_request's */
struct time_share_limit tenants_limit(uint32_t flags);

/* What all tenants together have lost, those that were forgotten included. */
struct tenants_losses {
	size_t over; /* that have used up their time at least once */
	uint64_t skipped, lookups_lost;
};

/* All zero: none. */
struct tenants {
	ARRAY(struct tenant *) list;
	struct hash_index index;
	struct tenants_losses forgotten;
};

/* The one of that number, which lives while it has users, and until tenants_trim(). NULL where memory is out. */
struct tenant *tenants_find(struct tenants *tenants, uint64_t number);

/* Forgets those without users that owe nothing: no time, no look-up, and no open file. */
void tenants_trim(struct tenants *tenants, uint64_t now_ns);

struct tenants_losses tenants_losses(const struct tenants *tenants);

/* No process has one of them any more. */
void tenants_deinit(struct tenants *tenants);

#endif
