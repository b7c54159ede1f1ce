/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/writer_strings.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "symbolizer/base/partition_point.h"

/* Of a generation of those that pass. */
#define PASSING_MAX 8192u
#define PASSING_BYTES_MAX (1u << 20)

static int init_numbered(struct numbered_strings *strings)
{
	int err = string_table_init(&strings->table);

	/* The empty string has the first place in the table, and number 0 in the file. */
	return err || array_add(&strings->numbers) ? err : -ENOMEM;
}

static void deinit_numbered(struct numbered_strings *strings)
{
	string_table_deinit(&strings->table);
	array_deinit(&strings->numbers);
}

static void clear_numbered(struct numbered_strings *strings)
{
	string_table_clear(&strings->table);
	strings->numbers.count = 1;
	strings->bytes = 0;
}

int writer_strings_init(struct writer_strings *strings)
{
	memset(strings, 0, sizeof(*strings));
	strings->next = 1;
	return init_numbered(&strings->kept) || init_numbered(&strings->young) || init_numbered(&strings->old) ? -ENOMEM
													       : 0;
}

void writer_strings_deinit(struct writer_strings *strings)
{
	deinit_numbered(&strings->kept);
	deinit_numbered(&strings->young);
	deinit_numbered(&strings->old);
	array_deinit(&strings->unwritten);
}

static bool find(const struct numbered_strings *strings, const char *text, size_t length, string_id *ret_number)
{
	string_id place;

	if (string_table_find(&strings->table, text, length, &place))
		return false;
	*ret_number = strings->numbers.items[place];
	return true;
}

/* @ret_entry: the table's own. */
static int put(struct numbered_strings *strings, const char *text, size_t length, string_id number,
	       struct string_table_entry *ret_entry)
{
	string_id place;
	int err =
		array_reserve(&strings->numbers, 1) ? -ENOMEM : string_table_add(&strings->table, text, length, &place);

	if (err)
		return err;
	*array_add(&strings->numbers) = number;
	*ret_entry = strings->table.entries.items[place];
	strings->bytes += ret_entry->length;
	return 0;
}

/* @known: its number, or 0 for the next one. */
static int add(struct writer_strings *strings, struct numbered_strings *to, const char *text, size_t length,
	       string_id known, string_id *ret_number)
{
	string_id number = known ? known : strings->next;
	struct string_table_entry entry;
	int err = array_reserve(&strings->unwritten, 1) ? -ENOMEM : put(to, text, length, number, &entry);

	if (err)
		return err;
	if (!known) {
		*array_add(&strings->unwritten) = entry;
		strings->next++;
	}
	*ret_number = number;
	return 0;
}

/* One that passed until now has a second number: those of the kept ones ascend. */
int writer_strings_keep(struct writer_strings *strings, const char *text, size_t length, string_id *ret_number)
{
	if (find(&strings->kept, text, length, ret_number))
		return 0;
	return add(strings, &strings->kept, text, length, 0, ret_number);
}

int writer_strings_pass(struct writer_strings *strings, const char *text, size_t length, string_id *ret_number)
{
	string_id known = 0;

	if (find(&strings->kept, text, length, ret_number) || find(&strings->young, text, length, ret_number))
		return 0;
	find(&strings->old, text, length, &known);
	return add(strings, &strings->young, text, length, known, ret_number);
}

const char *writer_strings_text(const struct writer_strings *strings, string_id number)
{
	const struct numbered_strings *kept = &strings->kept;
	size_t at = partition_point(i, kept->numbers.count, kept->numbers.items[i] < number);

	return at < kept->numbers.count && kept->numbers.items[at] == number
		       ? string_table_text(&kept->table, (string_id)at)
		       : "";
}

void writer_strings_forget_kept(struct writer_strings *strings)
{
	clear_numbered(&strings->kept);
}

void writer_strings_written(struct writer_strings *strings)
{
	struct numbered_strings forgotten = strings->old;

	strings->unwritten.count = 0;
	if (strings->young.numbers.count < PASSING_MAX && strings->young.bytes < PASSING_BYTES_MAX)
		return;
	clear_numbered(&forgotten);
	strings->old = strings->young;
	strings->young = forgotten;
}
