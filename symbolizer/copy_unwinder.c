/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/copy_unwinder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/copied_stack.h"
#include "symbolizer/symbolizer_private.h"

#define PROCESS_DEATHS_MAX 2
#define TENANT_DEATHS_MAX 8
#define STALLS_FORGIVEN_MS 64000
#define GENERATIONS_MAX 3 /* of children, in which the files of one copy are to be known together */

/* Of a container's copies. */
static const struct time_share_limit copies_limit = {.debt_ns = 1000000000, .part = 2};

struct request {
	struct symbolizer_process *process;
	struct mapping found[COPIED_MAPPINGS_MAX]; /* copies: the snapshot may be refreshed meanwhile */
	size_t found_count;
	struct copied_stack stack;
	uint64_t words[PARSE_ADDRESSES_MAX];
	size_t count;
};

static void want_mapping(struct request *request, uint64_t address)
{
	const struct mapping *mapping = process_snapshot_mapping(request->process, address);

	if (!mapping || request->found_count == COPIED_MAPPINGS_MAX)
		return;
	for (size_t i = 0; i < request->found_count; i++)
		if (request->found[i].start == mapping->start)
			return;
	request->found[request->found_count++] = *mapping;
}

/* A caller's code can only be where some word of the stack leads to: a few of the many files that a process maps. */
static void want_mappings(struct request *request, const struct copy_to_unwind *copy)
{
	uint64_t ip = copy->registers[CALL_IP];

	want_mapping(request, ip - copy->after_call);
	for (size_t i = 0; i < copy->word_count; i++)
		want_mapping(request, copy->words[i] - 1);
}

static void append(struct request *request, const void *data, size_t bytes)
{
	memcpy(&request->words[request->count], data, bytes);
	request->count += bytes / sizeof(uint64_t);
}

static void add_mapping(struct request *request, const struct mapping *mapping)
{
	struct parser *parser = request->process->symbolizer->parser;
	struct copied_mapping copied = {
		.start = mapping->start,
		.end = mapping->end,
		.offset = mapping->offset,
		.jit = mapping->kind == MAPPING_JIT,
	};

	/* Memory files too: a program may have been copied there. */
	if (mapping->file && mapping->file->state == PINNED_OPEN) {
		file_cache_touch(request->process->symbolizer->files, mapping->file);
		if (!parser_open(parser, &mapping->file->source))
			copied.object = mapping->file->source.object;
	}
	append(request, &copied, sizeof(copied));
}

/* Until one child knows all of the files: one of them may have killed the child that knew the others. */
static bool write_request(struct request *request, const struct copy_to_unwind *copy)
{
	struct worker *worker = parser_worker(request->process->symbolizer->parser);

	for (int i = 0; i < GENERATIONS_MAX; i++) {
		uint32_t generation = worker_generation(worker);

		request->count = 0;
		append(request, &request->stack, sizeof(request->stack));
		for (size_t j = 0; j < request->found_count; j++)
			add_mapping(request, &request->found[j]);
		append(request, copy->words, request->stack.word_count * sizeof(uint64_t));
		if (generation == worker_generation(worker))
			return true;
	}
	return false;
}

static void take(const struct parser_answer *answer, struct unwound *ret)
{
	const char *at = answer->reader.at;
	struct copied_frames head;

	memcpy(&head, at, sizeof(head));
	ret->end = (enum unwound_end)head.end;
	ret->flags = head.flags & (UNWOUND_GUESSED | UNWOUND_UNMAPPED);
	ret->count = head.count;
	ret->described = head.described;
	memcpy(ret->frames, at + sizeof(head), head.count * sizeof(*ret->frames));
}

static int ask(struct request *request, const struct copy_to_unwind *copy, struct unwound *ret)
{
	struct symbolizer *symbolizer = request->process->symbolizer;
	struct parser_answer answer = {0};
	int err = write_request(request, copy) ? 0 : -EIO;

	if (!err)
		err = parser_unwind(symbolizer->parser, request->words, request->count, &answer);
	if (!err)
		take(&answer, ret);
	parser_answer_deinit(&answer);
	return err;
}

/* Time alone ends the row: an answer says little, as it may be another process's. */
static void note_stall(struct parser_stalls *stalls)
{
	if (clock_now_ms() >= stalls->until_ms + STALLS_FORGIVEN_MS)
		stalls->count = 0;
	parser_stalls_note(stalls);
}

static void note_failure(struct symbolizer_process *process, int err)
{
	if (err == -EIO || err == -EHOSTDOWN) {
		process->tenant->copy_deaths++;
		process->copy_deaths += err == -EIO ? 1 : PROCESS_DEATHS_MAX;
	}
	if (err == -EBUSY || err == -EHOSTDOWN)
		note_stall(&process->tenant->copy_stalls);
}

/* With the start of children: who has ended one pays for the next. */
static uint64_t worker_ns(const struct worker *worker)
{
	struct worker_counts counts = worker_counts(worker);

	return counts.busy_ns + counts.start_ns;
}

int copy_unwinder_run(struct symbolizer_process *process, const struct copy_to_unwind *copy, struct unwound *ret)
{
	struct symbolizer *symbolizer = process->symbolizer;
	struct worker *worker = parser_worker(symbolizer->parser);
	struct request request = {.process = process};
	uint64_t begun_ns;
	int err;

	if (!process->mappings.list.count)
		return -ESRCH;
	if (process->copy_deaths >= PROCESS_DEATHS_MAX || process->tenant->copy_deaths >= TENANT_DEATHS_MAX)
		return -ENOTRECOVERABLE;
	if (clock_now_ms() < process->tenant->copy_stalls.until_ms)
		return -EBUSY;
	if (!time_share_left(&process->tenant->copies, copies_limit, clock_now_ns()))
		return -EDQUOT;
	memcpy(request.stack.registers.value, copy->registers, sizeof(copy->registers));
	request.stack.registers.known = copy->known;
	request.stack.after_call = copy->after_call;
	request.stack.inner = copy->inner;
	request.stack.base = copy->registers[CALL_SP];
	request.stack.word_count =
		(uint32_t)(copy->word_count < COPY_UNWINDER_WORDS_MAX ? copy->word_count : COPY_UNWINDER_WORDS_MAX);
	want_mappings(&request, copy);
	request.stack.mapping_count = (uint32_t)request.found_count;
	worker_set_waiting(worker, symbolizer->waiting);
	parser_ask_for(symbolizer->parser, process->tenant->number);
	/* The last one may have been somebody else's to end. */
	worker_generation(worker);
	begun_ns = worker_ns(worker);
	err = ask(&request, copy, ret);
	if (err) {
		note_failure(process, err);
		worker_generation(worker);
	}
	worker_set_waiting(worker, (struct worker_waiting){0});
	time_share_spend(&process->tenant->copies, worker_ns(worker) - begun_ns);
	return err;
}
