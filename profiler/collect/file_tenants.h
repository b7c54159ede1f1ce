/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_tenants: whose files the unwind tables are made of, container by container, and what each may cost the others.
 *
 * A file is its tenant's who mapped it first, or who maps it, too, while the first one's time is used up. Two things are limited:
 * how long files may be parsed, and how many of the numbers of files one tenant has.
 */
#ifndef STOKER_FILE_TENANTS_H
#define STOKER_FILE_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/time_share.h"

#define FILE_TENANTS_NONE UINT32_MAX

struct file_tenant {
	uint64_t number;
	uint32_t files;		   /* that are its now; a tenant without files and without debts is nobody */
	bool over;		   /* a file of it has waited for time */
	struct time_share parsing; /* of its files */
};

/* All but the limit zero: none. Numbers in the list stay those of their tenants while these have files. */
struct file_tenants {
	struct time_share_limit limit; /* of each one's parsing */
	ARRAY(struct file_tenant) list;
	uint32_t over; /* tenants that have used up their time, so far */
};
void file_tenants_deinit(struct file_tenants *tenants);

/* The place of a tenant in the list, made where there is none; FILE_TENANTS_NONE where memory is out. */
uint32_t file_tenants_find(struct file_tenants *tenants, uint64_t number, uint64_t now_ns);

/* Has it time left for another file? Counts those that have none. */
bool file_tenants_may_parse(struct file_tenants *tenants, uint32_t tenant, uint64_t now_ns);

/* May it have one file more, where @free numbers of files are left? Each tenant leaves half of what it finds. */
bool file_tenants_may_add(const struct file_tenants *tenants, uint32_t tenant, uint32_t free);

/* Who has cost less comes first: tenths of a second, so that what honest files cost is all the same. */
uint64_t file_tenants_cost(const struct file_tenants *tenants, uint32_t tenant);

void file_tenants_spend(struct file_tenants *tenants, uint32_t tenant, uint64_t ns);

/*
 * A process's tenant: one number for each container or unit with all that is below, and for each other cgroup. @root: prefix of
 * /proc and of the runtimes' files, "" for the host.
 */
uint64_t file_tenants_number(const char *root, uint32_t pid);

#endif
