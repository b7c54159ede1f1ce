/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/kernel_symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/partition_point.h"
#include "symbolizer/base/string_table.h"

#define FUNCTION_BYTES_MAX (16u << 20)

struct function {
	uint64_t address;
	uint32_t name;	 /* offset in text */
	uint32_t module; /* in modules; 0: the kernel itself */
};

struct kernel_symbols {
	ARRAY(struct function) functions; /* sorted by address */
	ARRAY(char) text;		  /* NUL-terminated names */
	struct string_table modules;
	bool hidden;
};

void kernel_symbols_free(struct kernel_symbols *symbols)
{
	if (!symbols)
		return;
	array_deinit(&symbols->functions);
	array_deinit(&symbols->text);
	string_table_deinit(&symbols->modules);
	free(symbols);
}

static void cleanup_symbols(struct kernel_symbols **symbols)
{
	kernel_symbols_free(*symbols);
}

bool kernel_symbols_hidden(const struct kernel_symbols *symbols)
{
	return symbols->hidden;
}

/* "ffffffff81000000 T _stext" and "ffffffffc0000000 t f\t[module]"; data and absolute symbols are skipped. */
static int take_line(struct kernel_symbols *symbols, char *line)
{
	struct function *function;
	uint64_t address;
	char *at, *name, *module;
	size_t length;

	address = strtoull(line, &at, 16);
	if (at == line || at[0] != ' ' || !at[1] || at[2] != ' ' || !strchr("tTwW", at[1]))
		return 0;
	name = at + 3;
	length = strcspn(name, "\t\n");
	module = strchr(name + length, '[');
	name[length] = '\0';
	if (!address || !length || array_reserve(&symbols->text, length + 1))
		return address && length ? -ENOMEM : 0;
	function = array_add(&symbols->functions);
	if (!function)
		return -ENOMEM;
	function->address = address;
	function->name = (uint32_t)symbols->text.count;
	memcpy(symbols->text.items + symbols->text.count, name, length + 1);
	symbols->text.count += length + 1;
	return module ? string_table_add(&symbols->modules, module + 1, strcspn(module + 1, "]\n"), &function->module)
		      : 0;
}

static int by_address(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	return (a->address > b->address) - (a->address < b->address);
}

int kernel_symbols_new(const char *path, struct kernel_symbols **ret_symbols)
{
	_cleanup_(cleanup_symbols) struct kernel_symbols *symbols = calloc(1, sizeof(*symbols));
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int err;

	if (!symbols || string_table_init(&symbols->modules))
		return -ENOMEM;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (getline(&line, &room, file) > 0) {
		err = take_line(symbols, line);
		if (err)
			return err;
	}
	if (ferror(file))
		return -EIO;
	symbols->hidden = !symbols->functions.count;
	if (symbols->functions.count)
		qsort(symbols->functions.items, symbols->functions.count, sizeof(struct function), by_address);
	*ret_symbols = take_ptr(symbols);
	return 0;
}

bool kernel_symbols_find(const struct kernel_symbols *symbols, uint64_t address, const char **ret_name,
			 const char **ret_module)
{
	size_t at = partition_point(i, symbols->functions.count, symbols->functions.items[i].address <= address);
	const struct function *function;

	if (!at)
		return false;
	function = &symbols->functions.items[at - 1];
	if (address - function->address >= FUNCTION_BYTES_MAX)
		return false;
	/* Several names for one address: the first in the file is the one that the kernel itself prints. */
	while (function > symbols->functions.items && function[-1].address == function->address)
		function--;
	*ret_name = symbols->text.items + function->name;
	*ret_module = function->module ? string_table_text(&symbols->modules, function->module) : "vmlinux";
	return true;
}
