/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"
#include "symbolizer/symbolizer.h"

#define INPUT_BYTES (1u << 20) /* what is there at once is answered at once: a pipe may go back and forth */
#define SHOWN_BYTES 8192

struct symbolize_settings {
	const char *file;
	uint64_t pid; /* 0: none */
	bool kernel, lines, inlines;
	int format;
};

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row rows[] = {
	{'e', "file", OPTION_TEXT, offsetof(struct symbolize_settings, file), "FILE",
	 "an ELF file; addresses as its symbols have them", 0, 0, NULL},
	{'p', "pid", OPTION_NUMBER, offsetof(struct symbolize_settings, pid), "PID",
	 "a running process, in a container or not", 1, INT32_MAX, NULL},
	{'k', "kernel", OPTION_FLAG, offsetof(struct symbolize_settings, kernel), NULL, "the running kernel", 0, 0,
	 NULL},
	{0, "lines", OPTION_FLAG, offsetof(struct symbolize_settings, lines), NULL, "source files and lines", 0, 0,
	 NULL},
	{0, "inlines", OPTION_FLAG, offsetof(struct symbolize_settings, inlines), NULL,
	 "functions that were inlined, innermost first", 0, 0, NULL},
	{'o', "output", OPTION_CHOICE, offsetof(struct symbolize_settings, format), "FORMAT", "text or json", 0, 0,
	 formats},
	{0},
};

static const struct option_usage usage = {
	.command = "symbolize",
	.arguments = "-e FILE | -p PID | -k [OPTIONS] <ADDRESSES",
	.about =
		"Names addresses: hexadecimal ones on standard input, one on each line; answers on standard output in\n"
		"the form of addr2line -f, a function and then its source line. What has no name says why.",
	.rows = rows,
};

struct symbolizing {
	const struct symbolize_settings *settings;
	struct symbolizer *symbolizer;
	struct symbolizer_process *process; /* with -p */
	ARRAY(uint64_t) addresses;
	struct symbols symbols;
	char input[INPUT_BYTES];
	size_t used; /* bytes of @input: at most one line that is not whole after each round */
	enum { THE_ANSWERS, THE_INPUT, WHAT_IS_NAMED } failed_at;
};

static const char *text_of(const struct symbolizing *run, string_id id)
{
	return string_table_text(symbolizer_strings(run->symbolizer), id);
}

static const char *shown(const struct symbolizing *run, string_id id, char *buffer)
{
	return text_printable(text_of(run, id), buffer, SHOWN_BYTES);
}

static void print_text(const struct symbolizing *run, const struct symbol *symbol)
{
	char name[SHOWN_BYTES], file[SHOWN_BYTES];

	puts(shown(run, symbol->name, name));
	if (!symbol->file)
		puts("??:0");
	else if (!symbol->line)
		printf("%s:?\n", shown(run, symbol->file, file));
	else
		printf("%s:%u\n", shown(run, symbol->file, file), symbol->line);
}

static struct json_object *frame_json(const struct symbolizing *run, const struct symbol *symbol)
{
	static const char *const kinds[] = {
		[SYMBOL_USER] = "user",
		[SYMBOL_KERNEL] = "kernel",
		[SYMBOL_JIT] = "jit",
		[SYMBOL_INLINED] = "inlined",
	};
	struct json_object *frame = json_object_new_object();
	char text[SHOWN_BYTES];

	json_object_object_add(frame, "name", json_object_new_string(shown(run, symbol->name, text)));
	json_object_object_add(frame, "named", json_object_new_boolean(symbol->named));
	json_object_object_add(frame, "kind", json_object_new_string(kinds[symbol->kind]));
	if (symbol->module)
		json_object_object_add(frame, "module", json_object_new_string(shown(run, symbol->module, text)));
	if (symbol->file)
		json_object_object_add(frame, "file", json_object_new_string(shown(run, symbol->file, text)));
	if (symbol->line)
		json_object_object_add(frame, "line", json_object_new_int64(symbol->line));
	return frame;
}

/* One object a line: a pipe can be read as it comes. */
static void print_json(const struct symbolizing *run, uint64_t address, struct symbol_span span)
{
	struct json_object *answer = json_object_new_object(), *frames = json_object_new_array();
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	json_object_object_add(answer, "address", json_object_new_string(text));
	for (uint32_t i = 0; i < span.count; i++)
		json_object_array_add(frames, frame_json(run, &run->symbols.list.items[span.first + i]));
	json_object_object_add(answer, "frames", frames);
	puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
	json_object_put(answer);
}

static int answer_all(struct symbolizing *run)
{
	const uint64_t *addresses = run->addresses.items;
	size_t count = run->addresses.count;
	int err;

	if (run->settings->kernel)
		err = symbolizer_kernel(run->symbolizer, addresses, count, &run->symbols);
	else if (run->process)
		err = symbolizer_user(run->process, addresses, count, &run->symbols);
	else
		err = symbolizer_file(run->symbolizer, run->settings->file, addresses, count, &run->symbols);
	for (size_t i = 0; i < count && !err; i++) {
		struct symbol_span span = run->symbols.spans.items[i];

		if (run->settings->format) {
			print_json(run, addresses[i], span);
			continue;
		}
		for (uint32_t j = 0; j < span.count; j++)
			print_text(run, &run->symbols.list.items[span.first + j]);
	}
	run->addresses.count = 0;
	if (err)
		run->failed_at = WHAT_IS_NAMED;
	return err ? err : stream_end(stdout);
}

/* Each line gets an answer: one that is no address counts as 0, as with addr2line, and is complained about. */
static int take_line(struct symbolizing *run, char *line)
{
	uint64_t *address = array_add(&run->addresses);
	char text[64];
	size_t length;

	if (!address)
		return -ENOMEM;
	line += strspn(line, " \t");
	length = strcspn(line, " \t\r");
	line[length] = '\0';
	if (!text_to_u64(line, 16, address))
		log_warning("symbolize: '%s' is no hexadecimal address", text_printable(line, text, sizeof(text)));
	return 0;
}

static int take_input(struct symbolizing *run, bool last)
{
	char *line = run->input, *end = run->input + run->used;
	int err = 0;

	while (line < end && !err) {
		char *newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline && !last && (line > run->input || run->used < sizeof(run->input) - 1))
			break;
		if (!newline)
			newline = end;
		*newline = '\0';
		err = take_line(run, line);
		line = newline < end ? newline + 1 : end;
	}
	run->used = (size_t)(end - line);
	memmove(run->input, line, run->used);
	return err ? err : answer_all(run);
}

static int answer_input(struct symbolizing *run)
{
	for (;;) {
		ssize_t got = read(STDIN_FILENO, run->input + run->used, sizeof(run->input) - 1 - run->used);
		int err;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			run->failed_at = THE_INPUT;
			return -errno;
		}
		run->used += (size_t)got;
		err = take_input(run, !got);
		if (err || !got)
			return err;
	}
}

static int open_process(struct symbolizing *run)
{
	pid_t pid = (pid_t)run->settings->pid;
	struct process_identity identity;
	int err = symbolizer_identify(pid, &identity);

	if (err) {
		log_error("symbolize: no process %d", pid);
		return EXIT_FAILED;
	}
	err = symbolizer_process_new(run->symbolizer, &identity, &run->process);
	if (err) {
		log_error("symbolize: process %d cannot be read: %s", pid, strerror(-err));
		return EXIT_FAILED;
	}
	if (!symbolizer_process_mappings(run->process)) {
		log_error("symbolize: process %d shows no memory: it is another user's (try sudo), a kernel thread, "
			  "or has ended",
			  pid);
		return EXIT_UNSUPPORTED;
	}
	return EXIT_OK;
}

static void complain(const struct symbolizing *run, int err)
{
	char text[256];

	if (err == -ENOMEM)
		log_error("symbolize: out of memory");
	else if (run->failed_at == THE_ANSWERS)
		log_error("symbolize: cannot write: %s", strerror(-err));
	else if (run->failed_at == THE_INPUT)
		log_error("symbolize: cannot read standard input: %s", strerror(-err));
	else if (run->settings->file)
		log_error("symbolize: cannot read %s: %s", text_printable(run->settings->file, text, sizeof(text)),
			  err == -EINVAL ? "it is no regular file" : strerror(-err));
	else
		log_error("symbolize: %s", strerror(-err));
}

static int run_with(struct symbolizing *run)
{
	const struct symbolizer_options options = {.lines = run->settings->lines, .inlines = run->settings->inlines};
	int err, status = EXIT_OK;

	err = symbolizer_new(&options, &run->symbolizer);
	if (err) {
		log_error("symbolize: cannot start the process that parses: %s", strerror(-err));
		return EXIT_FAILED;
	}
	if (run->settings->pid)
		status = open_process(run);
	if (status != EXIT_OK)
		return status;
	err = answer_input(run);
	if (err == -EPIPE)
		return EXIT_OK;
	if (err)
		complain(run, err);
	if (run->settings->kernel && symbolizer_kernel_hidden(run->symbolizer))
		log_warning("symbolize: kernel functions have no names: set kernel.kptr_restrict to 0 or 1 and run as "
			    "root");
	return err ? EXIT_FAILED : EXIT_OK;
}

static int symbolize(const struct symbolize_settings *settings)
{
	_cleanup_free_ struct symbolizing *run = calloc(1, sizeof(*run));
	int status;

	if (!run) {
		log_error("symbolize: out of memory");
		return EXIT_FAILED;
	}
	run->settings = settings;
	status = run_with(run);
	symbolizer_process_free(run->process);
	symbolizer_free(run->symbolizer);
	symbols_deinit(&run->symbols);
	array_deinit(&run->addresses);
	return status;
}

int command_symbolize(int argc, char **argv)
{
	struct symbolize_settings settings = {0};
	enum exit_status status;
	int first;

	if (!options_parse(&usage, argc, argv, &settings, &first, &status))
		return status;
	if (first < argc || !!settings.file + !!settings.pid + settings.kernel != 1) {
		log_error("symbolize: one of -e FILE, -p PID and -k; addresses come on standard input");
		return EXIT_USAGE;
	}
	return symbolize(&settings);
}
