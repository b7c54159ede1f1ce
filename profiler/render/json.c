/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_CODE 0xfffdu

int json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(object, key, value)) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

int json_append(struct json_object *array, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_array_add(array, value)) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

/* NULL where memory is out. */
static struct json_object *text_json(const char *text)
{
	size_t length = strlen(text), used = 0;
	_cleanup_free_ char *valid = malloc(3 * length + 1);

	if (!valid || length > INT32_MAX / 3)
		return NULL;
	for (size_t at = 0, taken; at < length; at += taken) {
		uint32_t code;
		bool bad;

		taken = text_decode(text + at, length - at, &code);
		bad = code == REPLACEMENT_CODE;
		memcpy(valid + used, bad ? REPLACEMENT : text + at, bad ? 3 : taken);
		used += bad ? 3 : taken;
	}
	return json_object_new_string_len(valid, (int)used);
}

int json_add_text(struct json_object *object, const char *key, const char *text)
{
	return json_add(object, key, text_json(text));
}

int json_append_text(struct json_object *array, const char *text)
{
	return json_append(array, text_json(text));
}

int json_add_number(struct json_object *object, const char *key, uint64_t number)
{
	return json_add(object, key, json_object_new_uint64(number));
}

int json_add_null(struct json_object *object, const char *key)
{
	/* NULL is json-c's null. */
	return json_object_object_add(object, key, NULL) ? -ENOMEM : 0;
}

int json_add_text_or_null(struct json_object *object, const char *key, const char *text)
{
	return *text ? json_add_text(object, key, text) : json_add_null(object, key);
}

int json_add_numbers(struct json_object *object, const struct json_number *numbers, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = numbers[i].unknown ? json_add_null(object, numbers[i].key)
					 : json_add_number(object, numbers[i].key, numbers[i].number);
	return err;
}

int json_add_fact(struct json_object *object, const char *key, const struct profile *profile, const char *fact)
{
	return profile_fact(profile, fact) ? json_add_number(object, key, profile_fact_number(profile, fact))
					   : json_add_null(object, key);
}

int json_add_real(struct json_object *object, const char *key, double number)
{
	char text[64];

	snprintf(text, sizeof(text), "%.6f", number);
	return json_add(object, key, json_object_new_double_s(number, text));
}

const char *container_kind_name(uint8_t kind)
{
	static const char *const names[] = {
		[CONTAINER_CONTAINER] = "container", [CONTAINER_HOST_UNIT] = "host unit", [CONTAINER_HOST] = "host",
		[CONTAINER_KERNEL] = "kernel",	     [CONTAINER_OVERHEAD] = "overhead",
	};

	return kind < ARRAY_LENGTH(names) && names[kind] ? names[kind] : "unknown";
}

struct json_object *json_container(const struct profile *profile, uint32_t container)
{
	const struct recording_container *row = &profile->rows.containers.items[container];
	const struct {
		const char *key;
		string_id text;
	} texts[] = {
		{"name", row->name},	 {"id", row->id},   {"runtime", row->runtime},
		{"image", row->image},	 {"pod", row->pod}, {"namespace", row->namespace},
		{"cgroup", row->cgroup},
	};
	_cleanup_json_ struct json_object *object = json_object_new_object();
	int err = object ? json_add_text(object, "label", profile_container_label(profile, container)) : -ENOMEM;

	if (!err)
		err = json_add_text(object, "kind", container_kind_name(row->kind));
	for (size_t i = 0; i < ARRAY_LENGTH(texts) && !err; i++)
		if (texts[i].text)
			err = json_add_text(object, texts[i].key,
					    string_table_text(&profile->rows.strings, texts[i].text));
	return err ? NULL : take_ptr(object);
}

/* How user stacks ended, as docs/unwinding.md names the classes; those that there are. */
static int add_ends(struct json_object *account, const struct recording_accounting *row)
{
	static const char *const names[STACK_ENDS] = {
		[STACK_COMPLETE] = "complete",	   [STACK_ASSUMED] = "assumed",
		[STACK_TRUNCATED] = "truncated",   [STACK_GUESSED] = "guessed",
		[STACK_CUT_DEPTH] = "depth",	   [STACK_CUT_UNREADABLE] = "unreadable",
		[STACK_CUT_NO_TABLE] = "no_table", [STACK_CUT_LOST] = "lost",
		[STACK_CUT_RULE] = "rule",	   [STACK_COPIED] = "copied",
		[STACK_CUT_UNCOPIED] = "uncopied",
	};
	_cleanup_json_ struct json_object *ends = json_object_new_object();
	int err = ends ? 0 : -ENOMEM;

	for (size_t i = 0; i < STACK_ENDS && !err; i++)
		if (names[i] && row->user_ends[i])
			err = json_add_number(ends, names[i], row->user_ends[i]);
	return err ? err : json_add(account, "user_ends", take_ptr(ends));
}

struct json_object *json_account(const struct recording_accounting *row)
{
	const struct json_number numbers[] = {
		{"taken", row->taken},
		{"kept", row->kept},
		{"filtered", row->filtered},
		{"lost_ring", row->lost_ring},
		{"lost_read", row->lost_read},
		{"idle", row->idle},
		{"user_samples", row->user_samples},
		{"user_complete", row->user_complete},
		{"user_assumed", row->user_assumed},
		{"user_truncated", row->user_truncated},
		{"user_frames", row->user_frames},
		{"user_named", row->user_named},
		{"python_samples", row->python_samples},
		{"python_whole", row->python_whole},
		{"kernel_frames", row->kernel_frames},
		{"kernel_named", row->kernel_named},
	};
	_cleanup_json_ struct json_object *object = json_object_new_object();
	int err = object ? json_add_numbers(object, numbers, ARRAY_LENGTH(numbers)) : -ENOMEM;

	if (!err)
		err = add_ends(object, row);
	return err ? NULL : take_ptr(object);
}

int json_add_account(struct json_object *object, const struct profile *profile)
{
	int err = json_add(object, "whole", json_object_new_boolean(profile->whole));

	if (!err)
		err = json_add_number(object, "bytes_ignored", profile->bytes_ignored);
	if (err)
		return err;
	if (profile_is_accounted(profile))
		return json_add(object, "accounting", json_account(profile_accounting(profile, RECORDING_TOTAL)));
	return json_add_null(object, "accounting");
}

struct json_object *json_histogram(const uint64_t *buckets)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < RECORDING_BUCKETS && !err; i++) {
		_cleanup_json_ struct json_object *one = NULL;

		if (!buckets[i])
			continue;
		one = json_object_new_object();
		err = one ? json_add_number(one, "from_ns", recording_bucket_ns(i)) : -ENOMEM;
		if (!err)
			err = json_add_number(one, "count", buckets[i]);
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

int json_print(struct json_object *object, FILE *out)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
									  JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		return -ENOMEM;
	fputs(text, out);
	fputc('\n', out);
	return stream_end(out);
}
