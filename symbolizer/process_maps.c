/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/process_maps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/process_files.h"

#define MAPPINGS_MAX 65536
#define PATH_KEPT_MAX 1024u /* bytes; what is longer is nobody's but to fill memory */
#define STRING_BYTES 64u    /* with what is needed to find it */
#define TEXT_BYTES_MAX (64u << 20)
#define READ_NS_MAX 500000000ull
#define TICK_NS 10000000ull /* USER_HZ is 100 on every architecture that we know */
#define THREADS_TRIED_MAX 64

static bool is_system_v_segment(const char *path)
{
	return !strncmp(path, "/SYSV", 5) && strspn(path + 5, "0123456789abcdef") == 8 && !path[13];
}

/* Shared memory reads like a deleted file in the root directory. */
static enum mapping_kind kind_of(const char *path, bool deleted, uint64_t inode)
{
	if (deleted && (!strncmp(path, "/memfd:", 7) || !strcmp(path, "/dev/zero") || is_system_v_segment(path)))
		return MAPPING_JIT;
	if (inode && path[0] == '/')
		return MAPPING_FILE;
	if (!path[0] || !strncmp(path, "[anon", 5) || !strcmp(path, "//anon") || !strncmp(path, "[heap]", 6) ||
	    !strncmp(path, "[stack", 6))
		return MAPPING_JIT;
	if (!strcmp(path, "[vdso]"))
		return MAPPING_VDSO;
	return MAPPING_OTHER;
}

/* A line, whatever it maps. */
struct line {
	uint64_t start, end, offset, inode;
	uint32_t device;
	bool executable, deleted;
	char *path; /* in the text, without " (deleted)" */
};

/* What the lines before say. */
struct reader {
	struct string_table *strings;
	struct mapping_array *mappings;
	struct line file, code; /* the last of a file; nameless code right behind it. No such line: end is 0 */
};

static bool read_line(char *text, struct line *ret_line)
{
	static const char mark[] = " (deleted)";
	struct line line = {0};
	unsigned int major, minor;
	char permissions[5];
	int path_at = 0;
	size_t length;

	if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &line.start, &line.end,
		   permissions, &line.offset, &major, &minor, &line.inode, &path_at) < 7 ||
	    strlen(permissions) < 3 || line.start >= line.end || !path_at)
		return false;
	line.executable = permissions[2] == 'x';
	line.device = major << 20 | minor; /* as the kernel's dev_t */
	line.path = text + path_at;
	length = strlen(line.path);
	line.deleted = length >= sizeof(mark) && !strcmp(line.path + length - (sizeof(mark) - 1), mark);
	if (line.deleted)
		line.path[length - (sizeof(mark) - 1)] = '\0';
	*ret_line = line;
	return true;
}

static int name_mapping(struct reader *reader, struct mapping *mapping, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	if (strlen(path) > PATH_KEPT_MAX)
		path = base;
	if (string_table_add(reader->strings, base, strlen(base), &mapping->name))
		return -ENOMEM;
	return string_table_add(reader->strings, path, strlen(path), &mapping->path);
}

size_t process_maps_bytes(const struct string_table *strings, const struct mapping *mapping,
			  const struct mapping *before)
{
	size_t bytes = sizeof(*mapping);

	if (!before || before->path != mapping->path)
		bytes += string_table_length(strings, mapping->path) + STRING_BYTES;
	if (!before || before->name != mapping->name)
		bytes += string_table_length(strings, mapping->name) + STRING_BYTES;
	return bytes;
}

static int add_mapping(struct reader *reader, const struct line *line)
{
	struct mapping *mapping = array_add(&reader->mappings->list);
	int err;

	if (!mapping)
		return -ENOMEM;
	*mapping = (struct mapping){
		.start = line->start,
		.end = line->end,
		.offset = line->offset,
		.inode = line->inode,
		.device = line->device,
		.kind = kind_of(line->path, line->deleted, line->inode),
		.file_start = line->start,
		.file_end = line->end,
	};
	err = name_mapping(reader, mapping, line->path);
	if (!err)
		reader->mappings->bytes += process_maps_bytes(reader->strings, mapping,
							      reader->mappings->list.count > 1 ? mapping - 1 : NULL);
	return err;
}

static bool is_full(const struct mapping_array *mappings)
{
	return mappings->list.count >= MAPPINGS_MAX || (mappings->bytes_max && mappings->bytes >= mappings->bytes_max);
}

/*
 * Programs move their code to huge pages: memory without a name then lies between two parts of one file, exactly where
 * the part between them would be. The code is the last mapping that was added.
 */
static int take_moved_code(struct reader *reader, const struct line *line)
{
	const struct line *before = &reader->file, *code = &reader->code;
	struct mapping *mapping;

	if (!code->end || code->end != line->start || before->inode != line->inode ||
	    strcmp(before->path, line->path) || line->offset - before->offset != line->start - before->start)
		return 0;
	mapping = &reader->mappings->list.items[reader->mappings->list.count - 1];
	mapping->kind = MAPPING_FILE;
	mapping->offset = before->offset + (code->start - before->start);
	mapping->inode = before->inode;
	mapping->device = before->device;
	mapping->file_start = before->start;
	mapping->file_end = before->end;
	return name_mapping(reader, mapping, before->path);
}

static int take_line(struct reader *reader, char *text)
{
	struct line line;
	bool nameless;
	int err = 0;

	if (!read_line(text, &line))
		return 0;
	nameless = !line.path[0] && !line.inode;
	if (kind_of(line.path, line.deleted, line.inode) == MAPPING_FILE) {
		err = take_moved_code(reader, &line);
		reader->file = line;
		reader->code = (struct line){0};
	} else if (nameless && line.executable && reader->file.end == line.start) {
		reader->code = line;
	} else {
		reader->file = reader->code = (struct line){0};
	}
	return err || !line.executable ? err : add_mapping(reader, &line);
}

int process_maps_parse(char *text, struct string_table *strings, struct mapping_array *mappings)
{
	struct reader reader = {.strings = strings, .mappings = mappings};

	for (char *line = text, *end; *line; line = end) {
		int err;

		mappings->cut = is_full(mappings);
		if (mappings->cut)
			break;
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		else
			end = line + strlen(line);
		mappings->cut = !strcmp(line, PROCESS_MAPS_CUT);
		if (mappings->cut)
			break;
		err = take_line(&reader, line);
		if (err)
			return err;
	}
	return 0;
}

int process_maps_read(pid_t pid, char **ret_text)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	uint64_t until = clock_now_ns() + READ_NS_MAX;
	size_t room = 32768, used = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	text = malloc(room);
	while (text) {
		ssize_t got = read(fd, text + used, room - used - 1);
		bool cut;
		char *grown;

		if (got < 0)
			return -errno;
		used += (size_t)got;
		text[used] = '\0';
		cut = got && (used >= TEXT_BYTES_MAX || clock_now_ns() > until);
		if (!got || (cut && room - used > sizeof(PROCESS_MAPS_CUT))) {
			memcpy(text + used, cut ? PROCESS_MAPS_CUT : "", cut ? sizeof(PROCESS_MAPS_CUT) : 1);
			*ret_text = take_ptr(text);
			return 0;
		}
		if (room - used > 4096)
			continue;
		grown = realloc(text, room *= 2);
		if (!grown)
			return -ENOMEM;
		text = grown;
	}
	return -ENOMEM;
}

/* Fields 22 (starttime) and 28 (startstack) of proc(5)'s stat; the comm before them may hold anything. */
static int read_stat(pid_t pid, uint64_t *ret_start_ticks, uint64_t *ret_start_stack)
{
	char text[2048], *at;
	int err = process_files_read(pid, "stat", text, sizeof(text));

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	at = strrchr(text, ')');
	if (!at || sscanf(at,
			  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64
			  " %*u %*d %*u %*u %*u %" SCNu64,
			  ret_start_ticks, ret_start_stack) != 2)
		return -EIO;
	return 0;
}

/* The main thread has ended and took its view of the memory along; any thread that lives still has it. -ESRCH: none. */
static int find_live_thread(pid_t pid, uint64_t *ret_start_stack, pid_t *ret_pid)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[32];
	int tried = 0, err = -ESRCH;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(dir)) && tried++ < THREADS_TRIED_MAX) {
		pid_t tid = (pid_t)atoi(entry->d_name);
		int thread_err = tid > 0 ? read_stat(tid, &(uint64_t){0}, ret_start_stack) : -ESRCH;

		if (!thread_err && *ret_start_stack) {
			*ret_pid = tid;
			return 0;
		}
		if (thread_err && thread_err != -ESRCH)
			err = thread_err;
	}
	return err;
}

pid_t process_maps_reader(pid_t pid)
{
	uint64_t ticks, start_stack;
	pid_t reader = pid;

	if (!read_stat(pid, &ticks, &start_stack) && !start_stack)
		find_live_thread(pid, &start_stack, &reader);
	return reader;
}

bool process_maps_start(pid_t pid, uint64_t *ret_start_ns)
{
	uint64_t ticks, start_stack;

	if (read_stat(pid, &ticks, &start_stack))
		return false;
	*ret_start_ns = ticks * TICK_NS;
	return true;
}

int process_maps_check(pid_t pid, uint64_t start_ns, uint64_t address_space, pid_t *ret_pid)
{
	uint64_t ticks, start_stack, wanted = start_ns / TICK_NS;
	pid_t readable = pid;
	int err = read_stat(pid, &ticks, &start_stack);

	if (err)
		return err;
	if (ticks + 1 < wanted || ticks > wanted + 1)
		return -ESRCH;
	err = start_stack ? 0 : find_live_thread(pid, &start_stack, &readable);
	if (err)
		return err;
	if (address_space && start_stack != address_space)
		return -ESRCH;
	*ret_pid = readable;
	return 0;
}
