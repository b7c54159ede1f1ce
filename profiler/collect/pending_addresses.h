/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending_addresses: addresses of processes that have no name yet and may get one, and when to ask again.
 *
 * There is room for PENDING_ADDRESSES_MAX, some 1 MB, which whoever comes shares: where it is full, the container that has
 * most gives up the oldest of its process that has most; who has as many itself gets no room. So one that makes up addresses
 * costs no other container a name, and what can be given up has an end.
 *
 * To ask costs a look at the process and often a child that looks for its map. A process is asked again after an eighth of
 * the time for which no name of its came, at most PENDING_WAIT_MAX_NS: a young one each time, one that never gets a map
 * once a minute.
 */
#ifndef STOKER_PENDING_ADDRESSES_H
#define STOKER_PENDING_ADDRESSES_H

#include <stdbool.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

#define PENDING_ADDRESSES_MAX 65536
#define PENDING_WAIT_MAX_NS 60000000000ull

struct pending_address {
	uint64_t address;
	uint32_t frame; /* row of its own */
	uint32_t owner; /* under which it is among the named_addresses */
};

struct pending_process {
	uint32_t process;  /* row */
	uint32_t tenant;   /* its place in the list of tenants */
	uint64_t since_ns; /* when the first of them came, or the last name */
	uint64_t after_ns; /* not to be asked before; 0: as soon as can be */
	bool ended;	   /* it was seen to: once it is asked then, nothing new will come */
	ARRAY(struct pending_address) list;
	size_t given_up; /* of the list, at its beginning: they are no more */
};

struct pending_tenant {
	uint64_t number;
	size_t processes, addresses; /* that are pending */
};

/* All-zero: none. Times are of any clock, the same for all. */
struct pending_addresses {
	ARRAY(struct pending_process) processes; /* none is without addresses, but while it is being asked */
	ARRAY(struct pending_tenant) tenants;	 /* those without processes are free */
	struct hash_index index;		 /* of the processes, by row */
	size_t count;				 /* addresses, of all */
	uint64_t given_up;			 /* so far, with those that got no room */
};

void pending_addresses_deinit(struct pending_addresses *pending);

enum pending_room {
	PENDING_ROOM,
	PENDING_ROOM_MADE, /* another one was given up */
	PENDING_NO_ROOM,
};

/**
 * pending_addresses_make_room() - for one more of a process
 * @tenant: whose the process is
 * @ret_given_up: where room was made: the one that is not pending any more
 */
enum pending_room pending_addresses_make_room(struct pending_addresses *pending, uint32_t process, uint64_t tenant,
					      struct pending_address *ret_given_up);

/* There is room for it: the caller has asked. 0 or -ENOMEM. */
int pending_addresses_add(struct pending_addresses *pending, uint32_t process, uint64_t tenant,
			  struct pending_address added, uint64_t now_ns);

/* Has a process any? */
bool pending_addresses_has(const struct pending_addresses *pending, uint32_t process);

/* A name is to be expected: it is asked the next time. */
void pending_addresses_expect(struct pending_addresses *pending, uint32_t process);

/*
 * To ask all whose turn it is: pending_addresses_sort() puts first who has waited longest. Those asked are told, one by one,
 * which of theirs are pending still; pending_addresses_end() forgets those that have none left. Nothing is added meanwhile.
 */
void pending_addresses_sort(struct pending_addresses *pending);
static inline struct pending_address *pending_process_first(const struct pending_process *process)
{
	return process->list.items + process->given_up;
}
static inline size_t pending_process_count(const struct pending_process *process)
{
	return process->list.count - process->given_up;
}

/* @still: [count], 1 for those that have no name. It is asked again when its time has come. */
void pending_process_asked(struct pending_addresses *pending, struct pending_process *process, const bool *still,
			   uint64_t now_ns);

/* Nobody can be asked any more. @unasked: they might have got a name, and count as given up. */
void pending_process_forget(struct pending_addresses *pending, struct pending_process *process, bool unasked);
void pending_addresses_end(struct pending_addresses *pending);

#endif
