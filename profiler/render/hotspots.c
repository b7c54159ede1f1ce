/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/hotspots.h"

#include <errno.h>
#include <string.h>

#include "profiler/render/chosen.h"
#include "profiler/render/name_text.h"
#include "profiler/render/table.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define HOTSPOTS_SHOWN 10
#define SHARE_MIN 0.01		/* of all kernel time: below, a hotspot is none (the first one is always shown) */
#define CONTAINER_PART_MIN 0.02 /* of a hotspot's time */
#define NAMES_SHOWN 6
#define NAME_PART_MIN 0.01
#define CONTAINERS_SHOWN 12
#define LINE_COLUMNS 96
#define NAME_COLUMNS 32

static const char not_seen[] = "On-CPU samples only: who waits (for locks, for disks, for a CPU) is not seen here.";

static double part_of(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static const char *kind_name(const struct hotspot *hotspot)
{
	static const char *const names[] = {
		[KERNEL_ENTRY_SYSTEM_CALL] = "system call",
		[KERNEL_ENTRY_PAGE_FAULT] = "page fault",
		[KERNEL_ENTRY_INTERRUPT] = "interrupt",
		[KERNEL_ENTRY_THREAD] = "kernel thread",
		[KERNEL_ENTRY_OTHER] = "other",
		[KERNEL_ENTRY_TRACING] = "tracing",
	};

	return hotspot->is_function ? "kernel function" : names[hotspot->kind];
}

static bool concerns(const struct hotspot *hotspot, const bool *wanted)
{
	bool any = !wanted;

	for (size_t i = 0; i < hotspot->containers.count && !any; i++)
		any = is_chosen(wanted, hotspot->containers.items[i].container);
	return any;
}

static size_t shown_containers(const struct hotspot *hotspot)
{
	size_t count = 0;

	while (count < hotspot->containers.count &&
	       (!count || part_of(hotspot->containers.items[count].samples, hotspot->samples) >= CONTAINER_PART_MIN))
		count++;
	return count;
}

/* @first: so many are shown for their part. One that was asked for has its line, however small its part. */
static bool is_shown(const struct hotspot *hotspot, size_t number, size_t first, const bool *wanted)
{
	return number < first || (wanted && wanted[hotspot->containers.items[number].container]);
}

static void put_wrapped(const char *lead, const char *text, FILE *out)
{
	size_t column = 3 + text_columns(lead), indent = column;

	fprintf(out, "   %s", lead);
	while (*text) {
		size_t length = strcspn(text, " ");

		if (column + length + 1 > LINE_COLUMNS && column > indent) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		fprintf(out, "%s%.*s", column > indent ? " " : "", (int)length, text);
		column += length + (column > indent);
		text += length + (text[length] == ' ');
	}
	fputc('\n', out);
}

static void put_names(const struct hotspots *hotspots, const char *lead, const struct hotspot_name *names, size_t count,
		      uint64_t whole, FILE *out)
{
	char line[1024] = "", shown[128];

	for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
		if (i && part_of(names[i].samples, whole) < NAME_PART_MIN)
			break;
		text_printable(string_table_text(&hotspots->strings, names[i].name), shown, sizeof(shown));
		text_append(line, sizeof(line), "%s%s %.0f%%", i ? ", " : "", shown,
			    100 * part_of(names[i].samples, whole));
	}
	if (line[0])
		put_wrapped(lead, line, out);
}

static void put_containers(const struct hotspot *hotspot, const struct profile *profile, const bool *wanted, FILE *out)
{
	size_t first = shown_containers(hotspot), shown = 0;
	char label[4 * NAME_COLUMNS + 1];

	if (first > CONTAINERS_SHOWN)
		first = CONTAINERS_SHOWN;
	for (size_t i = 0; i < hotspot->containers.count; i++) {
		const struct hotspot_container *part = &hotspot->containers.items[i];
		size_t columns;

		if (!is_shown(hotspot, i, first, wanted))
			continue;
		shown++;

		name_text(profile_container_label(profile, part->container), NAME_COLUMNS, label, sizeof(label));
		columns = text_columns(label);
		fprintf(out, "   %s%*s %3.0f%% of it, %3.0f%% of this container's own CPU time\n", label,
			(int)(columns < NAME_COLUMNS ? NAME_COLUMNS - columns : 0), "",
			100 * part_of(part->samples, hotspot->samples), 100 * part_of(part->samples, part->own));
	}
	if (shown < hotspot->containers.count)
		fprintf(out, "   and %zu more\n", hotspot->containers.count - shown);
}

/* Of an entry: with the functions that are hotspots of their own. */
static uint64_t whole_of(const struct hotspot *hotspot)
{
	uint64_t samples = hotspot->samples;

	for (size_t i = 0; i < hotspot->without.count; i++)
		samples += hotspot->without.items[i].samples;
	return samples;
}

/* ", the rest without __d_lookup_rcu and 1 more" */
static void put_rest(const struct hotspots *hotspots, const struct hotspot *hotspot, char *text, size_t size)
{
	char name[128];

	text_printable(string_table_text(&hotspots->strings, hotspot->without.items[0].name), name, sizeof(name));
	snprintf(text, size, ", the rest without %s", name);
	if (hotspot->without.count > 1)
		text_append(text, size, " and %zu more", hotspot->without.count - 1);
}

static void put_hotspot(const struct hotspots *hotspots, const struct hotspot *hotspot, size_t number,
			const struct profile *profile, const bool *wanted, FILE *out)
{
	const char *kind = "";
	char name[128], without[192] = "";

	if (hotspot->is_function)
		kind = " (kernel function)";
	else if (hotspot->kind == KERNEL_ENTRY_SYSTEM_CALL)
		kind = " (system call)";
	text_printable(string_table_text(&hotspots->strings, hotspot->name), name, sizeof(name));
	if (hotspot->rest)
		put_rest(hotspots, hotspot, without, sizeof(without));
	fprintf(out, "%zu. %s%s%s: %.1f%% of all kernel time", number, name, kind, without,
		100 * part_of(hotspot->samples, hotspots->kernel_samples));
	if (hotspot->containers_effective > 0)
		fprintf(out, ", hot in %.1f containers", hotspot->containers_effective);
	fputc('\n', out);
	put_containers(hotspot, profile, wanted, out);
	if (hotspot->functions.count > 1 || !hotspot->is_function)
		put_names(hotspots, "in:    ", hotspot->functions.items, hotspot->functions.count, hotspot->samples,
			  out);
	if (hotspot->is_function)
		put_names(hotspots, "under: ", hotspot->entries.items, hotspot->entries.count, hotspot->samples, out);
	if (hotspot->rest)
		put_names(hotspots, "less:  ", hotspot->without.items, hotspot->without.count, whole_of(hotspot), out);
	if (hotspot->what && !hotspot->rest)
		put_wrapped("why:   ", hotspot->what, out);
	if (hotspot->way_out && !hotspot->rest)
		put_wrapped("do:    ", hotspot->way_out, out);
	fputc('\n', out);
}

/* What is not shown. */
struct more {
	size_t count, worth; /* of these: of SHARE_MIN and more */
	uint64_t samples;
};

static void put_more(const struct hotspots *hotspots, const struct more *more, FILE *out)
{
	if (!more->count)
		return;
	fprintf(out, "(%zu more, %.1f%% of all kernel time", more->count,
		100 * part_of(more->samples, hotspots->kernel_samples));
	if (more->worth)
		fprintf(out, "; -n shows the %zu of 1%% and more", more->worth);
	fputs(")\n\n", out);
}

static void put_hotspots(const struct hotspots *hotspots, const struct profile *profile,
			 const struct hotspots_options *options, FILE *out)
{
	size_t max = options->max ? options->max : HOTSPOTS_SHOWN, shown = 0;
	struct more more = {0};

	for (size_t i = 0; i < hotspots->list.count; i++) {
		const struct hotspot *hotspot = &hotspots->list.items[i];
		bool worth = part_of(hotspot->rank, hotspots->kernel_samples) >= SHARE_MIN;

		if (!concerns(hotspot, options->wanted))
			continue;
		if (shown < max && (!shown || worth)) {
			put_hotspot(hotspots, hotspot, i + 1, profile, options->wanted, out);
			shown++;
			continue;
		}
		more.count++;
		more.worth += worth;
		more.samples += hotspot->samples;
	}
	if (!shown && hotspots->list.count) {
		render_none("No hotspots", options->wanted, out);
		fputc('\n', out);
	}
	put_more(hotspots, &more, out);
}

int render_hotspots_text(const struct hotspots *hotspots, const struct profile *profile,
			 const struct hotspots_options *options, FILE *out)
{
	char kernel[32], all[32];

	fprintf(out, "Kernel time: %s of %s samples (%.0f%%). %s\n\n",
		text_grouped(hotspots->kernel_samples, kernel, sizeof(kernel)),
		text_grouped(hotspots->samples, all, sizeof(all)),
		100 * part_of(hotspots->kernel_samples, hotspots->samples), not_seen);
	if (!hotspots->list.count)
		fprintf(out, "Nothing found: fewer than %d samples were in the kernel, too few to say where.\n\n",
			HOTSPOTS_SAMPLES_MIN);
	put_hotspots(hotspots, profile, options, out);
	render_chosen(profile, options->wanted, out);
	return render_accounting(profile, out);
}

static struct json_object *names_json(const struct hotspots *hotspots, const struct hotspot_name *names, size_t count,
				      uint64_t whole)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !err; i++) {
		_cleanup_json_ struct json_object *one = json_object_new_object();

		if (i && part_of(names[i].samples, whole) < NAME_PART_MIN)
			break;
		err = one ? json_add_text(one, "name", string_table_text(&hotspots->strings, names[i].name)) : -ENOMEM;
		if (!err)
			err = json_add_number(one, "samples", names[i].samples);
		if (!err)
			err = json_add_real(one, "part", part_of(names[i].samples, whole));
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	return err ? NULL : take_ptr(array);
}

static struct json_object *containers_json(const struct hotspot *hotspot, const struct profile *profile,
					   const bool *wanted, size_t *ret_shown)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	size_t first = shown_containers(hotspot), shown = 0;
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < hotspot->containers.count && !err; i++) {
		const struct hotspot_container *part = &hotspot->containers.items[i];
		_cleanup_json_ struct json_object *one = NULL;

		if (!is_shown(hotspot, i, first, wanted))
			continue;
		shown++;
		one = json_container(profile, part->container);
		err = one ? json_add_number(one, "samples", part->samples) : -ENOMEM;
		if (!err)
			err = json_add_real(one, "part", part_of(part->samples, hotspot->samples));
		if (!err)
			err = json_add_real(one, "own_part", part_of(part->samples, part->own));
		if (!err)
			err = json_append(array, take_ptr(one));
	}
	*ret_shown = shown;
	return err ? NULL : take_ptr(array);
}

static struct json_object *hotspot_json(const struct hotspots *hotspots, const struct hotspot *hotspot,
					const struct profile *profile, const bool *wanted)
{
	size_t shown = 0;
	_cleanup_json_ struct json_object *one = json_object_new_object();
	int err = one ? json_add_text(one, "name", string_table_text(&hotspots->strings, hotspot->name)) : -ENOMEM;

	if (!err)
		err = json_add_text(one, "kind", kind_name(hotspot));
	if (!err)
		err = json_add(one, "rest", json_object_new_boolean(hotspot->rest));
	if (!err)
		err = json_add_number(one, "samples", hotspot->samples);
	if (!err)
		err = json_add_real(one, "share", part_of(hotspot->samples, hotspots->kernel_samples));
	if (!err)
		err = hotspot->containers_effective > 0
			      ? json_add_real(one, "containers_effective", hotspot->containers_effective)
			      : json_add_null(one, "containers_effective");
	if (!err)
		err = json_add(one, "containers", containers_json(hotspot, profile, wanted, &shown));
	if (!err)
		err = json_add_number(one, "containers_more", hotspot->containers.count - shown);
	if (!err)
		err = json_add(
			one, "functions",
			names_json(hotspots, hotspot->functions.items, hotspot->functions.count, hotspot->samples));
	if (!err)
		err = json_add(one, "under",
			       names_json(hotspots, hotspot->entries.items, hotspot->entries.count, hotspot->samples));
	if (!err && hotspot->rest)
		err = json_add(one, "without",
			       names_json(hotspots, hotspot->without.items, hotspot->without.count, whole_of(hotspot)));
	if (!err && hotspot->what)
		err = json_add_text(one, "what", hotspot->what);
	if (!err && hotspot->way_out)
		err = json_add_text(one, "way_out", hotspot->way_out);
	return err ? NULL : take_ptr(one);
}

int render_hotspots_json(const struct hotspots *hotspots, const struct profile *profile,
			 const struct hotspots_options *options, FILE *out)
{
	_cleanup_json_ struct json_object *top = json_object_new_object();
	_cleanup_json_ struct json_object *list = json_object_new_array();
	int err = top && list ? 0 : -ENOMEM;

	for (size_t i = 0; i < hotspots->list.count && !err; i++)
		if (concerns(&hotspots->list.items[i], options->wanted))
			err = json_append(list,
					  hotspot_json(hotspots, &hotspots->list.items[i], profile, options->wanted));
	if (!err)
		err = json_add_chosen(top, profile, options->wanted);
	if (!err)
		err = json_add_number(top, "samples", hotspots->samples);
	if (!err)
		err = json_add_number(top, "kernel_samples", hotspots->kernel_samples);
	if (!err)
		err = json_add_text(top, "not_seen", not_seen);
	if (!err)
		err = json_add(top, "hotspots", take_ptr(list));
	if (!err)
		err = json_add_account(top, profile);
	return err ? err : json_print(top, out);
}
