/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/symbolizer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/demangle.h"
#include "symbolizer/kernel_symbols.h"
#include "symbolizer/naming.h"
#include "symbolizer/symbolizer_private.h"

#define KALLSYMS "/proc/kallsyms"
#define KERNEL_AGE_MAX_NS 2000000000ull
#define VDSO_BYTES 8192 /* two pages hold it on x86-64; more is cut, symbols are at its start */

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

static void open_root(struct symbolizer *symbolizer)
{
	struct stat status;

	symbolizer->host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (symbolizer->host_root >= 0 && !fstat(symbolizer->host_root, &status))
		symbolizer->root = (struct root_identity){status.st_dev, status.st_ino};
}

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret_symbolizer)
{
	_cleanup_(cleanup_symbolizer) struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));
	int err;

	if (!symbolizer)
		return -ENOMEM;
	symbolizer->options = *options;
	symbolizer->host_root = -1;
	err = parser_new(options->silent ? options->silent : &symbolizer->silent, &symbolizer->parser);
	if (err)
		return err;
	open_root(symbolizer);
	if (string_table_init(&symbolizer->strings) || file_cache_new(symbolizer->parser, &symbolizer->files) ||
	    memory_reader_new(&symbolizer->memory) || pin_vdso(symbolizer))
		return -ENOMEM;
	symbolizer->own = tenants_find(&symbolizer->tenants, UINT64_MAX);
	if (!symbolizer->own)
		return -ENOMEM;
	symbolizer->own->users = 1;
	*ret_symbolizer = take_ptr(symbolizer);
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	if (symbolizer->host_root >= 0)
		close(symbolizer->host_root);
	/* No child is told to forget file by file what it forgets at once. */
	if (symbolizer->parser)
		parser_stop(symbolizer->parser);
	file_cache_free(symbolizer->files);
	memory_reader_free(symbolizer->memory);
	parser_free(symbolizer->parser);
	silent_devices_deinit(&symbolizer->silent);
	tenants_deinit(&symbolizer->tenants);
	kernel_symbols_free(symbolizer->kernel);
	string_table_deinit(&symbolizer->strings);
	free(symbolizer);
}

const struct string_table *symbolizer_strings(const struct symbolizer *symbolizer)
{
	return &symbolizer->strings;
}

uint64_t symbolizer_replacements(const struct symbolizer *symbolizer)
{
	return symbolizer->replacements;
}

bool symbolizer_kernel_hidden(const struct symbolizer *symbolizer)
{
	return symbolizer->kernel && kernel_symbols_hidden(symbolizer->kernel);
}

void symbolizer_set_waiting(struct symbolizer *symbolizer, void (*call)(void *data), void *data)
{
	symbolizer->waiting = (struct worker_waiting){call, data};
}

struct symbolizer_costs symbolizer_costs(struct symbolizer *symbolizer)
{
	struct worker_counts counts = worker_counts(parser_worker(symbolizer->parser));
	struct parse_cost cost = parser_cost(symbolizer->parser);
	struct tenants_losses losses = tenants_losses(&symbolizer->tenants);
	struct symbolizer_costs costs = {
		.cpu_ns = cost.cpu_ns + worker_cpu_ns(parser_worker(symbolizer->parser)),
		.memory_bytes = cost.memory_bytes,
		.requests = counts.requests,
		.crashes = counts.crashes,
		.timeouts = counts.timeouts,
		.quarantined = symbolizer->quarantined,
		.quarantined_last = symbolizer->quarantined_last,
		.slow = symbolizer->slow,
		.slow_last = symbolizer->slow_last,
		.tenants_over = losses.over,
		.skipped = losses.skipped,
		.lookups_lost = losses.lookups_lost,
	};

	return costs;
}

void symbols_deinit(struct symbols *symbols)
{
	array_deinit(&symbols->list);
	array_deinit(&symbols->spans);
}

static int symbols_reset(struct symbols *symbols, size_t count, enum symbol_kind kind)
{
	symbols->list.count = symbols->spans.count = 0;
	if (count > UINT32_MAX / 2 || array_reserve(&symbols->list, count) || array_reserve(&symbols->spans, count))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		*array_add(&symbols->list) = (struct symbol){.kind = kind};
		*array_add(&symbols->spans) = (struct symbol_span){(uint32_t)i, 1};
	}
	return 0;
}

int symbol_set_reason(struct symbolizer *symbolizer, struct symbol *symbol, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	symbol->named = false;
	return string_table_add(&symbolizer->strings, text, strlen(text), &symbol->name);
}

int symbolizer_user(struct symbolizer_process *process, const uint64_t *addresses, size_t count,
		    struct symbols *ret_symbols)
{
	struct symbolizer *symbolizer = process->symbolizer;
	int err = symbols_reset(ret_symbols, count, SYMBOL_USER);

	if (err)
		return err;
	/* Only here: what the caller does while it waits may take snapshots, and must not meet one being freed. */
	worker_set_waiting(parser_worker(symbolizer->parser), symbolizer->waiting);
	err = naming_process(process, addresses, count, ret_symbols);
	worker_set_waiting(parser_worker(symbolizer->parser), (struct worker_waiting){0});
	return err;
}

int symbolizer_file(struct symbolizer *symbolizer, const char *path, const uint64_t *addresses, size_t count,
		    struct symbols *ret_symbols)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct pinned_file *file;
	struct stat status;
	_cleanup_free_ char *real = realpath(path, NULL);
	int err;

	if (fd < 0 || fstat(fd, &status) || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS))
		return -errno;
	err = file_cache_pin(symbolizer->files, fd, &status, NULL, &file);
	if (err)
		return err;
	if (file->state == PINNED_FAILED)
		return -EACCES;
	err = symbols_reset(ret_symbols, count, SYMBOL_USER);
	return err ? err : naming_file(symbolizer, file, real ? real : path, addresses, count, ret_symbols);
}

static int name_kernel(struct symbolizer *symbolizer, uint64_t address, struct symbol *symbol)
{
	_cleanup_free_ char *readable = NULL;
	const char *name, *module;

	if (!symbolizer->kernel || !kernel_symbols_find(symbolizer->kernel, address, &name, &module))
		return symbol_set_reason(symbolizer, symbol,
					 symbolizer_kernel_hidden(symbolizer) ? "[kernel: kptr_restrict]"
									      : "[kernel: no symbol]");
	readable = demangle(name);
	if (readable)
		name = readable;
	symbol->named = true;
	if (string_table_add(&symbolizer->strings, name, strlen(name), &symbol->name))
		return -ENOMEM;
	return string_table_add(&symbolizer->strings, module, strlen(module), &symbol->module);
}

static int read_kernel(struct symbolizer *symbolizer)
{
	struct kernel_symbols *fresh;
	int err;

	symbolizer->kernel_read_ns = clock_now_ns();
	err = kernel_symbols_new(symbolizer->options.kallsyms ? symbolizer->options.kallsyms : KALLSYMS, &fresh);
	if (err)
		return err == -ENOMEM ? err : 0;
	kernel_symbols_free(symbolizer->kernel);
	symbolizer->kernel = fresh;
	return 0;
}

/* Modules and BPF programs come and go: what has no name may have one now, but reading costs tens of milliseconds. */
static bool kernel_is_old(const struct symbolizer *symbolizer)
{
	return clock_now_ns() > symbolizer->kernel_read_ns + KERNEL_AGE_MAX_NS;
}

static int name_kernel_all(struct symbolizer *symbolizer, const uint64_t *addresses, size_t count,
			   struct symbols *symbols, bool *ret_missed)
{
	int err = 0;

	*ret_missed = false;
	for (size_t i = 0; i < count && !err; i++) {
		struct symbol *symbol = &symbols->list.items[i];

		if (!symbol->named)
			err = name_kernel(symbolizer, addresses[i], symbol);
		*ret_missed |= !symbol->named;
	}
	return err;
}

int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, size_t count,
		      struct symbols *ret_symbols)
{
	int err = symbols_reset(ret_symbols, count, SYMBOL_KERNEL);
	bool missed;

	if (!err && !symbolizer->kernel)
		err = read_kernel(symbolizer);
	if (!err)
		err = name_kernel_all(symbolizer, addresses, count, ret_symbols, &missed);
	if (err || !missed || symbolizer_kernel_hidden(symbolizer) || !kernel_is_old(symbolizer))
		return err;
	err = read_kernel(symbolizer);
	return err ? err : name_kernel_all(symbolizer, addresses, count, ret_symbols, &missed);
}
