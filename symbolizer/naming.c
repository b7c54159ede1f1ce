/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/debug_search.h"
#include "symbolizer/naming.h"

#define ROUNDS_MAX 64
#define ROUNDS_MS_MAX 20000 /* together; after it no other round begins */

/* One address whose file has to be asked. */
struct question {
	struct pinned_file *file;
	uint64_t address; /* as parser_find() takes it */
	uint64_t offset;  /* as a reason shows it */
	string_id module, path;
	uint32_t number; /* of the span that waits for it */
};
typedef ARRAY(struct question) question_array;

struct naming {
	struct symbolizer *symbolizer;
	struct symbols *symbols;
	struct debug_search search;
	uint32_t flags; /* for parser_find() */
	question_array questions;
	question_array jit;  /* their file is NULL */
	uint64_t *addresses; /* [PARSE_ADDRESSES_MAX], for one batch */
	struct parser_answer answer;
};

/* @process: NULL for a file of the host */
static int naming_init(struct naming *naming, struct symbolizer *symbolizer, const struct symbolizer_process *process,
		       size_t count, struct symbols *symbols)
{
	*naming = (struct naming){.symbolizer = symbolizer, .symbols = symbols};
	debug_search_init(&naming->search, symbolizer, process);
	if (symbolizer->options.lines)
		naming->flags |= PARSE_LINES;
	if (symbolizer->options.inlines)
		naming->flags |= PARSE_INLINES;
	naming->addresses = calloc(count < PARSE_ADDRESSES_MAX ? count + 1 : PARSE_ADDRESSES_MAX, sizeof(uint64_t));
	return naming->addresses ? 0 : -ENOMEM;
}

static void naming_deinit(struct naming *naming)
{
	debug_search_deinit(&naming->search);
	array_deinit(&naming->questions);
	array_deinit(&naming->jit);
	free(naming->addresses);
	parser_answer_deinit(&naming->answer);
}

/* The symbol that says why, where there is no name: each span starts as one of these. */
static struct symbol *symbol_of(struct naming *naming, uint32_t number)
{
	return &naming->symbols->list.items[naming->symbols->spans.items[number].first];
}

static int set_missing(struct naming *naming, const struct question *question)
{
	struct symbol *symbol = symbol_of(naming, question->number);
	const char *reason = "stripped";

	if (question->file->source.facts.has_symbols)
		reason = "no symbol";
	else if (question->file->debug_silent)
		reason = "debug file's file system does not answer";
	return symbol_set_reason(naming->symbolizer, symbol, "[%s %.200s+0x%" PRIx64 "]", reason,
				 string_table_text(&naming->symbolizer->strings, question->module), question->offset);
}

static int set_failed(struct naming *naming, const struct question *question, int error)
{
	struct symbol *symbol = symbol_of(naming, question->number);
	const char *reason = "no file", *name = string_table_text(&naming->symbolizer->strings, question->module);

	if (question->file->state == PINNED_TRIMMED)
		reason = "too many files";
	else if (error == -ENOEXEC)
		reason = "not ELF";
	else if (error == -ENOTRECOVERABLE)
		reason = "quarantined";
	else if (error == -EHOSTDOWN)
		reason = "file system does not answer";
	else if (error == -EFBIG)
		reason = "too large";
	else if (error == -EAGAIN)
		reason = "no parser for";
	else if (error == -EIO && question->file->state == PINNED_OPEN)
		reason = "unreadable";
	return symbol_set_reason(naming->symbolizer, symbol, "[%s %.200s]", reason, name);
}

static int set_name(struct symbolizer *symbolizer, struct symbol *symbol, const struct parse_name *name)
{
	symbol->named = true;
	symbol->line = name->line;
	if (string_table_add(&symbolizer->strings, name->text, name->bytes, &symbol->name))
		return -ENOMEM;
	return string_table_add(&symbolizer->strings, name->file, name->file_bytes, &symbol->file);
}

/* A function and what was inlined into it take the place of the one symbol that the span had. */
static int set_names(struct naming *naming, const struct question *question, const struct parse_name *names,
		     size_t count)
{
	struct symbols *symbols = naming->symbols;
	struct symbol_span *span = &symbols->spans.items[question->number];

	if (count > 1) {
		struct symbol first = symbols->list.items[span->first];

		*span = (struct symbol_span){(uint32_t)symbols->list.count, (uint32_t)count};
		if (array_reserve(&symbols->list, count))
			return -ENOMEM;
		for (size_t i = 0; i < count; i++)
			*array_add(&symbols->list) = first;
	}
	for (size_t i = 0; i < count; i++) {
		struct symbol *symbol = &symbols->list.items[span->first + i];

		if (set_name(naming->symbolizer, symbol, &names[i]))
			return -ENOMEM;
		if (names[i].inlined)
			symbol->kind = SYMBOL_INLINED;
	}
	return 0;
}

static void note_quarantine(struct symbolizer *symbolizer, const struct parser_source *source, bool before,
			    string_id name)
{
	if (before || !parser_source_quarantined(source))
		return;
	symbolizer->quarantined++;
	symbolizer->quarantined_last = name;
}

static int next_names(struct naming *naming, const struct question *question, struct parse_name *names, int *ret_count)
{
	uint64_t start, end;
	int count = parse_records_next(&naming->answer.reader, &start, &end, names);
	string_id name = 0;

	if (count < 0)
		return count;
	*ret_count = count;
	if (!question->file || naming->flags || start >= end)
		return 0;
	if (count && string_table_add(&naming->symbolizer->strings, names[0].text, names[0].bytes, &name))
		return -ENOMEM;
	return range_cache_add(&question->file->names, start, end, name);
}

/* Split DWARF says only while it is read which files it needs: some rounds, then the answer is what it is. */
static int ask_with_debug_files(struct naming *naming, const struct question *questions, size_t count)
{
	const char *path = string_table_text(&naming->symbolizer->strings, questions->path);
	struct pinned_file *file = questions->file;
	int64_t began_ms = clock_now_ms();
	int err;

	debug_search_complete(&naming->search, file, path);
	for (int round = 0;; round++) {
		err = parser_find(naming->symbolizer->parser, &file->source, naming->addresses, count, naming->flags,
				  &naming->answer);
		if (err || !(naming->flags & (PARSE_LINES | PARSE_INLINES)) || round >= ROUNDS_MAX ||
		    clock_now_ms() - began_ms >= ROUNDS_MS_MAX ||
		    !debug_search_bring_splits(&naming->search, file, path))
			return err;
	}
}

/* One batch of questions about one file. */
static int ask_file(struct naming *naming, const struct question *questions, size_t count)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	struct pinned_file *file = questions->file;
	struct parser_source *source = &file->source;
	bool quarantined = parser_source_quarantined(source);
	int found, answered = file->state == PINNED_OPEN ? 0 : -EIO, err = 0;

	for (size_t i = 0; i < count; i++)
		naming->addresses[i] = questions[i].address;
	if (!answered)
		answered = ask_with_debug_files(naming, questions, count);
	if (answered == -ENOMEM)
		return answered;
	for (size_t i = 0; i < count && !err; i++) {
		if (!answered)
			answered = next_names(naming, &questions[i], names, &found);
		if (answered == -ENOMEM)
			err = answered;
		else if (answered)
			err = set_failed(naming, &questions[i], answered);
		else if (found)
			err = set_names(naming, &questions[i], names, (size_t)found);
		else
			err = set_missing(naming, &questions[i]);
	}
	note_quarantine(naming->symbolizer, source, quarantined, questions->module);
	return err ? err : range_cache_settle(&file->names);
}

static int by_file_and_address(const void *left, const void *right)
{
	const struct question *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

static int ask_files(struct naming *naming)
{
	const struct question *questions = naming->questions.items;
	size_t count = naming->questions.count;
	int err = 0;

	if (count)
		qsort(naming->questions.items, count, sizeof(*questions), by_file_and_address);
	for (size_t i = 0, length; i < count && !err; i += length) {
		for (length = 1; i + length < count && length < PARSE_ADDRESSES_MAX; length++)
			if (questions[i + length].file != questions[i].file)
				break;
		file_cache_touch(naming->symbolizer->files, questions[i].file);
		err = ask_file(naming, &questions[i], length);
	}
	return err;
}

static int add_question(question_array *questions, struct question question)
{
	struct question *added = array_add(questions);

	if (!added)
		return -ENOMEM;
	*added = question;
	return 0;
}

static int name_in_file(struct naming *naming, const struct mapping *mapping, uint64_t address, uint32_t number)
{
	struct symbol *symbol = symbol_of(naming, number);
	struct question question = {
		.file = mapping->file,
		.address = address - mapping->start + mapping->offset,
		.module = mapping->name,
		.path = mapping->path,
		.number = number,
	};
	string_id name;

	question.offset = question.address;
	symbol->module = mapping->name;
	if (!question.file)
		return symbol_set_reason(naming->symbolizer, symbol, "[no file %.200s]",
					 string_table_text(&naming->symbolizer->strings, mapping->name));
	debug_search_check_shared(naming->symbolizer, question.file);
	if (naming->flags || !range_cache_find(&question.file->names, question.address, &name))
		return add_question(&naming->questions, question);
	if (!name)
		return set_missing(naming, &question);
	symbol->named = true;
	symbol->name = name;
	return 0;
}

static const char *jit_reason(int map_error, bool has_map)
{
	switch (map_error) {
	case -EPERM:
		return "[jit: map of another owner]";
	case -EINVAL:
		return "[jit: map is no regular file]";
	case -EFBIG:
		return "[jit: map too large]";
	case -ENOTRECOVERABLE:
		return "[jit: map in quarantine]";
	case -EHOSTDOWN:
		return "[jit: map's file system does not answer]";
	case -EAGAIN:
		return "[jit: no parser for its map]";
	default:
		return has_map ? "[jit: not in its map]" : "[jit: no map]";
	}
}

static int set_jit_missing(struct symbolizer_process *process, struct symbol *symbol)
{
	/* Runtimes write their maps as they compile: what is not there yet may come. */
	symbol->pending = process->perf_map_error != -ENOTRECOVERABLE;
	return symbol_set_reason(
		process->symbolizer, symbol, "%s",
		jit_reason(process->perf_map_error, process->perf_map.fd >= 0 || process->jitdump.fd >= 0));
}

/*
 * One batch of questions about JIT code; those without an answer are kept, from naming.jit.items[*kept] on, for the
 * next source.
 */
static int ask_map(struct naming *naming, struct parser_source *source, size_t first, size_t count, size_t *kept,
		   int *ret_error)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	struct question *questions = naming->jit.items + first;
	bool quarantined = parser_source_quarantined(source);
	int found, answered, err = 0;
	string_id name;

	for (size_t i = 0; i < count; i++)
		naming->addresses[i] = questions[i].address;
	answered = parser_find(naming->symbolizer->parser, source, naming->addresses, count, naming->flags,
			       &naming->answer);
	if (answered == -ENOMEM)
		return answered;
	*ret_error = answered;
	/* A map that is too large still answers from what was read of it. */
	if (answered == -EFBIG)
		answered = 0;
	for (size_t i = 0; i < count && !err; i++) {
		found = 0;
		if (!answered)
			answered = next_names(naming, &questions[i], names, &found);
		if (answered == -ENOMEM)
			err = answered;
		else if (found)
			err = set_names(naming, &questions[i], names, 1);
		else
			naming->jit.items[(*kept)++] = questions[i];
	}
	if (!err)
		err = string_table_add(&naming->symbolizer->strings, "perf-PID.map", strlen("perf-PID.map"), &name);
	if (!err)
		note_quarantine(naming->symbolizer, source, quarantined, name);
	return err;
}

static int ask_source(struct naming *naming, struct parser_source *source, int *error)
{
	size_t count = naming->jit.count, kept = 0;
	int err = 0;

	if (source->fd < 0)
		return 0;
	for (size_t i = 0, length; i < count && !err; i += length) {
		length = count - i < PARSE_ADDRESSES_MAX ? count - i : PARSE_ADDRESSES_MAX;
		err = ask_map(naming, source, i, length, &kept, error);
	}
	naming->jit.count = kept;
	return err;
}

/* The dump has lines; without them the map is asked first, which is smaller. */
static int ask_maps(struct naming *naming, struct symbolizer_process *process)
{
	bool lines = naming->flags & PARSE_LINES;
	int ignored, err = 0;

	if (naming->jit.count)
		process_snapshot_find_perf_map(process);
	if (lines)
		err = ask_source(naming, &process->jitdump, &ignored);
	if (!err)
		err = ask_source(naming, &process->perf_map, &process->perf_map_error);
	if (!err && !lines)
		err = ask_source(naming, &process->jitdump, &ignored);
	for (size_t i = 0; i < naming->jit.count && !err; i++)
		err = set_jit_missing(process, symbol_of(naming, naming->jit.items[i].number));
	return err;
}

/* Memory files hold code that a runtime made, or a program that somebody copied there. */
static bool is_program(struct naming *naming, const struct mapping *mapping)
{
	return mapping->file && !parser_open(naming->symbolizer->parser, &mapping->file->source);
}

static int name_one(struct naming *naming, struct symbolizer_process *process, uint64_t address, uint32_t number)
{
	const struct mapping *found = process_snapshot_mapping(process, address);
	struct symbol *symbol = symbol_of(naming, number);
	struct mapping mapping;

	if (!found) {
		symbol->pending = !process->exited;
		return symbol_set_reason(naming->symbolizer, symbol,
					 process->mappings.list.count ? "[no mapping]" : "[exited]");
	}
	/* A question may wait, and the snapshot be refreshed meanwhile. */
	mapping = *found;
	if (mapping.kind == MAPPING_FILE || mapping.kind == MAPPING_VDSO ||
	    (mapping.kind == MAPPING_JIT && is_program(naming, &mapping)))
		return name_in_file(naming, &mapping, address, number);
	if (mapping.kind == MAPPING_JIT) {
		symbol->kind = SYMBOL_JIT;
		return add_question(&naming->jit, (struct question){.address = address, .number = number});
	}
	symbol->named = true;
	symbol->name = mapping.name;
	return 0;
}

int naming_process(struct symbolizer_process *process, const uint64_t *addresses, size_t count, struct symbols *symbols)
{
	_cleanup_(naming_deinit) struct naming naming;
	int err = naming_init(&naming, process->symbolizer, process, count, symbols);

	for (size_t i = 0; i < count && !err; i++)
		err = name_one(&naming, process, addresses[i], (uint32_t)i);
	if (!err)
		err = ask_files(&naming);
	return err ? err : ask_maps(&naming, process);
}

int naming_file(struct symbolizer *symbolizer, struct pinned_file *file, const char *path, const uint64_t *addresses,
		size_t count, struct symbols *symbols)
{
	_cleanup_(naming_deinit) struct naming naming;
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct question question = {.file = file};
	int err = naming_init(&naming, symbolizer, NULL, count, symbols);

	naming.flags |= PARSE_VIRTUAL;
	if (!err)
		err = string_table_add(&symbolizer->strings, base, strlen(base), &question.module);
	if (!err)
		err = string_table_add(&symbolizer->strings, path, strlen(path), &question.path);
	for (size_t i = 0; i < count && !err; i++) {
		symbols->list.items[i].module = question.module;
		question.address = question.offset = addresses[i];
		question.number = (uint32_t)i;
		err = add_question(&naming.questions, question);
	}
	return err ? err : ask_files(&naming);
}
