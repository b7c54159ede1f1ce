/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/hotspots.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

#include "profiler/render/table.h"
#include "symbolizer/base/text.h"

static const char *frame_name(const struct profile *profile, uint32_t frame)
{
	return string_table_text(&profile->rows.strings, profile->rows.frames.items[frame].name);
}

static void print_parts(const struct profile *profile, const struct hotspot *spot, FILE *out)
{
	char name[256];

	fprintf(out, "     in ");
	for (size_t i = 0; i < spot->part_count; i++)
		fprintf(out, "%s%s %.0f%%", i ? ", " : "",
			text_printable(profile_container_label(profile, spot->parts[i].number), name, sizeof(name)),
			100.0 * (double)spot->parts[i].samples / (double)spot->samples);
	fprintf(out, " (%.1f containers' worth)\n", spot->effective);
	if (!spot->below_count)
		return;
	fprintf(out, "     on the CPU in ");
	for (size_t i = 0; i < spot->below_count; i++)
		fprintf(out, "%s%s %.0f%%", i ? ", " : "",
			text_printable(frame_name(profile, spot->below[i].number), name, sizeof(name)),
			100.0 * (double)spot->below[i].samples / (double)spot->samples);
	fputc('\n', out);
}

int render_hotspots_text(const struct profile *profile, const struct hotspots *hotspots, size_t most, FILE *out)
{
	char name[256], samples[32];

	fprintf(out, "Kernel hotspots, from %s kernel samples on the CPU.\n\n",
		text_grouped(hotspots->kernel_samples, samples, sizeof(samples)));
	if (!hotspots->list.count)
		fprintf(out, "Nothing found: fewer than %d kernel samples, or none that stands out.\n",
			HOTSPOTS_SAMPLES_MIN);
	for (size_t i = 0; i < hotspots->list.count && i < most; i++) {
		const struct hotspot *spot = &hotspots->list.items[i];

		fprintf(out, "%3zu. %-28s %5.1f%% of kernel time, %s samples%s\n", i + 1,
			text_printable(string_table_text(&hotspots->names, spot->name), name, sizeof(name)),
			100.0 * spot->share, text_grouped(spot->samples, samples, sizeof(samples)),
			spot->kind == HOTSPOT_FUNCTION ? ", the function itself" : "");
		print_parts(profile, spot, out);
	}
	fprintf(out,
		"\nWaiting is not seen yet: time blocked, queued for a CPU or asleep on a lock is in none of this.\n");
	render_accounting(profile, out);
	return ferror(out) ? -EIO : 0;
}

static struct json_object *text_json(const char *text)
{
	char printable[1024];

	return json_object_new_string(text_printable(text, printable, sizeof(printable)));
}

static struct json_object *spot_json(const struct profile *profile, const struct hotspots *hotspots,
				     const struct hotspot *spot)
{
	struct json_object *object = json_object_new_object();
	struct json_object *containers = json_object_new_array(), *functions = json_object_new_array();

	json_object_object_add(object, "name", text_json(string_table_text(&hotspots->names, spot->name)));
	json_object_object_add(object, "kind",
			       json_object_new_string(spot->kind == HOTSPOT_FUNCTION ? "function" : "entry"));
	json_object_object_add(object, "samples", json_object_new_int64((int64_t)spot->samples));
	json_object_object_add(object, "share", json_object_new_double(spot->share));
	json_object_object_add(object, "effective_containers", json_object_new_double(spot->effective));
	for (size_t i = 0; i < spot->part_count; i++) {
		struct json_object *part = json_object_new_object();

		json_object_object_add(part, "container",
				       text_json(profile_container_label(profile, spot->parts[i].number)));
		json_object_object_add(part, "samples", json_object_new_int64((int64_t)spot->parts[i].samples));
		json_object_array_add(containers, part);
	}
	for (size_t i = 0; i < spot->below_count; i++) {
		struct json_object *below = json_object_new_object();

		json_object_object_add(below, "function", text_json(frame_name(profile, spot->below[i].number)));
		json_object_object_add(below, "samples", json_object_new_int64((int64_t)spot->below[i].samples));
		json_object_array_add(functions, below);
	}
	json_object_object_add(object, "containers", containers);
	json_object_object_add(object, "functions", functions);
	return object;
}

int render_hotspots_json(const struct profile *profile, const struct hotspots *hotspots, FILE *out)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();
	const char *text;

	for (size_t i = 0; i < hotspots->list.count; i++)
		json_object_array_add(list, spot_json(profile, hotspots, &hotspots->list.items[i]));
	json_object_object_add(object, "kernel_samples", json_object_new_int64((int64_t)hotspots->kernel_samples));
	json_object_object_add(object, "hotspots", list);
	json_object_object_add(object, "not_seen", json_object_new_string("waiting: blocked, run queue, locks"));
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY);
	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(object);
	return text && !ferror(out) ? 0 : -EIO;
}
