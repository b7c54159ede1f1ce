/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/base/clock.h"
#include "symbolizer/symbolizer_private.h"

#define STRINGS_MAX (1u << 16) /* with their index some 6 MB */
#define STRING_BYTES_MAX (32ull << 20)
#define FILES_MAX 4096u

/* What cannot be forgotten is not looked through each time: there have to be twice as many by then. */
static size_t limit(size_t most, size_t kept)
{
	return most > 2 * kept ? most : 2 * kept;
}

/* Those of processes, which are pointed to, and those that are known to be harmful stay. */
static void forget_files(struct symbolizer *symbolizer)
{
	file_cache_unmark(symbolizer->files);
	if (symbolizer->vdso)
		symbolizer->vdso->marked = true;
	for (struct symbolizer_process *process = symbolizer->processes; process; process = process->next)
		for (size_t i = 0; i < process->mappings.list.count; i++)
			if (process->mappings.list.items[i].file)
				process->mappings.list.items[i].file->marked = true;
	file_cache_forget_unmarked(symbolizer->files);
	symbolizer->files_kept = file_cache_count(symbolizer->files);
}

/* The number that a text of the old table has in the fresh one, which is given it if need be. */
static int move(const struct symbolizer *symbolizer, struct string_table *fresh, string_id *id)
{
	return string_table_add(fresh, string_table_text(&symbolizer->strings, *id),
				string_table_length(&symbolizer->strings, *id), id);
}

static int move_all(struct symbolizer *symbolizer, struct string_table *fresh, bool keep)
{
	string_id quarantined = symbolizer->quarantined_last, slow = symbolizer->slow_last;
	int err = move(symbolizer, fresh, &quarantined);

	if (!err)
		err = move(symbolizer, fresh, &slow);
	for (struct symbolizer_process *process = symbolizer->processes; process && !err; process = process->next) {
		for (size_t i = 0; i < process->mappings.list.count && !err; i++) {
			struct mapping *mapping = &process->mappings.list.items[i];
			string_id name = mapping->name, path = mapping->path;

			err = move(symbolizer, fresh, &name);
			if (!err)
				err = move(symbolizer, fresh, &path);
			if (!err && keep) {
				mapping->name = name;
				mapping->path = path;
			}
		}
	}
	if (!err && keep) {
		symbolizer->quarantined_last = quarantined;
		symbolizer->slow_last = slow;
	}
	return err;
}

/* What processes map keeps its name; functions are named anew. Without memory for that all stays as it is. */
static void forget_strings(struct symbolizer *symbolizer)
{
	struct string_table fresh;

	if (string_table_init(&fresh))
		return;
	if (move_all(symbolizer, &fresh, false)) {
		string_table_deinit(&fresh);
		return;
	}
	/* All of them are there by now: this takes no memory. */
	move_all(symbolizer, &fresh, true);
	file_cache_forget_names(symbolizer->files);
	string_table_deinit(&symbolizer->strings);
	symbolizer->strings = fresh;
	symbolizer->strings_kept = fresh.entries.count;
	symbolizer->string_bytes_kept = string_table_bytes(&fresh);
	symbolizer->strings_forgotten++;
}

void symbolizer_trim(struct symbolizer *symbolizer, size_t files)
{
	/* Nobody could open it again. */
	if (symbolizer->vdso)
		file_cache_touch(symbolizer->files, symbolizer->vdso);
	file_cache_trim(symbolizer->files, files);
	tenants_trim(&symbolizer->tenants, clock_now_ns());
	if (file_cache_count(symbolizer->files) > limit(FILES_MAX, symbolizer->files_kept))
		forget_files(symbolizer);
	if (symbolizer->strings.entries.count > limit(STRINGS_MAX, symbolizer->strings_kept) ||
	    string_table_bytes(&symbolizer->strings) > limit(STRING_BYTES_MAX, symbolizer->string_bytes_kept))
		forget_strings(symbolizer);
}

uint64_t symbolizer_strings_forgotten(const struct symbolizer *symbolizer)
{
	return symbolizer->strings_forgotten;
}
