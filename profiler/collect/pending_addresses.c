/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/pending_addresses.h"

#include <errno.h>
#include <stdlib.h>

#define WAIT_PART 8 /* of the time without a name */

void pending_addresses_deinit(struct pending_addresses *pending)
{
	for (size_t i = 0; i < pending->processes.count; i++)
		array_deinit(&pending->processes.items[i].list);
	array_deinit(&pending->processes);
	array_deinit(&pending->tenants);
	hash_index_deinit(&pending->index);
}

static struct pending_process *find(const struct pending_addresses *pending, uint32_t process)
{
	uint64_t hash = hash_words(process, 0);
	uint32_t number;

	for (size_t at = hash_index_first(&pending->index, hash); hash_index_next(&pending->index, hash, &at, &number);)
		if (pending->processes.items[number].process == process)
			return &pending->processes.items[number];
	return NULL;
}

static struct pending_tenant *tenant_of(struct pending_addresses *pending, uint64_t number)
{
	struct pending_tenant *free_one = NULL;

	for (size_t i = 0; i < pending->tenants.count; i++) {
		struct pending_tenant *tenant = &pending->tenants.items[i];

		if (!tenant->processes)
			free_one = tenant;
		else if (tenant->number == number)
			return tenant;
	}
	if (!free_one)
		free_one = array_add(&pending->tenants);
	if (free_one)
		*free_one = (struct pending_tenant){.number = number};
	return free_one;
}

static struct pending_process *add_process(struct pending_addresses *pending, uint32_t row, uint64_t number,
					   uint64_t now_ns)
{
	struct pending_tenant *tenant = tenant_of(pending, number);
	struct pending_process *process;

	if (!tenant || array_reserve(&pending->processes, 1) ||
	    hash_index_insert(&pending->index, hash_words(row, 0), (uint32_t)pending->processes.count))
		return NULL;
	tenant->processes++;
	process = array_add(&pending->processes);
	process->process = row;
	process->tenant = (uint32_t)(tenant - pending->tenants.items);
	process->since_ns = now_ns;
	return process;
}

int pending_addresses_add(struct pending_addresses *pending, uint32_t row, uint64_t tenant,
			  struct pending_address added, uint64_t now_ns)
{
	struct pending_process *process = find(pending, row);

	if (!process)
		process = add_process(pending, row, tenant, now_ns);
	if (!process || array_reserve(&process->list, 1))
		return -ENOMEM;
	*array_add(&process->list) = added;
	pending->tenants.items[process->tenant].addresses++;
	pending->count++;
	return 0;
}

static void take_away(struct pending_addresses *pending, const struct pending_process *process, size_t count)
{
	pending->tenants.items[process->tenant].addresses -= count;
	pending->count -= count;
}

static const struct pending_tenant *find_tenant(const struct pending_addresses *pending, uint64_t number)
{
	for (size_t i = 0; i < pending->tenants.count; i++)
		if (pending->tenants.items[i].processes && pending->tenants.items[i].number == number)
			return &pending->tenants.items[i];
	return NULL;
}

static const struct pending_tenant *largest_tenant(const struct pending_addresses *pending)
{
	const struct pending_tenant *found = pending->tenants.items;

	for (size_t i = 1; i < pending->tenants.count; i++)
		if (pending->tenants.items[i].addresses > found->addresses)
			found = &pending->tenants.items[i];
	return found;
}

static struct pending_process *largest_process(const struct pending_addresses *pending,
					       const struct pending_tenant *tenant)
{
	struct pending_process *found = NULL;

	for (size_t i = 0; i < pending->processes.count; i++) {
		struct pending_process *process = &pending->processes.items[i];

		if (&pending->tenants.items[process->tenant] == tenant &&
		    (!found || pending_process_count(process) > pending_process_count(found)))
			found = process;
	}
	return found;
}

/* Who has more than the newcomer will have: so two that make up addresses do not take turns for ever. NULL: nobody. */
static struct pending_process *who_gives_up(const struct pending_addresses *pending, uint32_t row, uint64_t number)
{
	const struct pending_tenant *largest = largest_tenant(pending), *own = find_tenant(pending, number);
	const struct pending_process *process = find(pending, row);
	struct pending_process *found;

	if ((own ? own->addresses : 0) + 1 < largest->addresses)
		return largest_process(pending, largest);
	found = own ? largest_process(pending, own) : NULL;
	return found && (process ? pending_process_count(process) : 0) + 1 < pending_process_count(found) ? found
													  : NULL;
}

static struct pending_address give_up_oldest(struct pending_addresses *pending, struct pending_process *process)
{
	struct pending_address oldest = *pending_process_first(process);

	take_away(pending, process, 1);
	process->given_up++;
	/* Their room is used again once it is half of all. */
	if (process->given_up > process->list.count / 2) {
		process->list.count = pending_process_count(process);
		memmove(process->list.items, pending_process_first(process),
			process->list.count * sizeof(*process->list.items));
		process->given_up = 0;
	}
	return oldest;
}

enum pending_room pending_addresses_make_room(struct pending_addresses *pending, uint32_t row, uint64_t tenant,
					      struct pending_address *ret_given_up)
{
	struct pending_process *process;

	if (pending->count < PENDING_ADDRESSES_MAX)
		return PENDING_ROOM;
	pending->given_up++;
	process = who_gives_up(pending, row, tenant);
	if (!process)
		return PENDING_NO_ROOM;
	*ret_given_up = give_up_oldest(pending, process);
	return PENDING_ROOM_MADE;
}

bool pending_addresses_has(const struct pending_addresses *pending, uint32_t row)
{
	const struct pending_process *process = find(pending, row);

	return process && pending_process_count(process);
}

void pending_addresses_expect(struct pending_addresses *pending, uint32_t row)
{
	struct pending_process *process = find(pending, row);

	if (process)
		process->after_ns = 0;
}

static int by_turn(const void *left, const void *right)
{
	const struct pending_process *a = left, *b = right;

	if (a->after_ns != b->after_ns)
		return a->after_ns < b->after_ns ? -1 : 1;
	return (a->process > b->process) - (a->process < b->process);
}

/* Not more than before: the index does not grow and cannot fail. */
static void index_anew(struct pending_addresses *pending)
{
	hash_index_clear(&pending->index);
	for (size_t i = 0; i < pending->processes.count; i++)
		hash_index_insert(&pending->index, hash_words(pending->processes.items[i].process, 0), (uint32_t)i);
}

void pending_addresses_sort(struct pending_addresses *pending)
{
	if (pending->processes.count)
		qsort(pending->processes.items, pending->processes.count, sizeof(*pending->processes.items), by_turn);
	index_anew(pending);
}

void pending_process_asked(struct pending_addresses *pending, struct pending_process *process, const bool *still,
			   uint64_t now_ns)
{
	struct pending_address *first = pending_process_first(process);
	size_t count = pending_process_count(process), kept = 0;
	uint64_t wait_ns;

	for (size_t i = 0; i < count; i++)
		if (still[i])
			process->list.items[kept++] = first[i];
	take_away(pending, process, count - kept);
	process->list.count = kept;
	process->given_up = 0;
	if (kept < count)
		process->since_ns = now_ns;
	wait_ns = (now_ns - process->since_ns) / WAIT_PART;
	process->after_ns = now_ns + (wait_ns < PENDING_WAIT_MAX_NS ? wait_ns : PENDING_WAIT_MAX_NS);
}

void pending_process_forget(struct pending_addresses *pending, struct pending_process *process, bool unasked)
{
	size_t count = pending_process_count(process);

	take_away(pending, process, count);
	if (unasked)
		pending->given_up += count;
	process->list.count = process->given_up = 0;
}

void pending_addresses_end(struct pending_addresses *pending)
{
	size_t kept = 0;

	for (size_t i = 0; i < pending->processes.count; i++) {
		struct pending_process process = pending->processes.items[i];

		if (pending_process_count(&process)) {
			pending->processes.items[kept++] = process;
			continue;
		}
		pending->tenants.items[process.tenant].processes--;
		array_deinit(&process.list);
	}
	pending->processes.count = kept;
	index_anew(pending);
}
