/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/parser.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/copied_stack.h"
#include "symbolizer/parse_service.h"
#include "symbolizer/parser_private.h"
#include "symbolizer/silent_devices.h"

#define UNWIND_TIMEOUT_MS 500 /* a copy; most take less than one */

struct parser {
	struct worker *worker;
	uint32_t objects; /* numbers given so far, to the child of generation @numbered */
	uint32_t numbered;
	ARRAY(uint32_t) unused;	       /* of them: their sources are forgotten */
	struct parse_request *request; /* room for PARSE_ADDRESSES_MAX */
	struct silent_devices *silent;
	uint64_t tenant; /* parser_ask_for() */
};

int parser_new(struct silent_devices *silent, struct parser **ret_parser)
{
	_cleanup_free_ struct parser *parser = calloc(1, sizeof(*parser));
	int err;

	if (!parser)
		return -ENOMEM;
	parser->silent = silent;
	parser->request = malloc(sizeof(*parser->request) + PARSE_ADDRESSES_MAX * sizeof(uint64_t));
	if (!parser->request)
		return -ENOMEM;
	err = worker_new(&parse_service, &parser->worker);
	if (err) {
		free(parser->request);
		return err == -ENOMEM ? err : -EAGAIN;
	}
	*ret_parser = take_ptr(parser);
	return 0;
}

void parser_free(struct parser *parser)
{
	if (!parser)
		return;
	worker_free(parser->worker);
	array_deinit(&parser->unused);
	free(parser->request);
	free(parser);
}

struct worker *parser_worker(struct parser *parser)
{
	return parser->worker;
}

void parser_ask_for(struct parser *parser, uint64_t tenant)
{
	parser->tenant = tenant;
}

void parser_answer_deinit(struct parser_answer *answer)
{
	array_deinit(&answer->bytes.list);
}

static bool facts_make_sense(const struct parser_answer *answer)
{
	struct parse_facts facts;

	if ((size_t)(answer->reader.end - answer->reader.at) < sizeof(facts))
		return false;
	memcpy(&facts, answer->reader.at, sizeof(facts));
	return facts.build_id_bytes <= sizeof(facts.build_id) && facts.alternate_id_bytes <= sizeof(facts.alternate_id);
}

static bool is_unwound(const struct parser_answer *answer)
{
	size_t bytes = (size_t)(answer->reader.end - answer->reader.at);
	struct copied_frames head;

	if (bytes < sizeof(head))
		return false;
	memcpy(&head, answer->reader.at, sizeof(head));
	return head.end < UNWOUND_ENDS && head.count <= UNWOUND_FRAMES_MAX && head.described <= head.count &&
	       bytes == sizeof(head) + head.count * sizeof(uint64_t);
}

static bool makes_sense(const struct parse_request *request, const struct parser_answer *answer)
{
	switch (request->type) {
	case PARSE_OPEN_FILE:
	case PARSE_ADD_DEBUG_FILE:
	case PARSE_ADD_ALTERNATE:
	case PARSE_ADD_PACKAGE:
		return facts_make_sense(answer);
	case PARSE_FIND:
		return parse_records_make_sense(answer->reader, request->addresses, request->count,
						request->flags & PARSE_INLINES ? PARSE_FRAMES_MAX : 1);
	case PARSE_UNWIND:
		return is_unwound(answer);
	default:
		return true;
	}
}

/* One request; what stands behind the answer's head is left for the caller to read. */
static int ask(struct parser *parser, const struct parse_request *request, int fd, int timeout_ms,
	       struct parser_answer *answer)
{
	struct parse_answer head;
	int err = worker_call(parser->worker, request, sizeof(*request) + request->count * sizeof(uint64_t), &fd,
			      fd >= 0, timeout_ms, &answer->bytes);

	/* What it read may have been an error, too. */
	if (err)
		return err == -EIO ? -EPIPE : err;
	answer->reader =
		(struct parse_reader){answer->bytes.list.items, answer->bytes.list.items + answer->bytes.list.count};
	/* Out of memory there: the child's limit, not ours. */
	if (answer->bytes.list.count < sizeof(head))
		return -EFBIG;
	memcpy(&head, answer->reader.at, sizeof(head));
	answer->reader.at += sizeof(head);
	/* Only errors that a caller expects: anything else from there is noise. */
	switch (head.error) {
	case 0:
		if (makes_sense(request, answer))
			return 0;
		worker_discard(parser->worker);
		return -EBADMSG;
	case -ENOEXEC:
	case -ENOENT:
	case -EFBIG:
	case -EIO:
		return head.error;
	case -ENOMEM:
		return -EFBIG;
	default:
		worker_discard(parser->worker);
		return -EBADMSG;
	}
}

static int ask_simply(struct parser *parser, enum parse_type type, uint32_t object, int fd,
		      struct parser_answer *answer)
{
	struct parse_request request = {.type = type, .object = object};

	return ask(parser, &request, fd, PARSER_TIMEOUT_MS, answer);
}

/* Out of an answer that makes_sense(). */
static void take_facts(struct parser_source *source, const struct parser_answer *answer)
{
	struct parse_facts *facts = &source->facts;

	memcpy(facts, answer->reader.at, sizeof(*facts));
	facts->debug_link[sizeof(facts->debug_link) - 1] = '\0';
	facts->alternate_link[sizeof(facts->alternate_link) - 1] = '\0';
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define FILES_OF_REQUEST 5

/* @files: to be filled: what a request may have to read; @fd: what comes with it, or -1. */
static struct silent_request to_read(const struct parser *parser, const struct parser_source *source, int fd,
				     int files[FILES_OF_REQUEST])
{
	files[0] = source->fd;
	files[1] = fd;
	files[2] = source->debug_fd;
	files[3] = source->alternate_fd;
	files[4] = source->package_fd;
	return (struct silent_request){parser->worker, source->tenant, files, FILES_OF_REQUEST, source->splits};
}

static bool is_silent(const struct parser *parser, const struct parser_source *source, int fd)
{
	int files[FILES_OF_REQUEST];
	struct silent_request read = to_read(parser, source, fd, files);

	return silent_devices_has(parser->silent, &read) ||
	       silent_devices_full(parser->silent, parser->worker, source->tenant);
}

/*
 * @err: -EBUSY or -ETIME. Returns whether its file system does not answer, whichever of them it is. A child that computed until
 * its time was up did not wait for this source: that it cannot end is for any file that it holds (FUSE is asked once
 * more as one is closed), and nobody knows for which.
 */
static bool note_silent(const struct parser *parser, const struct parser_source *source, int fd, uint64_t stuck_before,
			int err)
{
	const struct silent_request others = {parser->worker, source->tenant, NULL, 0, true};
	int files[FILES_OF_REQUEST];
	struct silent_request read = to_read(parser, source, fd, files);

	if (err == -ETIME) {
		silent_devices_note(parser->silent, &others, stuck_before);
		return false;
	}
	return silent_devices_note(parser->silent, &read, stuck_before) || is_silent(parser, source, fd);
}

static void forget(struct parser *parser, struct parser_source *source)
{
	struct parser_answer answer = {0};
	uint64_t stuck = worker_counts(parser->worker).stuck;
	int err = -ENOENT;

	if (source->numbered && worker_has_child(parser->worker) &&
	    source->numbered == worker_generation(parser->worker))
		err = ask_simply(parser, PARSE_FORGET, source->object, -1, &answer);
	/* A number is given again only where the child has said that it has forgotten; without room for it, not at all. */
	if (!err && !array_reserve(&parser->unused, 1))
		*array_add(&parser->unused) = source->object;
	if (err == -EBUSY)
		note_silent(parser, source, -1, stuck, err);
	parser_answer_deinit(&answer);
	source->generation = source->numbered = 0;
}

/* For each child anew: so they stay as few as there are sources. */
static void number(struct parser *parser, struct parser_source *source, uint32_t generation)
{
	if (source->numbered == generation)
		return;
	if (parser->numbered != generation)
		parser->objects = parser->unused.count = 0;
	parser->numbered = source->numbered = generation;
	source->object = parser->unused.count ? parser->unused.items[--parser->unused.count] : ++parser->objects;
}

void parser_source_deinit(struct parser *parser, struct parser_source *source)
{
	forget(parser, source);
	close_fd(&source->fd);
	close_fd(&source->debug_fd);
	close_fd(&source->alternate_fd);
	close_fd(&source->package_fd);
}

void parser_drop_debug(struct parser *parser, struct parser_source *source)
{
	forget(parser, source);
	close_fd(&source->debug_fd);
	close_fd(&source->alternate_fd);
	close_fd(&source->package_fd);
}

static enum parse_type opening(const struct parser_source *source)
{
	switch (source->kind) {
	case PARSER_FILE:
		return PARSE_OPEN_FILE;
	case PARSER_PERF_MAP:
		return PARSE_OPEN_PERF_MAP;
	case PARSER_JITDUMP:
		break;
	}
	return PARSE_OPEN_JITDUMP;
}

static enum parse_type adding(enum parser_addition addition)
{
	switch (addition) {
	case PARSER_DEBUG_FILE:
		return PARSE_ADD_DEBUG_FILE;
	case PARSER_ALTERNATE:
		return PARSE_ADD_ALTERNATE;
	case PARSER_PACKAGE:
		break;
	}
	return PARSE_ADD_PACKAGE;
}

static int *descriptor_of(struct parser_source *source, enum parser_addition addition)
{
	switch (addition) {
	case PARSER_DEBUG_FILE:
		return &source->debug_fd;
	case PARSER_ALTERNATE:
		return &source->alternate_fd;
	case PARSER_PACKAGE:
		break;
	}
	return &source->package_fd;
}

/* Does the child know as many as it has room for, and not this one? */
static bool is_full(const struct parser *parser, const struct parser_source *source, uint32_t generation)
{
	return source->numbered != generation && parser->numbered == generation &&
	       parser->objects - parser->unused.count >= PARSER_SOURCES_MAX;
}

static int tell(struct parser *parser, struct parser_source *source, struct parser_answer *answer)
{
	uint32_t generation = worker_generation(parser->worker);
	int err;

	if (source->generation == generation)
		return 0;
	if (is_full(parser, source, generation)) {
		worker_stop_child(parser->worker);
		generation = worker_generation(parser->worker);
	}
	number(parser, source, generation);
	err = ask_simply(parser, opening(source), source->object, source->fd, answer);
	if (!err && source->kind == PARSER_FILE)
		take_facts(source, answer);
	for (enum parser_addition i = PARSER_DEBUG_FILE; i <= PARSER_PACKAGE && !err; i++) {
		int fd = *descriptor_of(source, i);

		if (fd < 0)
			continue;
		err = ask_simply(parser, adding(i), source->object, fd, answer);
		if (!err)
			take_facts(source, answer);
	}
	if (!err)
		source->generation = generation;
	return err;
}

static bool is_offer(const struct parse_request *request)
{
	return request && (request->type == PARSE_ADD_DEBUG_FILE || request->type == PARSE_ADD_ALTERNATE ||
			   request->type == PARSE_ADD_PACKAGE);
}

/* One try. @request may be NULL: then the source is only told. */
static int ask_once(struct parser *parser, struct parser_source *source, struct parse_request *request, int fd,
		    int timeout_ms, struct parser_answer *answer)
{
	struct worker_counts before;
	bool offered;
	int err;

	/* With a new child comes the news of the last one, which is not of this source. */
	worker_generation(parser->worker);
	before = worker_counts(parser->worker);
	err = tell(parser, source, answer);
	offered = !err && is_offer(request);
	if (err == -ENOEXEC)
		source->error = err;
	if (!err && request) {
		request->object = source->object;
		err = ask(parser, request, fd, timeout_ms, answer);
	}
	parser_source_note(source, offered, err, worker_counts(parser->worker).busy_ns - before.busy_ns);
	if (err != -ETIME && err != -EBUSY)
		return err;
	return note_silent(parser, source, fd, before.stuck, err) ? -EHOSTDOWN : err;
}

/*
 * What is asked, twice at most: a child may have died of what another source left behind. The next child knows this
 * source alone: one that it survives was not to blame.
 */
static int ask_about(struct parser *parser, struct parser_source *source, struct parse_request *request, int fd,
		     int timeout_ms, struct parser_answer *answer)
{
	/* Only parser_find() says whether lines are wanted, which take longer. */
	uint32_t flags = request && request->type == PARSE_FIND ? request->flags : PARSE_LINES;
	int err;

	source->tenant = parser->tenant;
	if (source->error)
		return source->error;
	if (source->fd < 0)
		return -EIO;
	do {
		/* First: it may look like a busy disk, too. */
		if (is_silent(parser, source, fd))
			return -EHOSTDOWN;
		err = parser_source_given_up(source, flags, is_offer(request));
		if (err)
			return err;
		err = ask_once(parser, source, request, fd, timeout_ms, answer);
	} while (parser_is_death(err));
	return err;
}

int parser_open(struct parser *parser, struct parser_source *source)
{
	struct parser_answer answer = {0};
	int err = ask_about(parser, source, NULL, -1, 0, &answer);

	parser_answer_deinit(&answer);
	return err;
}

int parser_add(struct parser *parser, struct parser_source *source, enum parser_addition addition, int fd)
{
	struct parse_request request = {.type = adding(addition)};
	struct parser_answer answer = {0};
	int err = ask_about(parser, source, &request, fd, PARSER_TIMEOUT_MS, &answer);

	if (!err)
		take_facts(source, &answer);
	parser_answer_deinit(&answer);
	if (err)
		close(fd);
	else
		*descriptor_of(source, addition) = fd;
	return err;
}

int parser_bring_splits(struct parser *parser, struct parser_source *source, parser_split split, void *data)
{
	struct parse_request request = {.type = PARSE_SPLITS};
	struct parser_answer missed = {0}, answer = {0};
	char name[PATH_MAX], directory[PATH_MAX];
	struct parse_split record;
	int brought = 0, err = ask_about(parser, source, &request, -1, PARSER_TIMEOUT_MS, &missed);

	while (!err && brought < PARSE_SPLITS_MAX && parse_splits_next(&missed.reader, &record, name, directory)) {
		int fd = split(data, name, directory);

		request.type = PARSE_ADD_SPLIT;
		request.flags = record.number;
		source->splits |= fd >= 0;
		err = ask_about(parser, source, &request, fd, PARSER_TIMEOUT_MS, &answer);
		if (fd >= 0)
			close(fd);
		/* A new child has missed nothing yet. */
		if (err == -ENOENT)
			err = 0;
		brought++;
	}
	parser_answer_deinit(&missed);
	parser_answer_deinit(&answer);
	return err ? err : brought;
}

int parser_find(struct parser *parser, struct parser_source *source, const uint64_t *addresses, size_t count,
		uint32_t flags, struct parser_answer *ret_answer)
{
	if (count > PARSE_ADDRESSES_MAX)
		return -EINVAL;
	parser->request->type = PARSE_FIND;
	parser->request->flags = flags;
	parser->request->count = (uint32_t)count;
	memcpy(parser->request->addresses, addresses, count * sizeof(*addresses));
	return ask_about(parser, source, parser->request, -1, parser_timeout_ms(flags), ret_answer);
}

int parser_unwind(struct parser *parser, const uint64_t *words, size_t count, struct parser_answer *ret_answer)
{
	const struct silent_request read = {parser->worker, parser->tenant, NULL, 0, true};
	uint64_t stuck = worker_counts(parser->worker).stuck;
	int err;

	if (count > PARSE_ADDRESSES_MAX)
		return -EINVAL;
	parser->request->type = PARSE_UNWIND;
	parser->request->flags = 0;
	parser->request->count = (uint32_t)count;
	memcpy(parser->request->addresses, words, count * sizeof(*words));
	err = ask(parser, parser->request, -1, UNWIND_TIMEOUT_MS, ret_answer);
	/* Which of its files it was, nobody knows. */
	if ((err == -ETIME || err == -EBUSY) && silent_devices_note(parser->silent, &read, stuck))
		return -EHOSTDOWN;
	return parser_is_death(err) ? -EIO : err;
}

void parser_stop(struct parser *parser)
{
	worker_stop_child(parser->worker);
}

struct parse_cost parser_cost(struct parser *parser)
{
	struct parser_answer answer = {0};
	struct parse_cost cost = {0};

	if (!ask_simply(parser, PARSE_COST, 0, -1, &answer) &&
	    (size_t)(answer.reader.end - answer.reader.at) >= sizeof(cost))
		memcpy(&cost, answer.reader.at, sizeof(cost));
	parser_answer_deinit(&answer);
	return cost;
}
