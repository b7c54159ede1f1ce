/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * partition_point: the search by halves in whatever is sorted.
 *
 * Of n elements in order, the first ones fulfil a condition and all after them do not: the partition point is how many
 * do, and so the index of the first that does not (n where there is none). The condition says which look-up it is:
 *
 *	at = partition_point(i, n, items[i].key < key);		where @key is, or where it belongs
 *	at = partition_point(i, n, items[i].start <= address);	the last that starts at or below is at - 1, if at > 0
 */
#ifndef STOKER_BASE_PARTITION_POINT_H
#define STOKER_BASE_PARTITION_POINT_H

#include <stddef.h>

/**
 * partition_point() - how many of the first elements fulfil a condition
 * @i:        a name for an index (size_t) below @count, declared here for @fulfils
 * @count:    elements; evaluated once
 * @fulfils:  an expression of @i, evaluated about log2(@count) times; where it is not true first and false after, the
 *            answer is some number up to @count
 */
#define partition_point(i, count, fulfils)                       \
	({                                                       \
		size_t _first = 0, _end = (count);               \
		while (_first < _end) {                          \
			size_t i = _first + (_end - _first) / 2; \
			if (fulfils)                             \
				_first = i + 1;                  \
			else                                     \
				_end = i;                        \
		}                                                \
		_first;                                          \
	})

#endif
