/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * array: growing arrays of plain structs.
 *
 * An array is three fields wherever it lives: a pointer, how many are used, how many fit. ARRAY(type) declares them
 * as one field; an all-zero array is empty. Elements move when the array grows: keep indexes, not pointers.
 * Reserved room is left untouched (and so costs no memory yet); array_add() zeroes the one element that it gives.
 */
#ifndef STOKER_BASE_ARRAY_H
#define STOKER_BASE_ARRAY_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY(type)              \
	struct {                 \
		type *items;     \
		size_t count;    \
		size_t capacity; \
	}

#define ARRAY_LENGTH(fixed) (sizeof(fixed) / sizeof((fixed)[0]))

/**
 * array_reserve() - make room for @more further elements
 * Returns 0, or -ENOMEM with the array as it was.
 */
#define array_reserve(array, more)                                                                \
	array_reserve_bytes((void **)&(array)->items, (array)->count, &(array)->capacity, (more), \
			    sizeof(*(array)->items))

/**
 * array_add() - a pointer to one new, zeroed element at the end, or NULL where memory is out
 */
#define array_add(array)           \
	(array_reserve((array), 1) \
		 ? NULL            \
		 : (__typeof__((array)->items))memset(&(array)->items[(array)->count++], 0, sizeof(*(array)->items)))

/**
 * array_insert() - a pointer to one new, zeroed element at @place, or NULL where memory is out
 * @place: at most the count; evaluated once. What was there and behind it moves up by one.
 */
#define array_insert(array, place)                                                                                    \
	(array_reserve((array), 1) ? NULL                                                                             \
				   : (__typeof__((array)->items))array_open((array)->items, &(array)->count, (place), \
									    sizeof(*(array)->items)))

/* Takes the element at @place, which there is, out (and frees nothing); what is behind it moves down by one. */
#define array_remove(array, place) array_close((array)->items, &(array)->count, (place), sizeof(*(array)->items))

/* Frees the elements' memory (not what they point to) and leaves an empty array. */
#define array_deinit(array)            \
	do {                           \
		free((array)->items);  \
		(array)->items = NULL; \
		(array)->count = 0;    \
		(array)->capacity = 0; \
	} while (0)

static inline int array_reserve_bytes(void **items, size_t count, size_t *capacity, size_t more, size_t size)
{
	size_t wanted = *capacity ? *capacity : 8;
	void *grown;

	if (more > SIZE_MAX / size / 2 - count)
		return -ENOMEM;
	if (count + more <= *capacity)
		return 0;
	while (wanted < count + more)
		wanted *= 2;
	grown = realloc(*items, wanted * size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

static inline void *array_open(void *items, size_t *count, size_t place, size_t size)
{
	char *opened = (char *)items + place * size;

	memmove(opened + size, opened, ((*count)++ - place) * size);
	return memset(opened, 0, size);
}

static inline void array_close(void *items, size_t *count, size_t place, size_t size)
{
	char *closed = (char *)items + place * size;

	memmove(closed, closed + size, (--*count - place) * size);
}

#endif
