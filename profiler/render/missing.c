/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/missing.h"

#include <errno.h>
#include <string.h>

#include "profiler/profile/profile_summary.h"
#include "profiler/render/columns.h"
#include "profiler/render/json.h"
#include "profiler/render/name_text.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define REASONS_MAX 5	    /* of one container in the table; JSON has all */
#define SHARE_MIN_PERCENT 1 /* of its frames */

enum { CONTAINER, SHARE, WHY, FIX, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"UNNAMED IN", false, 40},
	[SHARE] = {"FRAMES", true, 8},
	[WHY] = {"WHY", false, 60},
	[FIX] = {"WHAT HELPS", false, 100},
};

static bool walked_by_tables(const struct profile *profile)
{
	static const char by_tables[] = "tables";
	const char *how = profile_fact(profile, "user_stacks");

	return how && !strncmp(how, by_tables, strlen(by_tables));
}

/*
 * What to do about a reason ("[stripped libfoo.so]"), by how it starts; "" where nothing helps. The symbolizer's naming.c and, of
 * Python and of stacks that are lost, the recorder write them.
 */
static const char *fix_of(const struct profile *profile, const char *reason)
{
	static const char no_mapping[] = "[no mapping]";

	static const struct {
		const char *reason, *fix;
	} known[] = {
		{"[stripped ",
		 "its debug symbols (-dbgsym, -dbg or debuginfo package), on the host or in the container"},
		{"[jit: no map]", "a perf map: node --perf-basic-prof, python -X perf, --java-maps for Java"},
		{"[jit: not in its map]", "a map that is kept up to the end of the recording"},
		{"[jit: map of another owner]", "a map that belongs to the process's own user"},
		{"[jit: map too large]", "fewer functions in the map: without the interpreter's, for example"},
		{"[jit: map is no regular file]", "a map that is a file"},
		{"[python: thread state not found]", "an interpreter that is linked with glibc"},
		{"[python: version not known]", "CPython 3.11, 3.12 or 3.13"},
		{no_mapping, "stacks walked by tables: --unwind auto; their frame pointers lead nowhere"},
		{"[memory is locked]", "a process that does not hold the lock of its memory for seconds"},
		{"[too many stacks at once]", "fewer samples (-F), or a recording of fewer containers (-C)"},
		{"[exited]", "nothing: it ended before it could be looked at"},
		{"[too many files", "a recording of fewer containers (-C)"},
		{"[quarantined ", "a report to us: the file made the parser fail twice"},
		{"[takes too long: ", "a report to us: the file takes the parser seconds"},
		{"[not read in time: ", "a longer recording: the file's disk had too much to do"},
		{"[debug file not read in time: ", "a longer recording: the debug file's disk had too much to do"},
		{"[jit: map not read in time]", "a longer recording: the map's disk had too much to do"},
		{"[container's parsing time is used up: ", "--lines and --inlines left out, or a longer recording"},
		{"[jit: container's parsing time is used up]", "a longer recording"},
		{"[file system does not answer ", "a container without files from a FUSE server that hangs"},
		{"[debug file's file system does not answer ",
		 "debug symbols outside of the FUSE file system that hangs"},
		{"[jit: map's file system does not answer]", "a map outside of the FUSE file system that hangs"},
		{"[kernel: kptr_restrict]", "sysctl kernel.kptr_restrict=0"},
	};

	if (!strcmp(reason, no_mapping) && walked_by_tables(profile))
		return "nothing: its mappings were not known yet, or a guessed frame led nowhere";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strncmp(reason, known[i].reason, strlen(known[i].reason)))
			return known[i].fix;
	return "";
}

static double share_of(const struct profile_summary *summary, const struct missing_names *missing)
{
	uint64_t frames = summary->containers.items[missing->container].frames;

	return frames ? 100.0 * (double)missing->frames / (double)frames : 0;
}

static int put_row(struct column_table *table, const struct profile *profile, const struct profile_summary *summary,
		   const struct missing_names *missing)
{
	const char *reason = string_table_text(&summary->strings, missing->reason);
	char cells[COLUMNS][COLUMN_CELL_BYTES];

	name_text(profile_container_label(profile, missing->container), columns[CONTAINER].max, cells[CONTAINER],
		  COLUMN_CELL_BYTES);
	snprintf(cells[SHARE], COLUMN_CELL_BYTES, "%.1f%%", share_of(summary, missing));
	text_printable(reason, cells[WHY], COLUMN_CELL_BYTES);
	snprintf(cells[FIX], COLUMN_CELL_BYTES, "%s", fix_of(profile, reason));
	return column_table_add(table, cells, NULL);
}

int render_missing_text(const struct profile *profile, size_t max, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {.columns = columns, .column_count = COLUMNS};
	_cleanup_(profile_summary_deinit) struct profile_summary summary;
	int err = profile_summary_init(&summary, profile), shown = 0;
	size_t left_out = 0;

	for (size_t i = 0; i < summary.missing.count && !err; i++) {
		const struct missing_names *missing = &summary.missing.items[i];

		shown = i && missing->container == summary.missing.items[i - 1].container ? shown : 0;
		if (shown >= REASONS_MAX || share_of(&summary, missing) < SHARE_MIN_PERCENT)
			continue;
		shown++;
		if (table.rows.count < max)
			err = put_row(&table, profile, &summary, missing);
		else
			left_out++;
	}
	if (err || !table.rows.count)
		return err;
	column_table_print(&table, out);
	if (left_out)
		fprintf(out, "(%zu more: -n shows them)\n", left_out);
	fputc('\n', out);
	return 0;
}

static int add_one(struct json_object *array, const struct profile *profile, const struct profile_summary *summary,
		   const struct missing_names *missing)
{
	_cleanup_json_ struct json_object *one = json_object_new_object();
	const char *reason = string_table_text(&summary->strings, missing->reason);
	int err = one ? json_add_text(one, "container", profile_container_label(profile, missing->container)) : -ENOMEM;

	if (!err)
		err = json_add_text(one, "reason", reason);
	if (!err)
		err = json_add(one, "frames", json_object_new_uint64(missing->frames));
	if (!err && *fix_of(profile, reason))
		err = json_add_text(one, "fix", fix_of(profile, reason));
	return err ? err : json_append(array, take_ptr(one));
}

int render_missing_json(const struct profile *profile, struct json_object *top)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	_cleanup_(profile_summary_deinit) struct profile_summary summary;
	int err = profile_summary_init(&summary, profile);

	if (!array)
		return -ENOMEM;
	for (size_t i = 0; i < summary.missing.count && !err; i++)
		err = add_one(array, profile, &summary, &summary.missing.items[i]);
	return err ? err : json_add(top, "unnamed", take_ptr(array));
}
