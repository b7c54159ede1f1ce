/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/short_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

static int by_text(const void *left, const void *right, void *context)
{
	const char *const *ids = context;

	return strcmp(ids[*(const size_t *)left], ids[*(const size_t *)right]);
}

static size_t common(const char *a, const char *b)
{
	size_t length = 0;

	while (a[length] && a[length] == b[length])
		length++;
	return length;
}

/* Of ids in order, the one that begins most like another is the one beside it. */
static void tell_from_before(const char *const *ids, const size_t *order, size_t count, size_t *lengths)
{
	const char *before = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *id = ids[order[i]];
		size_t needed;

		if (i && strcmp(ids[order[i - 1]], id) != 0)
			before = ids[order[i - 1]];
		needed = before ? common(before, id) + 1 : 0;
		if (needed > lengths[order[i]])
			lengths[order[i]] = needed;
	}
}

static void turn_round(size_t *order, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		size_t one = order[i];

		order[i] = order[count - 1 - i];
		order[count - 1 - i] = one;
	}
}

int short_id_lengths(const char *const *ids, size_t count, size_t *ret_lengths)
{
	_cleanup_free_ size_t *order = malloc((count + 1) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		order[i] = i;
		ret_lengths[i] = SHORT_ID;
	}
	qsort_r(order, count, sizeof(*order), by_text, (void *)ids);
	tell_from_before(ids, order, count, ret_lengths);
	turn_round(order, count);
	tell_from_before(ids, order, count, ret_lengths);
	return 0;
}
