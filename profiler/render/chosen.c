/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/chosen.h"

#include <errno.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

void render_none(const char *what, const bool *wanted, FILE *out)
{
	fprintf(out, "%s%s.\n", what, wanted ? " of the containers asked for" : "");
}

void render_chosen(const struct profile *profile, const bool *wanted, FILE *out)
{
	const char *before = "Only what concerns ";
	char label[128];

	for (uint32_t i = 0; i < profile->rows.containers.count && wanted; i++) {
		if (!wanted[i])
			continue;
		fprintf(out, "%s%s", before, text_printable(profile_container_label(profile, i), label, sizeof(label)));
		before = ", ";
	}
	if (wanted)
		fputs("; the lines below account for the whole recording.\n", out);
}

int json_add_chosen(struct json_object *object, const struct profile *profile, const bool *wanted)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	if (!wanted)
		return err;
	for (uint32_t i = 0; i < profile->rows.containers.count && !err; i++)
		if (wanted[i])
			err = json_append(array, json_container(profile, i));
	return err ? err : json_add(object, "only", take_ptr(array));
}
