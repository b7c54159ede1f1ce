/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/symbolizer.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/demangle.h"
#include "symbolizer/file_cache.h"
#include "symbolizer/kernel_symbols.h"
#include "symbolizer/perf_map.h"
#include "symbolizer/process_files.h"
#include "symbolizer/process_maps.h"

#define NAME_BYTES_MAX 4096
#define VDSO_BYTES 8192 /* two pages hold it on x86-64; more is cut, symbols are at its start */

struct symbolizer {
	struct string_table strings;
	struct file_cache *files;
	struct pinned_file *vdso;
	struct kernel_symbols *kernel; /* NULL until the first look-up */
};

struct symbolizer_process {
	struct symbolizer *symbolizer;
	struct process_identity identity;
	struct mapping_array mappings; /* sorted by start, not overlapping */
	bool exited;		       /* /proc did not show this image any more when last asked */
	struct perf_map *perf_map;     /* NULL while there is none */
	int perf_map_error;	       /* why: a negative errno */
};

static void cleanup_symbolizer(struct symbolizer **symbolizer)
{
	symbolizer_free(*symbolizer);
}

/* Our own vdso is every process's, as long as they are of our kind (64-bit). */
static int pin_vdso(struct symbolizer *symbolizer)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	_cleanup_close_ int fd = -1;

	if (!image)
		return 0;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0 || write(fd, image, VDSO_BYTES) < 0)
		return 0;
	return file_cache_adopt(symbolizer->files, take_fd(&fd), &symbolizer->vdso);
}

int symbolizer_new(struct symbolizer **ret_symbolizer)
{
	_cleanup_(cleanup_symbolizer) struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer || string_table_init(&symbolizer->strings) || file_cache_new(&symbolizer->files) ||
	    pin_vdso(symbolizer))
		return -ENOMEM;
	*ret_symbolizer = take_ptr(symbolizer);
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	file_cache_free(symbolizer->files);
	kernel_symbols_free(symbolizer->kernel);
	string_table_deinit(&symbolizer->strings);
	free(symbolizer);
}

const struct string_table *symbolizer_strings(const struct symbolizer *symbolizer)
{
	return &symbolizer->strings;
}

void symbolizer_trim(struct symbolizer *symbolizer, size_t files)
{
	file_cache_trim(symbolizer->files, files);
}

bool symbolizer_kernel_hidden(const struct symbolizer *symbolizer)
{
	return symbolizer->kernel && kernel_symbols_hidden(symbolizer->kernel);
}

static int add_text(struct symbolizer *symbolizer, const char *text, string_id *ret_id)
{
	return string_table_add(&symbolizer->strings, text, strlen(text), ret_id);
}

static int set_reason(struct symbolizer *symbolizer, struct symbol *symbol, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int set_reason(struct symbolizer *symbolizer, struct symbol *symbol, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	symbol->named = false;
	return add_text(symbolizer, text, &symbol->name);
}

static int set_name(struct symbolizer *symbolizer, struct symbol *symbol, const char *raw)
{
	_cleanup_free_ char *readable = demangle(raw);

	symbol->named = true;
	return add_text(symbolizer, readable ? readable : raw, &symbol->name);
}

/* A file that cannot be pinned leaves the mapping without one: its frames then say so. */
static int pin_files(struct symbolizer_process *process, pid_t pid, struct mapping_array *mappings)
{
	for (size_t i = 0; i < mappings->list.count; i++) {
		struct mapping *mapping = &mappings->list.items[i];
		_cleanup_close_ int fd = -1;
		struct stat status;
		int err;

		if (mapping->kind == MAPPING_VDSO)
			mapping->file = process->symbolizer->vdso;
		if (mapping->kind != MAPPING_FILE ||
		    process_files_mapped(pid, mapping->start, mapping->end, &fd, &status))
			continue;
		err = file_cache_pin(process->symbolizer->files, fd, &status, (struct pinned_file **)&mapping->file);
		if (err == -ENOMEM)
			return err;
	}
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct mapping *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

static const struct mapping *find_mapping(const struct mapping_array *mappings, size_t count, uint64_t address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mappings->list.items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address >= mappings->list.items[low - 1].end)
		return NULL;
	return &mappings->list.items[low - 1];
}

static bool overlaps(const struct mapping_array *mappings, size_t count, const struct mapping *other)
{
	for (size_t i = 0; i < count; i++)
		if (mappings->list.items[i].start < other->end && other->start < mappings->list.items[i].end)
			return true;
	return false;
}

/* What was unmapped since may have been sampled before: it stays unless something new lies there. */
static int keep_old(struct mapping_array *fresh, const struct mapping_array *old)
{
	size_t count = fresh->list.count;

	for (size_t i = 0; i < old->list.count; i++) {
		struct mapping *kept;

		if (overlaps(fresh, count, &old->list.items[i]))
			continue;
		kept = array_add(&fresh->list);
		if (!kept)
			return -ENOMEM;
		*kept = old->list.items[i];
	}
	if (fresh->list.count > count)
		qsort(fresh->list.items, fresh->list.count, sizeof(struct mapping), by_start);
	return 0;
}

static bool has_jit(const struct symbolizer_process *process)
{
	for (size_t i = 0; i < process->mappings.list.count; i++)
		if (process->mappings.list.items[i].kind == MAPPING_JIT)
			return true;
	return false;
}

static void pin_perf_map(struct symbolizer_process *process, pid_t pid)
{
	int fd;

	if (process->perf_map || !has_jit(process))
		return;
	fd = process_files_perf_map(pid, process->identity.ns_pid);
	process->perf_map_error = fd < 0 ? fd : perf_map_new(fd, &process->perf_map);
}

static int take_snapshot(struct symbolizer_process *process, struct mapping_array *fresh)
{
	const struct process_identity *identity = &process->identity;
	_cleanup_free_ char *text = NULL;
	pid_t pid;
	int err;

	if (!process_maps_check(identity->pid, identity->start_ns, identity->address_space, &pid))
		return -ESRCH;
	err = process_maps_read(pid, &text);
	if (!err)
		err = process_maps_parse(text, &process->symbolizer->strings, fresh);
	if (!err)
		err = pin_files(process, pid, fresh);
	if (err)
		return err == -ENOMEM ? err : -ESRCH;
	/* It may have ended or become another image while it was read: then nothing of this is true. */
	if (!fresh->list.count || !process_maps_check(identity->pid, identity->start_ns, identity->address_space, &pid))
		return -ESRCH;
	err = keep_old(fresh, &process->mappings);
	if (err)
		return err;
	array_deinit(&process->mappings.list);
	process->mappings = *fresh;
	memset(fresh, 0, sizeof(*fresh));
	pin_perf_map(process, pid);
	return 0;
}

int symbolizer_process_refresh(struct symbolizer_process *process)
{
	struct mapping_array fresh = {0};
	int err = process->exited ? -ESRCH : take_snapshot(process, &fresh);

	array_deinit(&fresh.list);
	if (err == -ESRCH)
		process->exited = true;
	return err;
}

int symbolizer_process_new(struct symbolizer *symbolizer, const struct process_identity *identity,
			   struct symbolizer_process **ret_process)
{
	struct symbolizer_process *process = calloc(1, sizeof(*process));
	int err;

	if (!process)
		return -ENOMEM;
	process->symbolizer = symbolizer;
	process->identity = *identity;
	process->perf_map_error = -ENOENT;
	err = symbolizer_process_refresh(process);
	if (err == -ENOMEM) {
		symbolizer_process_free(process);
		return err;
	}
	*ret_process = process;
	return 0;
}

void symbolizer_process_free(struct symbolizer_process *process)
{
	if (!process)
		return;
	array_deinit(&process->mappings.list);
	perf_map_free(process->perf_map);
	free(process);
}

bool symbolizer_process_maps(const struct symbolizer_process *process, uint64_t address)
{
	return find_mapping(&process->mappings, process->mappings.list.count, address);
}

static int name_jit(struct symbolizer_process *process, uint64_t address, struct symbol *symbol)
{
	struct symbolizer *symbolizer = process->symbolizer;
	const char *name = process->perf_map ? perf_map_find(process->perf_map, address) : NULL;

	symbol->kind = SYMBOL_JIT;
	if (name)
		return set_name(symbolizer, symbol, name);
	symbol->pending = true;
	if (process->perf_map)
		return set_reason(symbolizer, symbol,
				  process->perf_map_error == -EFBIG ? "[jit: map too large]" : "[jit: not in its map]");
	switch (process->perf_map_error) {
	case -EPERM:
		return set_reason(symbolizer, symbol, "[jit: map of another owner]");
	case -EINVAL:
		return set_reason(symbolizer, symbol, "[jit: map is no regular file]");
	default:
		return set_reason(symbolizer, symbol, "[jit: no map]");
	}
}

static int name_in_file(struct symbolizer *symbolizer, const struct mapping *mapping, uint64_t address,
			struct symbol *symbol)
{
	const char *file_name = string_table_text(&symbolizer->strings, mapping->name);
	uint64_t offset = address - mapping->start + mapping->offset, virtual_address;
	struct pinned_file *file = mapping->file;
	const struct elf_symbols *symbols;
	char name[NAME_BYTES_MAX];

	symbol->module = mapping->name;
	symbols = file ? file_cache_symbols(symbolizer->files, file) : NULL;
	if (!symbols) {
		if (file && file->state == PINNED_NOT_ELF)
			return set_reason(symbolizer, symbol, "[not ELF %.200s]", file_name);
		if (file && file->state == PINNED_TRIMMED)
			return set_reason(symbolizer, symbol, "[too many files %.200s]", file_name);
		return set_reason(symbolizer, symbol, "[no file %.200s]", file_name);
	}
	if (elf_symbols_address(symbols, offset, &virtual_address) &&
	    !elf_symbols_find(symbols, virtual_address, name, sizeof(name)))
		return set_name(symbolizer, symbol, name);
	return set_reason(symbolizer, symbol,
			  elf_symbols_full(symbols) ? "[no symbol %.200s+0x%" PRIx64 "]"
						    : "[stripped %.200s+0x%" PRIx64 "]",
			  file_name, offset);
}

static int name_one(struct symbolizer_process *process, uint64_t address, struct symbol *symbol)
{
	const struct mapping *mapping = find_mapping(&process->mappings, process->mappings.list.count, address);

	*symbol = (struct symbol){.kind = SYMBOL_USER};
	if (!mapping) {
		symbol->pending = !process->exited;
		return set_reason(process->symbolizer, symbol,
				  process->mappings.list.count ? "[no mapping]" : "[exited]");
	}
	switch (mapping->kind) {
	case MAPPING_JIT:
		return name_jit(process, address, symbol);
	case MAPPING_FILE:
	case MAPPING_VDSO:
		return name_in_file(process->symbolizer, mapping, address, symbol);
	case MAPPING_OTHER:
		break;
	}
	symbol->named = true;
	symbol->name = mapping->name;
	return 0;
}

int symbolizer_user(struct symbolizer_process *process, const uint64_t *addresses, size_t count, struct symbol *symbols)
{
	int err;

	if (process->perf_map) {
		err = perf_map_read(process->perf_map);
		if (err == -ENOMEM)
			return err;
		process->perf_map_error = err;
	}
	for (size_t i = 0; i < count; i++) {
		err = name_one(process, addresses[i], &symbols[i]);
		if (err)
			return err;
	}
	return 0;
}

static bool find_kernel(struct symbolizer *symbolizer, uint64_t address, const char **ret_name, const char **ret_module)
{
	return symbolizer->kernel && kernel_symbols_find(symbolizer->kernel, address, ret_name, ret_module);
}

int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, size_t count, struct symbol *symbols)
{
	const char *name, *module;
	int err;

	if (!symbolizer->kernel) {
		err = kernel_symbols_new("/proc/kallsyms", &symbolizer->kernel);
		if (err == -ENOMEM)
			return err;
	}
	for (size_t i = 0; i < count; i++) {
		struct symbol *symbol = &symbols[i];

		*symbol = (struct symbol){.kind = SYMBOL_KERNEL};
		if (find_kernel(symbolizer, addresses[i], &name, &module))
			err = set_name(symbolizer, symbol, name);
		else
			err = set_reason(symbolizer, symbol,
					 symbolizer_kernel_hidden(symbolizer) ? "[kernel: kptr_restrict]"
									      : "[kernel: no symbol]");
		if (!err && symbol->named)
			err = add_text(symbolizer, module, &symbol->module);
		if (err)
			return err;
	}
	return 0;
}
