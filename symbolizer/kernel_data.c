/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/kernel_data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define DATUM_BYTES_MAX (1u << 20)

/* The nearest symbol below counts, whatever it is: behind a function's begin lies no data. */
static void take_symbol(struct kernel_datum *datum, uint64_t symbol, const char *name, size_t length, bool is_data)
{
	if (symbol > datum->address || datum->address - symbol >= datum->offset)
		return;
	datum->offset = datum->address - symbol;
	if (length >= sizeof(datum->name) || !is_data)
		length = 0;
	memcpy(datum->name, name, length);
	datum->name[length] = '\0';
}

/* "ffffffff82a00000 D init_task" and "ffffffffc0000000 b lock\t[module]". */
static void take_line(const char *line, struct kernel_datum *data, size_t count, bool *any)
{
	uint64_t symbol;
	bool is_data;
	char *at;

	symbol = strtoull(line, &at, 16);
	if (!symbol || at[0] != ' ' || !at[1] || at[2] != ' ' || at[1] == 'A' || at[1] == 'a')
		return;
	is_data = strchr("dDbBrRvV", at[1]);
	/* A few of the large ones are there on every kernel. */
	*any = *any || at[1] == 'd' || at[1] == 'b';
	for (size_t i = 0; i < count; i++)
		take_symbol(&data[i], symbol, at + 3, strcspn(at + 3, "\t\n"), is_data);
}

static void forget_names(struct kernel_datum *data, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		data[i].offset = DATUM_BYTES_MAX;
		data[i].name[0] = '\0';
	}
}

int kernel_data_find(const char *path, struct kernel_datum *data, size_t count, bool *ret_any)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	bool any = false;

	if (!file)
		return -errno;
	forget_names(data, count);
	while (getline(&line, &room, file) > 0)
		take_line(line, data, count, &any);
	if (ferror(file))
		return -EIO;
	/* It has the ends of its sections, and what lies behind one is anything. */
	if (!any)
		forget_names(data, count);
	*ret_any = any;
	return 0;
}
