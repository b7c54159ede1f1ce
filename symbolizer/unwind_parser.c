/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/silent_devices.h"
#include "symbolizer/unwind_files.h"
#include "symbolizer/worker.h"

#define TIMEOUT_MS \
	5000 /* while it lasts no other file gets rows; a browser with a million functions takes one second */
#define TRIES 2
#define NICE -10 /* samples wait for it */

/* The answer: this, then segments, pages, rows and rules. */
struct rows_head {
	int32_t error;
	uint32_t frame_pointers;
	uint64_t first_page;
	uint64_t functions, broken;
	uint64_t segments, pages, rows, rules;
	uint64_t cpu_ns, memory_bytes; /* of the worker */
	uint64_t python_version, python_place;
	uint32_t lacks_rows;
	struct elf_build_id build_id;
	struct elf_debug_link debug_link;
};

struct unwind_parser {
	struct worker *worker;
	struct worker_bytes answer;
	struct silent_devices *silent;
	uint64_t tenant;					   /* unwind_parser_ask_for() */
	uint64_t cpu_ns, memory_bytes, busy_ns, crashes, timeouts; /* for other threads: loaded and stored whole */
};

static void *start(void)
{
	static char state;

	return &state;
}

static int add_rows(struct worker_bytes *answer, const struct unwind_rows *rows)
{
	if (worker_bytes_add(answer, rows->segments, rows->segment_count * sizeof(*rows->segments)) ||
	    worker_bytes_add(answer, rows->pages.items, rows->pages.count * sizeof(*rows->pages.items)) ||
	    worker_bytes_add(answer, rows->rows.items, rows->rows.count * sizeof(*rows->rows.items)))
		return -ENOMEM;
	return worker_bytes_add(answer, rows->rules.items, rows->rules.count * sizeof(*rows->rules.items));
}

static void add_costs(struct rows_head *head)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used))
		return;
	head->cpu_ns = clock_used_ns(&used);
	head->memory_bytes = (uint64_t)used.ru_maxrss * 1024;
}

static void handle(void *state, const void *request, size_t bytes, const int *fds, size_t fd_count,
		   struct worker_bytes *answer)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows rows = {0};
	struct rows_head head = {0};

	/* As many descriptors as the request has bytes were sent; fewer come where one could not be opened. */
	head.error = fd_count == bytes ? 0 : -EIO;
	if (!head.error && fd_count == 2)
		head.error = unwind_rows_check_debug(fds[0], fds[1]) ? -EKEYREJECTED : 0;
	if (!head.error)
		head.error = unwind_rows_read(fds[0], fd_count == 2 ? fds[1] : -1, &rows);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (head.error)
		unwind_rows_deinit(&rows);
	head.frame_pointers = rows.frame_pointers;
	head.first_page = rows.first_page;
	head.functions = rows.functions;
	head.broken = rows.broken;
	head.segments = rows.segment_count;
	head.pages = rows.pages.count;
	head.rows = rows.rows.count;
	head.rules = rows.rules.count;
	head.python_version = rows.python.version;
	head.python_place = rows.python.place;
	head.lacks_rows = rows.lacks_rows;
	head.build_id = rows.build_id;
	head.debug_link = rows.debug_link;
	add_costs(&head);
	if (worker_bytes_add(answer, &head, sizeof(head)) || add_rows(answer, &rows))
		answer->list.count = 0;
}

static const struct worker_handler handler = {start, handle, NICE};

int unwind_parser_new(struct silent_devices *silent, struct unwind_parser **ret_parser)
{
	struct unwind_parser *parser = calloc(1, sizeof(*parser));
	int err;

	if (!parser)
		return -ENOMEM;
	parser->silent = silent;
	err = worker_new(&handler, &parser->worker);
	if (err) {
		free(parser);
		return err == -ENOMEM ? err : -EAGAIN;
	}
	*ret_parser = parser;
	return 0;
}

void unwind_parser_free(struct unwind_parser *parser)
{
	if (!parser)
		return;
	worker_free(parser->worker);
	array_deinit(&parser->answer.list);
	free(parser);
}

void unwind_parser_ask_for(struct unwind_parser *parser, uint64_t tenant)
{
	parser->tenant = tenant;
}

static bool sizes_fit(const struct rows_head *head, size_t bytes)
{
	return head->build_id.bytes <= ELF_BUILD_ID_BYTES_MAX &&
	       memchr(head->debug_link.name, '\0', sizeof(head->debug_link.name)) &&
	       head->segments <= UNWIND_SEGMENTS_MAX && head->pages <= UNWIND_PAGES_MAX &&
	       head->rows <= UNWIND_ROWS_MAX && head->rules <= UNWIND_RULES_MAX &&
	       bytes == sizeof(*head) + head->segments * sizeof(struct unwind_segment) +
				head->pages * sizeof(struct unwind_page) + head->rows * sizeof(struct unwind_row) +
				head->rules * sizeof(struct unwind_rule);
}

static bool numbers_fit(const struct unwind_rows *rows)
{
	size_t next = 0;

	for (size_t i = 0; i < rows->pages.count; i++) {
		const struct unwind_page *page = &rows->pages.items[i];

		if (!page->count || page->first != next || page->count > rows->rows.count - next)
			return false;
		next += page->count;
	}
	for (size_t i = 0; i < rows->rows.count; i++)
		if (rows->rows.items[i].rule >= rows->rules.count || rows->rows.items[i].low >> UNWIND_PAGE_SHIFT)
			return false;
	return true;
}

static const char *take(void *items, size_t bytes, const char *at)
{
	if (bytes)
		memcpy(items, at, bytes);
	return at + bytes;
}

int unwind_parser_read(const struct worker_bytes *answer, struct unwind_rows *rows)
{
	const char *at = answer->list.items;
	struct rows_head head;

	if (answer->list.count < sizeof(head))
		return -ENOEXEC; /* out of memory there */
	at = take(&head, sizeof(head), at);
	if (head.error)
		return head.error == -EOPNOTSUPP || head.error == -EIO || head.error == -EKEYREJECTED ? head.error
												      : -ENOEXEC;
	if (!sizes_fit(&head, answer->list.count))
		return -EBADMSG;
	if (array_reserve(&rows->pages, head.pages) || array_reserve(&rows->rows, head.rows) ||
	    array_reserve(&rows->rules, head.rules))
		return -ENOMEM;
	rows->frame_pointers = head.frame_pointers;
	rows->first_page = head.first_page;
	rows->functions = head.functions;
	rows->broken = head.broken;
	rows->segment_count = head.segments;
	rows->pages.count = head.pages;
	rows->rows.count = head.rows;
	rows->rules.count = head.rules;
	rows->lacks_rows = head.lacks_rows;
	rows->build_id = head.build_id;
	rows->debug_link = head.debug_link;
	rows->python = (struct python_runtime){(uint32_t)head.python_version, head.python_place};
	at = take(rows->segments, head.segments * sizeof(*rows->segments), at);
	at = take(rows->pages.items, head.pages * sizeof(*rows->pages.items), at);
	at = take(rows->rows.items, head.rows * sizeof(*rows->rows.items), at);
	take(rows->rules.items, head.rules * sizeof(*rows->rules.items), at);
	return numbers_fit(rows) ? 0 : -EBADMSG;
}

static void note_costs(struct unwind_parser *parser)
{
	struct worker_counts counts = worker_counts(parser->worker);
	struct rows_head head;

	__atomic_store_n(&parser->crashes, counts.crashes, __ATOMIC_RELAXED);
	__atomic_store_n(&parser->timeouts, counts.timeouts, __ATOMIC_RELAXED);
	__atomic_store_n(&parser->busy_ns, counts.busy_ns, __ATOMIC_RELAXED);
	if (parser->answer.list.count < sizeof(head))
		return;
	memcpy(&head, parser->answer.list.items, sizeof(head));
	__atomic_store_n(&parser->cpu_ns, head.cpu_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&parser->memory_bytes, head.memory_bytes, __ATOMIC_RELAXED);
}

int unwind_parser_rows(struct unwind_parser *parser, int path_fd, int debug_fd, struct unwind_rows *rows)
{
	_cleanup_close_ int fd = unwind_files_reopen(path_fd);
	int fds[] = {fd, debug_fd}, err = -ENOTRECOVERABLE;
	size_t fd_count = debug_fd < 0 ? 1 : 2;
	const struct silent_request read = {parser->worker, parser->tenant, fds, fd_count, false};

	if (fd < 0)
		return fd;
	for (int try = 0; try < TRIES; try++) {
		uint64_t stuck;
		int called;

		/* With a new child comes the news of the last one, which is not of this file. */
		worker_generation(parser->worker);
		stuck = worker_counts(parser->worker).stuck;

		if (silent_devices_has(parser->silent, &read) ||
		    silent_devices_full(parser->silent, parser->worker, parser->tenant)) {
			err = -EHOSTDOWN;
			break;
		}
		called = worker_call(parser->worker, "ab", fd_count, fds, fd_count, TIMEOUT_MS, &parser->answer);

		if (called == -ETIME || called == -EBUSY) {
			silent_devices_note(parser->silent, &read, stuck);
			err = -ETIME;
			break;
		}
		if (called == -EIO)
			continue;
		err = called ? called : unwind_parser_read(&parser->answer, rows);
		if (err != -EBADMSG)
			break;
		worker_discard(parser->worker);
		unwind_rows_deinit(rows);
		err = -ENOTRECOVERABLE;
	}
	note_costs(parser);
	/* Tables of browsers are large, and rare. */
	array_deinit(&parser->answer.list);
	return err;
}

struct worker *unwind_parser_worker(struct unwind_parser *parser)
{
	return parser->worker;
}

struct unwind_parser_costs unwind_parser_costs(const struct unwind_parser *parser)
{
	return (struct unwind_parser_costs){
		.cpu_ns = __atomic_load_n(&parser->cpu_ns, __ATOMIC_RELAXED) + worker_cpu_ns(parser->worker),
		.memory_bytes = __atomic_load_n(&parser->memory_bytes, __ATOMIC_RELAXED),
		.busy_ns = __atomic_load_n(&parser->busy_ns, __ATOMIC_RELAXED),
		.crashes = __atomic_load_n(&parser->crashes, __ATOMIC_RELAXED),
		.timeouts = __atomic_load_n(&parser->timeouts, __ATOMIC_RELAXED),
	};
}
