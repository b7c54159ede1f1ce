/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/profile/profile_accounting.h"
#include "profiler/recording/recording_reader.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	recording_tables_deinit(&profile->rows);
	array_deinit(&profile->labels);
	free(profile);
}

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

/* The file keeps every state of the accounting; the model keeps the last one of each container. */
static void keep_last_accounting(struct profile *profile)
{
	size_t kept = 0;

	for (size_t i = 0; i < profile->rows.accounting.count; i++) {
		const struct recording_accounting row = profile->rows.accounting.items[i];
		size_t at = 0;

		while (at < kept && profile->rows.accounting.items[at].container != row.container)
			at++;
		profile->rows.accounting.items[at] = row;
		kept += at == kept;
	}
	profile->rows.accounting.count = kept;
}

static bool is_name_shared(const struct profile *profile, uint32_t container)
{
	string_id name = profile->rows.containers.items[container].name;

	for (size_t i = 0; i < profile->rows.containers.count; i++)
		if (i != container && profile->rows.containers.items[i].name == name)
			return true;
	return false;
}

static int make_labels(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->rows.containers.count; i++) {
		const struct recording_container *container = &profile->rows.containers.items[i];
		const char *name = string_table_text(&profile->rows.strings, container->name);
		string_id *label = array_add(&profile->labels);
		char text[512];

		if (!label)
			return -ENOMEM;
		*label = container->name;
		if (!is_name_shared(profile, i))
			continue;
		if (container->id)
			snprintf(text, sizeof(text), "%.400s (%.12s)", name,
				 string_table_text(&profile->rows.strings, container->id));
		else
			snprintf(text, sizeof(text), "%.400s (%llx)", name, (unsigned long long)container->cgroup_id);
		if (string_table_add(&profile->rows.strings, text, strlen(text), label))
			return -ENOMEM;
	}
	return 0;
}

static int explain(int err, const char *path, char *error, size_t error_size)
{
	char shown[256];

	text_printable(path, shown, sizeof(shown));
	switch (err) {
	case -ENODATA:
		snprintf(error, error_size, "%s is empty: nothing was recorded into it", shown);
		break;
	case -EBADMSG:
		snprintf(error, error_size, "%s is not a stoker recording", shown);
		break;
	case -EPROTO:
		snprintf(error, error_size, "%s was made by another version of stoker: read it with that one", shown);
		break;
	default:
		snprintf(error, error_size, "cannot read %s: %s", shown, strerror(-err));
	}
	return err;
}

int profile_load(const char *path, struct profile **ret_profile, char *error, size_t error_size)
{
	_cleanup_(cleanup_profile) struct profile *profile = calloc(1, sizeof(*profile));
	bool is_stdin = !strcmp(path, "-");
	_cleanup_fclose_ FILE *opened = NULL;
	int err;

	if (!profile || recording_tables_init(&profile->rows))
		return explain(-ENOMEM, path, error, error_size);
	if (!is_stdin) {
		opened = fopen(path, "re");
		if (!opened)
			return explain(-errno, path, error, error_size);
	}
	err = recording_read(is_stdin ? stdin : opened, &profile->rows, &profile->whole, &profile->bytes_ignored);
	if (err)
		return explain(err, path, error, error_size);
	keep_last_accounting(profile);
	if (profile_account_samples(&profile->rows) || make_labels(profile))
		return explain(-ENOMEM, path, error, error_size);
	*ret_profile = take_ptr(profile);
	return 0;
}

const char *profile_fact(const struct profile *profile, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < profile->rows.facts.count; i++)
		if (!strcmp(string_table_text(&profile->rows.strings, profile->rows.facts.items[i].key), key))
			value = string_table_text(&profile->rows.strings, profile->rows.facts.items[i].value);
	return value;
}

uint64_t profile_fact_number(const struct profile *profile, const char *key)
{
	const char *value = profile_fact(profile, key);
	uint64_t number = 0;

	return value && text_to_u64(value, 10, &number) ? number : 0;
}

const char *profile_container_label(const struct profile *profile, uint32_t container)
{
	return string_table_text(&profile->rows.strings, profile->labels.items[container]);
}

const struct recording_accounting *profile_accounting(const struct profile *profile, uint32_t container)
{
	for (size_t i = 0; i < profile->rows.accounting.count; i++)
		if (profile->rows.accounting.items[i].container == container)
			return &profile->rows.accounting.items[i];
	return NULL;
}
