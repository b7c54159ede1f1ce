/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/profile/profile_accounting.h"
#include "profiler/profile/short_ids.h"
#include "profiler/recording/recording_reader.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	recording_tables_deinit(&profile->rows);
	array_deinit(&profile->labels);
	array_deinit(&profile->id_lengths);
	array_deinit(&profile->calls);
	free(profile);
}

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

/* A fact given again replaces the earlier one, in its place. */
static int keep_last_facts(struct profile *profile)
{
	size_t strings = profile->rows.strings.entries.count, kept = 0;
	_cleanup_free_ uint32_t *place = malloc(strings * sizeof(*place));

	if (!place)
		return -ENOMEM;
	memset(place, 0xff, strings * sizeof(*place));
	for (size_t i = 0; i < profile->rows.facts.count; i++) {
		struct recording_fact fact = profile->rows.facts.items[i];

		if (place[fact.key] == UINT32_MAX)
			place[fact.key] = (uint32_t)kept++;
		profile->rows.facts.items[place[fact.key]] = fact;
	}
	profile->rows.facts.count = kept;
	return 0;
}

/* Labels that are given, and names that more than one container has. */
struct label_maker {
	struct profile *profile;
	uint32_t *named; /* [strings before any label]: containers with this name */
	struct hash_index taken;
};

static void label_maker_deinit(struct label_maker *maker)
{
	free(maker->named);
	hash_index_deinit(&maker->taken);
}

/* Takes a label where nobody has it: 0, -EEXIST or -ENOMEM. */
static int take_label(struct label_maker *maker, string_id label)
{
	uint64_t hash = hash_words(label, 0);
	uint32_t other;

	for (size_t at = hash_index_first(&maker->taken, hash); hash_index_next(&maker->taken, hash, &at, &other);)
		if (other == label)
			return -EEXIST;
	if (hash_index_insert(&maker->taken, hash, label))
		return -ENOMEM;
	*array_add(&maker->profile->labels) = label;
	return 0;
}

static int take_text(struct label_maker *maker, const char *text)
{
	string_id label;

	if (string_table_add(&maker->profile->rows.strings, text, strlen(text), &label))
		return -ENOMEM;
	return take_label(maker, label);
}

/* From what people know to what only machines do: the name, with the id, with the cgroup's path, with the row. */
static int make_label(struct label_maker *maker, uint32_t row)
{
	const struct string_table *strings = &maker->profile->rows.strings;
	const struct recording_container *container = &maker->profile->rows.containers.items[row];
	const char *name = string_table_text(strings, container->name), *cgroup;
	size_t length;
	char text[640];
	int err = -EEXIST;

	/* A container that calls itself "kernel" does not rename the kernel. */
	if (maker->named[container->name] == 1 ||
	    (!container->id && (container->kind == CONTAINER_KERNEL || container->kind == CONTAINER_HOST)))
		err = take_label(maker, container->name);
	if (err == -EEXIST && container->id) {
		snprintf(text, sizeof(text), "%.400s (%.*s)", name, (int)maker->profile->id_lengths.items[row],
			 string_table_text(strings, container->id));
		err = take_text(maker, text);
	}
	if (err == -EEXIST && container->cgroup) {
		cgroup = string_table_text(strings, container->cgroup);
		length = strlen(cgroup);
		snprintf(text, sizeof(text), "%.400s (%s%s)", name, length > 100 ? "…" : "",
			 cgroup + (length > 100 ? length - 100 : 0));
		err = take_text(maker, text);
	}
	if (err == -EEXIST) {
		snprintf(text, sizeof(text), "%.400s (row %u)", name, row);
		err = take_text(maker, text);
	}
	/* Others may be called that: no more of them than there are containers. */
	for (unsigned int attempt = 1; err == -EEXIST; attempt++) {
		snprintf(text, sizeof(text), "%.400s (row %u, %u)", name, row, attempt);
		err = take_text(maker, text);
	}
	return err;
}

static int shorten_ids(struct profile *profile)
{
	size_t count = profile->rows.containers.count;
	_cleanup_free_ const char **ids = calloc(count + 1, sizeof(*ids));

	if (!ids || array_reserve(&profile->id_lengths, count))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		ids[i] = string_table_text(&profile->rows.strings, profile->rows.containers.items[i].id);
	profile->id_lengths.count = count;
	return short_id_lengths(ids, count, profile->id_lengths.items);
}

static int make_labels(struct profile *profile)
{
	size_t names = profile->rows.strings.entries.count;
	_cleanup_(label_maker_deinit) struct label_maker maker = {
		.profile = profile,
		.named = calloc(names, sizeof(uint32_t)),
	};
	int err = maker.named && !array_reserve(&profile->labels, profile->rows.containers.count) ? 0 : -ENOMEM;

	if (!err)
		err = shorten_ids(profile);
	for (size_t i = 0; i < profile->rows.containers.count && !err; i++)
		maker.named[profile->rows.containers.items[i].name]++;
	for (uint32_t i = 0; i < profile->rows.containers.count && !err; i++)
		err = make_label(&maker, i);
	return err;
}

static int join_calls(struct profile *profile)
{
	const struct recording_tables *rows = &profile->rows;

	if (!rows->samples.count)
		return 0;
	if (array_reserve(&profile->calls, rows->samples.count))
		return -ENOMEM;
	profile->calls.count = rows->samples.count;
	memset(profile->calls.items, 0, rows->samples.count * sizeof(*profile->calls.items));
	for (size_t i = 0; i < rows->sample_calls.count; i++)
		profile->calls.items[rows->sample_calls.items[i].sample] = rows->sample_calls.items[i].name;
	return 0;
}

char *profile_input_name(const char *path, char *out, size_t size)
{
	return text_printable(strcmp(path, "-") != 0 ? path : "standard input", out, size);
}

static int explain(int err, const char *path, char *error, size_t error_size)
{
	char shown[256];

	profile_input_name(path, shown, sizeof(shown));
	switch (err) {
	case -ENODATA:
		snprintf(error, error_size, "%s is empty: nothing was recorded into it", shown);
		break;
	case -EBADMSG:
		snprintf(error, error_size, "%s is not a stoker recording", shown);
		break;
	case -EFBIG:
		snprintf(error, error_size, "%s is larger than this stoker reads (%llu GiB in memory)", shown,
			 RECORDING_MEMORY_BYTES_MAX >> 30);
		break;
	case -EPROTO:
		snprintf(error, error_size, "%s was made by another version of stoker: read it with that one", shown);
		break;
	default:
		snprintf(error, error_size, "cannot read %s: %s", shown, strerror(-err));
	}
	return err;
}

/* read(2) of a folder is an error that the reader of recordings cannot tell from others. */
static bool is_folder(FILE *file)
{
	struct stat status;

	return !fstat(fileno(file), &status) && S_ISDIR(status.st_mode);
}

int profile_load_file(FILE *file, const char *path, unsigned int wants, uint64_t memory_bytes_max,
		      struct profile **ret_profile, char *error, size_t error_size)
{
	_cleanup_(cleanup_profile) struct profile *profile = calloc(1, sizeof(*profile));
	struct recording_end end;
	int err;

	if (!profile || recording_tables_init(&profile->rows))
		return explain(-ENOMEM, path, error, error_size);
	err = is_folder(file) ? -EISDIR : recording_read(file, wants, memory_bytes_max, &profile->rows, &end);
	if (err)
		return explain(err, path, error, error_size);
	profile->whole = end.whole;
	profile->beyond_memory = end.beyond_memory;
	profile->others = end.left_out;
	profile->bytes_ignored = end.ignored;
	if (keep_last_facts(profile) || profile_account(&profile->rows) || make_labels(profile) || join_calls(profile))
		return explain(-ENOMEM, path, error, error_size);
	*ret_profile = take_ptr(profile);
	return 0;
}

int profile_load(const char *path, unsigned int wants, struct profile **ret_profile, char *error, size_t error_size)
{
	_cleanup_fclose_ FILE *opened = NULL;
	FILE *file = stdin;

	if (strcmp(path, "-") != 0) {
		opened = file = fopen(path, "re");
		if (!opened)
			return explain(-errno, path, error, error_size);
	}
	return profile_load_file(file, path, wants, RECORDING_MEMORY_BYTES_MAX, ret_profile, error, error_size);
}

const char *profile_fact(const struct profile *profile, const char *key)
{
	string_id wanted;

	if (string_table_find(&profile->rows.strings, key, strlen(key), &wanted))
		return NULL;
	for (size_t i = 0; i < profile->rows.facts.count; i++)
		if (profile->rows.facts.items[i].key == wanted)
			return string_table_text(&profile->rows.strings, profile->rows.facts.items[i].value);
	return NULL;
}

uint64_t profile_fact_number(const struct profile *profile, const char *key)
{
	const char *value = profile_fact(profile, key);
	uint64_t number = 0;

	return value && text_to_u64(value, 10, &number) ? number : 0;
}

uint64_t profile_last_sample_ns(const struct profile *profile)
{
	uint64_t last_ns = 0;

	for (size_t i = 0; i < profile->rows.samples.count; i++)
		if (profile->rows.samples.items[i].time_ns > last_ns)
			last_ns = profile->rows.samples.items[i].time_ns;
	return last_ns;
}

uint64_t profile_period_ns(const struct profile *profile)
{
	uint64_t period_ns = profile_fact_number(profile, "event.period_ns");
	uint64_t hz = profile_fact_number(profile, "event.hz");

	return period_ns || !hz ? period_ns : 1000000000 / hz;
}

const char *profile_container_label(const struct profile *profile, uint32_t container)
{
	return string_table_text(&profile->rows.strings, profile->labels.items[container]);
}

const struct recording_accounting *profile_accounting(const struct profile *profile, uint32_t container)
{
	size_t containers = profile->rows.containers.count;

	if (container == RECORDING_TOTAL)
		return &profile->rows.accounting.items[containers];
	return container < containers ? &profile->rows.accounting.items[container] : NULL;
}

bool profile_call_is_told(const struct profile *profile, size_t sample)
{
	return profile->rows.sample_calls.count && sample < profile->rows.calls_told;
}

bool profile_is_empty(const struct profile *profile)
{
	const struct recording_tables *rows = &profile->rows;

	return !profile->others && !rows->samples.count && !rows->calls.count && !rows->waits.count &&
	       !rows->queues.count && !rows->locks.count;
}

bool profile_is_accounted(const struct profile *profile)
{
	bool sampled = false;

	for (size_t i = 0; i < profile->rows.samples.count && !sampled; i++)
		sampled = profile->rows.samples.items[i].kind == SAMPLE_ONCPU;
	return profile_accounting(profile, RECORDING_TOTAL)->taken || (profile->whole && !sampled);
}
