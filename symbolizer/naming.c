/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/naming.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/naming_private.h"

#define ROUNDS_MAX 64
#define ROUNDS_MS_MAX 20000	     /* together; after it no other round begins */
#define RANGE_BYTES_MAX (128u << 20) /* of a function, to be remembered */

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

static int set_missing(struct naming *naming, const struct question *question)
{
	struct symbol *symbol = naming_symbol(naming, question->number);
	const char *reason = "stripped";

	if (question->file->source.facts.has_symbols)
		reason = "no symbol";
	else if (question->file->debug_silent)
		reason = "debug file's file system does not answer";
	else if (question->file->debug_late)
		reason = "debug file not read in time:";
	symbol->pending = !question->file->source.facts.has_symbols &&
			  (question->file->debug_late || question->file->debug_silent);
	return symbol_set_reason(naming->symbolizer, symbol, "[%s %.200s+0x%" PRIx64 "]", reason,
				 string_table_text(&naming->symbolizer->strings, question->module), question->offset);
}

/* Is it a process's, which has not ended? */
static bool may_be_read(const struct naming *naming)
{
	const struct symbolizer_process *process = naming->search.process;

	return process && !process->exited;
}

static int set_failed(struct naming *naming, const struct question *question, int error)
{
	struct symbol *symbol = naming_symbol(naming, question->number);
	const char *reason = "no file", *name = string_table_text(&naming->symbolizer->strings, question->module);

	/* A file that was closed is opened when its process is read again, and a file system may answer yet. */
	symbol->pending = error == -EBUSY || error == -ETIME || error == -EHOSTDOWN ||
			  (question->file->state == PINNED_TRIMMED && may_be_read(naming));
	if (question->file->state == PINNED_TRIMMED)
		reason = "too many files";
	else if (error == -ENOEXEC)
		reason = "not ELF";
	else if (error == -ENOTRECOVERABLE)
		reason = "quarantined";
	else if (error == -EHOSTDOWN)
		reason = "file system does not answer";
	else if (error == -ETIME)
		reason = "takes too long:";
	else if (error == -EBUSY)
		reason = "not read in time:";
	else if (error == -EDQUOT)
		reason = "container's parsing time is used up:";
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

int naming_set(struct naming *naming, const struct question *question, const struct parse_name *names, size_t count)
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

/* Who has killed a child pays for the next one's start, too. */
static uint64_t busy_ns(const struct naming *naming)
{
	struct worker_counts counts = worker_counts(parser_worker(naming->symbolizer->parser));

	return counts.busy_ns + counts.start_ns;
}

int naming_begin(struct naming *naming, const struct parser_source *source, size_t count)
{
	struct tenant *tenant = naming->search.tenant;

	naming->quarantined = parser_source_quarantined(source);
	naming->busy_ns = busy_ns(naming);
	parser_ask_for(naming->symbolizer->parser, tenant->number);
	if (time_share_left(&tenant->parsing, tenants_limit(naming->flags), clock_now_ns()))
		return 0;
	tenant->skipped += count;
	return -EDQUOT;
}

void naming_end(struct naming *naming, struct parser_source *source, string_id name)
{
	struct symbolizer *symbolizer = naming->symbolizer;

	time_share_spend(&naming->search.tenant->parsing, busy_ns(naming) - naming->busy_ns);
	if (!naming->quarantined && parser_source_quarantined(source)) {
		symbolizer->quarantined++;
		symbolizer->quarantined_last = name;
	} else if (!source->told_slow && parser_source_slow(source, naming->flags)) {
		source->told_slow = true;
		symbolizer->slow++;
		symbolizer->slow_last = name;
	}
}

/* What a child says that was taken over outlives it only for what could be one function. */
static bool is_remembered(const struct pinned_file *file, uint64_t start, uint64_t end)
{
	return start < end && end - start <= RANGE_BYTES_MAX && (!file->size || end <= (uint64_t)file->size);
}

int naming_next(struct naming *naming, const struct question *question, struct parse_name *names, int *ret_count)
{
	uint64_t start, end;
	int count = parse_records_next(&naming->answer.reader, &start, &end, names);
	string_id name = 0;

	if (count < 0)
		return count;
	*ret_count = count;
	if (!question->file || naming->flags || !is_remembered(question->file, start, end))
		return 0;
	/* The debug file may come, and have a name. */
	if (!count && !question->file->sought)
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
	int found, answered = file->state == PINNED_OPEN ? 0 : -EIO, err = 0;

	if (!answered)
		answered = naming_begin(naming, source, count);
	for (size_t i = 0; i < count; i++)
		naming->addresses[i] = questions[i].address;
	if (!answered) {
		answered = ask_with_debug_files(naming, questions, count);
		naming_end(naming, source, questions->module);
	}
	if (answered == -ENOMEM)
		return answered;
	for (size_t i = 0; i < count && !err; i++) {
		if (!answered)
			answered = naming_next(naming, &questions[i], names, &found);
		if (answered == -ENOMEM)
			err = answered;
		else if (answered)
			err = set_failed(naming, &questions[i], answered);
		else if (found)
			err = naming_set(naming, &questions[i], names, (size_t)found);
		else
			err = set_missing(naming, &questions[i]);
	}
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
	struct symbol *symbol = naming_symbol(naming, number);
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
	symbol->pending = !question.file && mapping->crowded && may_be_read(naming);
	if (!question.file)
		return symbol_set_reason(naming->symbolizer, symbol, "[%s %.200s]",
					 mapping->crowded ? "too many files" : "no file",
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

/* Memory files hold code that a runtime made, or a program that somebody copied there. */
static bool is_program(struct naming *naming, const struct mapping *mapping)
{
	struct parser_source *source;
	bool program;

	if (!mapping->file)
		return false;
	source = &mapping->file->source;
	if (naming_begin(naming, source, 0))
		return false;
	program = !parser_open(naming->symbolizer->parser, source);
	naming_end(naming, source, mapping->name);
	return program;
}

/* Why an address is in no mapping. */
static int set_unmapped(const struct symbolizer_process *process, struct symbol *symbol)
{
	const char *reason = "[no mapping]";

	symbol->pending = !process->exited;
	if (process->error == -EHOSTDOWN)
		reason = "[memory is locked]";
	else if (process->error == -EDQUOT)
		reason = "[container's time for reading mappings is used up]";
	else if (process->error && !process->exited)
		return symbol_set_reason(process->symbolizer, symbol, "[mappings not read: %s]",
					 strerror(-process->error));
	else if (process->mappings.cut)
		reason = "[too many mappings]";
	else if (!process->mappings.list.count)
		reason = "[exited]";
	return symbol_set_reason(process->symbolizer, symbol, "%s", reason);
}

static int name_one(struct naming *naming, struct symbolizer_process *process, uint64_t address, uint32_t number)
{
	const struct mapping *found = process_snapshot_mapping(process, address);
	struct symbol *symbol = naming_symbol(naming, number);
	struct mapping mapping;

	if (!found)
		return set_unmapped(process, symbol);
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
	return err ? err : naming_ask_maps(&naming, process);
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
