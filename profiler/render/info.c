/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/info.h"

#include <errno.h>

#include <json-c/json.h>

#include "profiler/render/table.h"
#include "symbolizer/base/text.h"

static const char *text_of(const struct profile *profile, string_id id, char *out, size_t size)
{
	return text_printable(string_table_text(&profile->rows.strings, id), out, size);
}

int render_info_text(const struct profile *profile, FILE *out)
{
	struct table_options options = {0};
	char key[128], value[512];

	for (size_t i = 0; i < profile->rows.facts.count; i++) {
		const struct recording_fact *fact = &profile->rows.facts.items[i];

		fprintf(out, "%-20s %s\n", text_of(profile, fact->key, key, sizeof(key)),
			text_of(profile, fact->value, value, sizeof(value)));
	}
	fputc('\n', out);
	return render_table(profile, &options, out);
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

static struct json_object *account_json(const struct recording_accounting *account)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "idle", account->idle);
	add_number(object, "taken", account->taken);
	add_number(object, "kept", account->kept);
	add_number(object, "filtered", account->filtered);
	add_number(object, "lost_ring", account->lost_ring);
	add_number(object, "lost_read", account->lost_read);
	add_number(object, "user_samples", account->user_samples);
	add_number(object, "user_complete", account->user_complete);
	add_number(object, "user_assumed", account->user_assumed);
	add_number(object, "user_truncated", account->user_truncated);
	add_number(object, "user_frames", account->user_frames);
	add_number(object, "user_named", account->user_named);
	add_number(object, "kernel_frames", account->kernel_frames);
	add_number(object, "kernel_named", account->kernel_named);
	return object;
}

static void add_text(const struct profile *profile, struct json_object *object, const char *key, string_id id)
{
	char text[1024];

	json_object_object_add(object, key, json_object_new_string(text_of(profile, id, text, sizeof(text))));
}

static struct json_object *container_json(const struct profile *profile, uint32_t number)
{
	static const char *const kinds[] = {"unknown", "container", "host unit", "host", "kernel", "overhead"};
	const struct recording_container *container = &profile->rows.containers.items[number];
	struct json_object *object = json_object_new_object();

	add_text(profile, object, "name", container->name);
	json_object_object_add(
		object, "kind",
		json_object_new_string(container->kind < ARRAY_LENGTH(kinds) ? kinds[container->kind] : "unknown"));
	add_text(profile, object, "id", container->id);
	add_text(profile, object, "runtime", container->runtime);
	add_text(profile, object, "image", container->image);
	add_text(profile, object, "pod", container->pod);
	add_text(profile, object, "namespace", container->namespace);
	add_text(profile, object, "cgroup", container->cgroup);
	json_object_object_add(object, "accounting", account_json(profile_accounting(profile, number)));
	return object;
}

int render_info_json(const struct profile *profile, FILE *out)
{
	struct json_object *object = json_object_new_object(), *facts = json_object_new_object();
	struct json_object *containers = json_object_new_array();
	char key[128];
	const char *text;

	for (size_t i = 0; i < profile->rows.facts.count; i++) {
		const struct recording_fact *fact = &profile->rows.facts.items[i];

		add_text(profile, facts, text_of(profile, fact->key, key, sizeof(key)), fact->value);
	}
	for (uint32_t i = 0; i < profile->rows.containers.count; i++)
		json_object_array_add(containers, container_json(profile, i));
	json_object_object_add(object, "whole", json_object_new_boolean(profile->whole));
	add_number(object, "bytes_ignored", profile->bytes_ignored);
	json_object_object_add(object, "facts", facts);
	json_object_object_add(object, "accounting", account_json(profile_accounting(profile, RECORDING_TOTAL)));
	json_object_object_add(object, "containers", containers);
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY);
	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(object);
	return text && !ferror(out) ? 0 : -EIO;
}
