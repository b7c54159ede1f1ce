/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile_containers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/base/text.h"

#define ID_PREFIX_MIN 3
#define NEAR_NAMES_MAX 3

static const char *text_of(const struct profile *profile, string_id id)
{
	return string_table_text(&profile->rows.strings, id);
}

static size_t distance(const char *a, const char *b)
{
	size_t row[65], length_b = strnlen(b, 64);

	for (size_t j = 0; j <= length_b; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < 64; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= length_b; j++) {
			size_t above = row[j], best = diagonal + (a[i] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[length_b];
}

static void offer_near_names(const struct profile *profile, const char *wanted, char *error, size_t error_size)
{
	char shown[128], name[128];
	size_t limit = strlen(wanted) / 3 + 1;
	int offered = 0;

	snprintf(error, error_size, "no container '%s' in this recording",
		 text_printable(wanted, shown, sizeof(shown)));
	for (uint32_t i = 0; i < profile->rows.containers.count && offered < NEAR_NAMES_MAX; i++) {
		const char *label = profile_container_label(profile, i);

		if (distance(wanted, label) > limit && strncmp(wanted, label, strlen(wanted)) != 0)
			continue;
		text_append(error, error_size, "%s%s", offered++ ? ", " : "; did you mean ",
			    text_printable(label, name, sizeof(name)));
	}
	if (!offered)
		text_append(error, error_size, "; 'stoker info' lists them");
}

static int choose(const struct profile *profile, const char *wanted, bool *chosen, char *error, size_t error_size)
{
	size_t by_name = 0, by_prefix = 0, length = strlen(wanted);
	uint32_t prefixed = 0;
	char shown[64];

	for (uint32_t i = 0; i < profile->rows.containers.count; i++) {
		const struct recording_container *container = &profile->rows.containers.items[i];
		const char *id = text_of(profile, container->id);

		if (!strcmp(wanted, text_of(profile, container->name)) ||
		    !strcmp(wanted, profile_container_label(profile, i)) ||
		    !strcmp(wanted, text_of(profile, container->cgroup))) {
			chosen[i] = true;
			by_name++;
		} else if (length >= ID_PREFIX_MIN && !strncmp(wanted, id, length)) {
			prefixed = i;
			by_prefix++;
		}
	}
	if (by_name)
		return 0;
	if (by_prefix == 1) {
		chosen[prefixed] = true;
		return 0;
	}
	if (by_prefix > 1) {
		snprintf(error, error_size, "'%s' fits %zu containers: give more of the id",
			 text_printable(wanted, shown, sizeof(shown)), by_prefix);
		return -EEXIST;
	}
	offer_near_names(profile, wanted, error, error_size);
	return -ENOENT;
}

int profile_choose_containers(const struct profile *profile, const char *const *names, size_t count, bool *ret_chosen,
			      char *error, size_t error_size)
{
	int err = 0;

	for (uint32_t i = 0; i < profile->rows.containers.count; i++)
		ret_chosen[i] = !count;
	for (size_t i = 0; i < count && !err; i++)
		err = choose(profile, names[i], ret_chosen, error, error_size);
	return err;
}
