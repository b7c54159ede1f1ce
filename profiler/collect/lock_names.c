/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/lock_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/iterator.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/kernel_data.h"

#include "stoker.skel.h"

#define KALLSYMS "/proc/kallsyms"

struct known_lock {
	uint64_t lock;
	uint32_t where;
	string_id name;
};

struct lock_names {
	struct stoker_bpf *skeleton;
	struct recording_writer *writer;
	ARRAY(struct known_lock) locks; /* those before @looked_up were asked for */
	struct hash_index index;
	size_t looked_up;
	bool no_symbols; /* of the kernel's data: no use to look again */
};

int lock_names_new(struct stoker_bpf *skeleton, struct recording_writer *writer, struct lock_names **ret_names)
{
	struct lock_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->skeleton = skeleton;
	names->writer = writer;
	*ret_names = names;
	return 0;
}

void lock_names_free(struct lock_names *names)
{
	if (!names)
		return;
	array_deinit(&names->locks);
	hash_index_deinit(&names->index);
	free(names);
}

static struct known_lock *find(const struct lock_names *names, uint64_t lock)
{
	uint64_t hash = hash_words(lock, 0);
	uint32_t number;

	for (size_t at = hash_index_first(&names->index, hash); hash_index_next(&names->index, hash, &at, &number);)
		if (names->locks.items[number].lock == lock)
			return &names->locks.items[number];
	return NULL;
}

int lock_names_want(struct lock_names *names, uint32_t where, uint64_t lock)
{
	if ((where != LOCK_STATIC && where != LOCK_IN_SLAB) || find(names, lock))
		return 0;
	if (array_reserve(&names->locks, 1) ||
	    hash_index_insert(&names->index, hash_words(lock, 0), (uint32_t)names->locks.count))
		return -ENOMEM;
	*array_add(&names->locks) = (struct known_lock){.lock = lock, .where = where};
	return 0;
}

static int add_name(struct lock_names *names, struct known_lock *known, const char *name)
{
	return recording_writer_string(names->writer, name, strlen(name), &known->name);
}

static int name_static(struct lock_names *names, struct known_lock *known, const struct kernel_datum *datum)
{
	char text[KERNEL_DATUM_BYTES + 24];

	if (!datum->name[0])
		return 0;
	if (!datum->offset)
		return add_name(names, known, datum->name);
	snprintf(text, sizeof(text), "%s+0x%" PRIx64, datum->name, datum->offset);
	return add_name(names, known, text);
}

static int look_up_static(struct lock_names *names)
{
	ARRAY(struct kernel_datum) data = {0};
	bool any = false;
	size_t found = 0;
	int err = 0;

	for (size_t i = names->looked_up; i < names->locks.count && !err && !names->no_symbols; i++) {
		struct kernel_datum *datum = names->locks.items[i].where == LOCK_STATIC ? array_add(&data) : NULL;

		if (datum)
			datum->address = names->locks.items[i].lock;
		else if (names->locks.items[i].where == LOCK_STATIC)
			err = -ENOMEM;
	}
	/* A kernel that does not let us read its symbols has none. */
	if (!err && data.count)
		names->no_symbols = kernel_data_find(KALLSYMS, data.items, data.count, &any) || !any;
	for (size_t i = names->looked_up; i < names->locks.count && found < data.count && !err; i++)
		if (names->locks.items[i].where == LOCK_STATIC)
			err = name_static(names, &names->locks.items[i], &data.items[found++]);
	array_deinit(&data);
	return err;
}

static int look_up_slabs(struct lock_names *names)
{
	_cleanup_fclose_ FILE *file = NULL;
	struct slab_name told;
	bool wanted = false;
	int err = 0;

	for (size_t i = names->looked_up; i < names->locks.count; i++)
		wanted = wanted || names->locks.items[i].where == LOCK_IN_SLAB;
	if (!wanted || iterator_open(names->skeleton->progs.tell_slab_name, &file))
		return 0;
	while (!err && fread(&told, sizeof(told), 1, file) == 1) {
		struct known_lock *known = find(names, told.cache);

		told.name[sizeof(told.name) - 1] = '\0';
		if (known && !known->name)
			err = add_name(names, known, told.name);
	}
	return err;
}

int lock_names_look_up(struct lock_names *names)
{
	int err;

	if (names->looked_up == names->locks.count)
		return 0;
	err = look_up_static(names);
	if (!err)
		err = look_up_slabs(names);
	names->looked_up = names->locks.count;
	return err;
}

string_id lock_names_find(const struct lock_names *names, uint32_t where, uint64_t lock)
{
	const struct known_lock *known = where == LOCK_STATIC || where == LOCK_IN_SLAB ? find(names, lock) : NULL;

	return known ? known->name : 0;
}
