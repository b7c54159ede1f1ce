/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/parse_service.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/copied_stack.h"
#include "symbolizer/demangle.h"
#include "symbolizer/jitdump.h"
#include "symbolizer/parse_records.h"
#include "symbolizer/parsed_dwarf.h"
#include "symbolizer/parsed_file.h"
#include "symbolizer/perf_map.h"
#include "symbolizer/worker_sandbox.h"

#define OBJECTS_MAX (1u << 20) /* numbers are the caller's; this bounds a table that they index */
#define TABLE_BYTES_MAX (192u << 20)
#define DESCRIPTORS_MAX (WORKER_DESCRIPTORS * 3 / 4)
#define WALK_BYTES_MAX (32u << 20) /* that a walk may leave on the heap, beside what call_frames_bytes() expects */
#define NICE -5			   /* the caller waits for it; how much of it a container gets is limited (tenants.h) */

struct object {
	struct parsed_file *file; /* one of these three, or none: forgotten */
	struct perf_map *map;
	struct jitdump *dump;
	uint64_t used; /* the service's clock */
	/* When it was last accounted for: */
	size_t bytes; /* of tables */
	size_t descriptors, spare_descriptors;
};

struct service {
	ARRAY(struct object) objects; /* by number */
	uint64_t clock;
	size_t bytes, descriptors; /* of all objects */
	struct worker_bytes *answer;
};

static void *service_start(void)
{
	return calloc(1, sizeof(struct service));
}

static struct object *object_at(struct service *service, uint32_t number)
{
	if (number >= service->objects.count)
		return NULL;
	service->objects.items[number].used = ++service->clock;
	return &service->objects.items[number];
}

static void forget(struct object *object)
{
	parsed_file_free(object->file);
	perf_map_free(object->map);
	jitdump_free(object->dump);
	object->file = NULL;
	object->map = NULL;
	object->dump = NULL;
}

static struct object *new_object(struct service *service, uint32_t number)
{
	if (number >= OBJECTS_MAX)
		return NULL;
	while (service->objects.count <= number)
		if (!array_add(&service->objects))
			return NULL;
	forget(&service->objects.items[number]);
	return object_at(service, number);
}

static int add_facts(struct service *service, struct parsed_file *file)
{
	struct parse_facts facts;

	parsed_file_facts(file, &facts);
	return worker_bytes_add(service->answer, &facts, sizeof(facts));
}

static int open_file(struct service *service, uint32_t number, int fd)
{
	struct object *object = new_object(service, number);
	int err;

	if (!object) {
		close(fd);
		return -ENOMEM;
	}
	err = parsed_file_new(fd, &object->file);
	return err ? err : add_facts(service, object->file);
}

static int open_map(struct service *service, const struct parse_request *request, int fd)
{
	struct object *object = new_object(service, request->object);

	if (!object) {
		close(fd);
		return -ENOMEM;
	}
	return request->type == PARSE_OPEN_JITDUMP ? jitdump_new(fd, &object->dump) : perf_map_new(fd, &object->map);
}

static int add_to_file(struct service *service, const struct parse_request *request, int fd)
{
	struct object *object = object_at(service, request->object);
	int err;

	if (!object || !object->file) {
		close(fd);
		return -ENOENT;
	}
	if (request->type == PARSE_ADD_PACKAGE)
		err = parsed_file_add_package(object->file, fd);
	else if (request->type == PARSE_ADD_ALTERNATE)
		err = parsed_file_add_alternate(object->file, fd);
	else
		err = parsed_file_add_debug(object->file, fd);
	return err ? err : add_facts(service, object->file);
}

static int add_split(struct service *service, const struct parse_request *request, int fd)
{
	struct object *object = object_at(service, request->object);

	if (object && object->file)
		return parsed_dwarf_add_split(parsed_file_dwarf(object->file), request->flags, fd);
	if (fd >= 0)
		close(fd);
	return -ENOENT;
}

static int tell_splits(struct service *service, uint32_t number)
{
	struct object *object = object_at(service, number);

	return object && object->file ? parsed_dwarf_splits(parsed_file_dwarf(object->file), service->answer) : -ENOENT;
}

static int find_in_map(const struct perf_map *map, uint64_t address, struct worker_bytes *answer)
{
	const char *raw = perf_map_find(map, address);
	struct parse_name name = {0};
	char *readable;
	int err;

	if (!raw || !raw[0])
		return parse_records_add(answer, 0, 0, NULL, 0);
	readable = demangle(raw);
	name.text = readable ? readable : raw;
	name.bytes = strlen(name.text);
	err = parse_records_add(answer, 0, 0, &name, 1);
	free(readable);
	return err;
}

static int find_in_dump(const struct jitdump *dump, uint64_t address, uint32_t flags, struct worker_bytes *answer)
{
	_cleanup_free_ char *readable = NULL;
	struct parse_name name = {0};
	struct jitdump_place place;

	if (!jitdump_find(dump, address, &place))
		return parse_records_add(answer, 0, 0, NULL, 0);
	readable = demangle(place.function);
	name.text = readable ? readable : place.function;
	name.bytes = strlen(name.text);
	if (flags & PARSE_LINES && place.file) {
		name.file = place.file;
		name.file_bytes = strlen(place.file);
		name.line = place.line;
	}
	return parse_records_add(answer, 0, 0, &name, 1);
}

static int find_one(struct service *service, struct object *object, uint64_t address, uint32_t flags)
{
	if (object->file)
		return parsed_file_find(object->file, address, flags, service->answer);
	if (object->dump)
		return find_in_dump(object->dump, address, flags, service->answer);
	return find_in_map(object->map, address, service->answer);
}

static int find(struct service *service, const struct parse_request *request, struct parse_answer *head)
{
	struct object *object = object_at(service, request->object);
	int err = 0, read_err = 0;

	if (!object || (!object->file && !object->map && !object->dump))
		return -ENOENT;
	/* What a runtime has appended by now. What could not be read keeps what was; only what there is too much of is told. */
	if (object->map)
		read_err = perf_map_read(object->map);
	else if (object->dump)
		read_err = jitdump_read(object->dump);
	if (read_err != -EFBIG && read_err != -ENOMEM)
		read_err = 0;
	for (uint32_t i = 0; i < request->count && !err; i++) {
		err = find_one(service, object, request->addresses[i], request->flags);
		head->count += !err;
	}
	return err ? err : read_err;
}

static struct call_frames *frames_of(void *data, uint32_t number)
{
	struct object *object = object_at(data, number);

	return object && object->file ? parsed_file_call_frames(object->file) : NULL;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/*
 * libdw makes room for as many registers as a file mentions, and keeps it. The limit of address space ends that, but then
 * there is none left for the others' files.
 */
static void drop_greedy_files(struct service *service, const struct copied_mapping *mappings, size_t count,
			      size_t bytes_before)
{
	size_t expected = 0;

	for (size_t i = 0; i < count; i++) {
		struct object *object = object_at(service, mappings[i].object);

		expected += object && object->file ? parsed_file_call_frames_bytes(object->file) : 0;
	}
	expected = bytes_before + (expected < TABLE_BYTES_MAX ? expected : TABLE_BYTES_MAX) + WALK_BYTES_MAX;
	for (size_t i = 0; i < count && heap_bytes() > expected; i++) {
		struct object *object = object_at(service, mappings[i].object);

		if (object && object->file)
			parsed_file_drop_call_frames(object->file);
	}
}

static bool is_copy(const struct parse_request *request)
{
	const struct copied_stack *stack = (const void *)request->addresses;
	size_t bytes = request->count * sizeof(uint64_t);

	return bytes >= sizeof(*stack) && stack->mapping_count <= COPIED_MAPPINGS_MAX &&
	       bytes == sizeof(*stack) + stack->mapping_count * sizeof(struct copied_mapping) +
				stack->word_count * sizeof(uint64_t);
}

static int unwind(struct service *service, const struct parse_request *request)
{
	const struct copied_stack *stack = (const void *)request->addresses;
	const struct copied_mapping *mappings = (const void *)(stack + 1);
	uint64_t frames[UNWOUND_FRAMES_MAX];
	struct copied_frames head;
	size_t heap_before = heap_bytes();

	if (!is_copy(request))
		return -EINVAL;
	copied_stack_walk(stack, mappings, (const uint64_t *)(mappings + stack->mapping_count), frames_of, service,
			  &head, frames);
	drop_greedy_files(service, mappings, stack->mapping_count, heap_before);
	if (worker_bytes_add(service->answer, &head, sizeof(head)))
		return -ENOMEM;
	return worker_bytes_add(service->answer, frames, head.count * sizeof(*frames));
}

static int add_cost(struct service *service)
{
	struct parse_cost cost;
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used))
		return -errno;
	cost.cpu_ns = clock_used_ns(&used);
	cost.memory_bytes = (uint64_t)used.ru_maxrss * 1024;
	return worker_bytes_add(service->answer, &cost, sizeof(cost));
}

static int dispatch(struct service *service, const struct parse_request *request, int fd, struct parse_answer *head)
{
	struct object *object;

	switch (request->type) {
	case PARSE_OPEN_FILE:
		return fd < 0 ? -ENOENT : open_file(service, request->object, fd);
	case PARSE_OPEN_PERF_MAP:
	case PARSE_OPEN_JITDUMP:
		return fd < 0 ? -ENOENT : open_map(service, request, fd);
	case PARSE_ADD_DEBUG_FILE:
	case PARSE_ADD_ALTERNATE:
	case PARSE_ADD_PACKAGE:
		return fd < 0 ? -ENOENT : add_to_file(service, request, fd);
	case PARSE_SPLITS:
		return tell_splits(service, request->object);
	case PARSE_ADD_SPLIT:
		return add_split(service, request, fd);
	case PARSE_FIND:
		return find(service, request, head);
	case PARSE_UNWIND:
		return unwind(service, request);
	case PARSE_FORGET:
		object = object_at(service, request->object);
		if (object)
			forget(object);
		return 0;
	case PARSE_COST:
		return add_cost(service);
	default:
		return -EINVAL;
	}
}

static void account(struct service *service, struct object *object)
{
	service->bytes -= object->bytes;
	object->bytes = object->file   ? parsed_file_bytes(object->file)
			: object->map  ? perf_map_bytes(object->map)
			: object->dump ? jitdump_bytes(object->dump)
				       : 0;
	service->bytes += object->bytes;
	service->descriptors -= object->descriptors;
	object->spare_descriptors = 0;
	object->descriptors = object->file ? parsed_file_descriptors(object->file, &object->spare_descriptors)
					   : object->map || object->dump;
	service->descriptors += object->descriptors;
}

static void drop_tables(struct service *service, struct object *object)
{
	if (object->file)
		parsed_file_trim(object->file);
	if (object->map)
		perf_map_trim(object->map);
	if (object->dump)
		jitdump_trim(object->dump);
	account(service, object);
}

/* For what a request was about. A copied stack is about many. */
static void account_request(struct service *service, const struct parse_request *request)
{
	const struct copied_stack *stack = (const void *)request->addresses;
	const struct copied_mapping *mappings = (const void *)(stack + 1);

	if (request->type != PARSE_UNWIND) {
		if (request->object < service->objects.count)
			account(service, &service->objects.items[request->object]);
		return;
	}
	if (!is_copy(request))
		return;
	for (size_t i = 0; i < stack->mapping_count; i++)
		if (mappings[i].object < service->objects.count)
			account(service, &service->objects.items[mappings[i].object]);
}

/*
 * What was unused for longest goes first, and the object in use now last: a file's tables are then made again for each
 * request. To read a map again takes longer, so a large one stays while it is in use.
 */
static void trim(struct service *service, const struct object *in_use, size_t most)
{
	while (service->bytes > most) {
		struct object *oldest = NULL;

		for (size_t i = 0; i < service->objects.count; i++) {
			struct object *object = &service->objects.items[i];

			if (object->bytes && (object != in_use || object->file) &&
			    (!oldest || object->used < oldest->used))
				oldest = object;
		}
		if (!oldest)
			return;
		drop_tables(service, oldest);
		/* Whatever stays is no reason to go on for ever. */
		service->bytes -= oldest->bytes;
		oldest->bytes = 0;
	}
}

/* The same for descriptors, of which .dwo files take most: the file in use keeps its own. */
static void trim_descriptors(struct service *service, const struct object *in_use)
{
	while (service->descriptors > DESCRIPTORS_MAX) {
		struct object *oldest = NULL;

		for (size_t i = 0; i < service->objects.count; i++) {
			struct object *object = &service->objects.items[i];

			if (object->spare_descriptors && object != in_use && (!oldest || object->used < oldest->used))
				oldest = object;
		}
		if (!oldest)
			return;
		parsed_dwarf_drop_splits(parsed_file_dwarf(oldest->file));
		drop_tables(service, oldest);
	}
}

static int answer_request(struct service *service, const struct parse_request *request, int fd)
{
	struct parse_answer head = {0};

	service->answer->list.count = sizeof(head);
	head.error = dispatch(service, request, fd, &head);
	memcpy(service->answer->list.items, &head, sizeof(head));
	account_request(service, request);
	return head.error;
}

static void service_handle(void *state, const void *bytes, size_t size, const int *fds, size_t fd_count,
			   struct worker_bytes *answer)
{
	const struct parse_request *request = bytes;
	struct service *service = state;
	struct parse_answer head = {.error = -EINVAL};
	const struct object *in_use;
	int err;

	service->answer = answer;
	if (worker_bytes_add(answer, &head, sizeof(head)) || size < sizeof(*request) ||
	    size != sizeof(*request) + request->count * sizeof(uint64_t))
		return;
	err = answer_request(service, request, fd_count ? fds[0] : -1);
	/* Whatever the others hold can be made again. A descriptor is gone with its first try. */
	if (err == -ENOMEM) {
		trim(service, NULL, 0);
		if (!fd_count)
			answer_request(service, request, -1);
	}
	in_use = request->object < service->objects.count ? &service->objects.items[request->object] : NULL;
	trim(service, in_use, TABLE_BYTES_MAX);
	trim_descriptors(service, in_use);
}

const struct worker_handler parse_service = {service_start, service_handle, NICE};
