/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/debug_search.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/path_lookup.h"
#include "symbolizer/process_files.h"

void debug_search_init(struct debug_search *search, struct symbolizer *symbolizer,
		       const struct symbolizer_process *process)
{
	*search = (struct debug_search){.symbolizer = symbolizer, .process = process, .inside_root = -1};
	search->lines = symbolizer->options.lines || symbolizer->options.inlines;
	search->tenant = process ? process->tenant : symbolizer->own;
	search->host = !process || (process->root.device == symbolizer->root.device &&
				    process->root.inode == symbolizer->root.inode);
}

static void open_inside(struct debug_search *search)
{
	const struct symbolizer_process *process = search->process;
	_cleanup_close_ int root = -1;
	struct stat status;
	char path[32];
	pid_t pid;

	if (search->opened || search->host || process->exited)
		return;
	search->opened = true;
	if (process_maps_check(process->identity.pid, process->identity.start_ns, process->identity.address_space,
			       &pid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Only the root that files were noted with: a process may change it at any time. */
	if (root >= 0 && !process_files_stat(root, &status) && status.st_dev == process->root.device &&
	    status.st_ino == process->root.inode)
		search->inside_root = take_fd(&root);
}

void debug_search_deinit(struct debug_search *search)
{
	if (search->inside_root >= 0)
		close(search->inside_root);
}

void debug_search_check_shared(struct symbolizer *symbolizer, struct pinned_file *file)
{
	if (!file->shared || !file->debug_inside)
		return;
	parser_drop_debug(symbolizer->parser, &file->source);
	range_cache_deinit(&file->names);
	file->debug_inside = false;
}

/* The root that a file's own path belongs to, and where its word is good for it. */
static int own_root(const struct debug_search *search, const struct pinned_file *file)
{
	if (search->host)
		return search->symbolizer->host_root;
	return file->shared ? -1 : search->inside_root;
}

static struct worker *worker_of(const struct debug_search *search)
{
	return parser_worker(search->symbolizer->parser);
}

/* Waits for what was begun, with @err. Returns the descriptor, or why there is none. */
static int found(struct debug_search *search, int err, struct path_lookup *lookup, struct path_lookup_answer *answer)
{
	struct path_lookups *lookups = &search->tenant->lookups;

	if (!err)
		err = path_lookup_take(worker_of(search), lookups, lookup, true, answer);
	if (!err)
		err = answer->error;
	if (err == -EHOSTDOWN)
		search->silent = true;
	return err ? err : answer->fd;
}

static int open_below(struct debug_search *search, int root, const char *first, const char *second)
{
	struct path_lookup_answer answer;
	struct path_lookup lookup;

	if (root < 0)
		return -1;
	return found(search,
		     path_lookup_below(worker_of(search), &search->tenant->lookups, root, first, second, &lookup),
		     &lookup, &answer);
}

/* debug_files_next(), out there. */
static int next_place(struct debug_search *search, struct debug_files *places, struct path_lookup_answer *answer)
{
	struct path_lookup lookup;
	int fd = found(search, path_lookup_debug_file(worker_of(search), &search->tenant->lookups, places, &lookup),
		       &lookup, answer);

	places->next = answer->next;
	return fd;
}

static void bring(struct debug_search *search, struct pinned_file *file, const char *path, bool alternate)
{
	const struct parse_facts facts = file->source.facts;
	struct debug_files places = {
		.host_root = search->symbolizer->host_root,
		.inside_root = own_root(search, file),
		.alternate = alternate,
		.build_id = alternate ? facts.alternate_id : facts.build_id,
		.build_id_bytes = alternate ? facts.alternate_id_bytes : facts.build_id_bytes,
		.link = alternate ? facts.alternate_link : facts.debug_link,
		/* Without its own root a path means nothing: only a build-id is looked for then. */
		.path = own_root(search, file) >= 0 ? path : "",
	};
	struct path_lookup_answer answer = {0};
	int fd;

	while ((fd = next_place(search, &places, &answer)) >= 0) {
		int err = parser_add(search->symbolizer->parser, &file->source,
				     alternate ? PARSER_ALTERNATE : PARSER_DEBUG_FILE, fd);

		if (!err)
			file->debug_inside |= answer.inside && !search->host;
		search->silent |= err == -EHOSTDOWN;
		search->late |= err == -EBUSY;
		if (err != -ENOENT)
			return;
	}
}

static void bring_package(struct debug_search *search, struct pinned_file *file, const char *path)
{
	char package[PATH_MAX];
	int fd;

	if ((size_t)snprintf(package, sizeof(package), "%s.dwp", path) >= sizeof(package))
		return;
	fd = open_below(search, own_root(search, file), package, "");
	if (fd >= 0 && !parser_add(search->symbolizer->parser, &file->source, PARSER_PACKAGE, fd))
		file->debug_inside |= !search->host;
}

void debug_search_complete(struct debug_search *search, struct pinned_file *file, const char *path)
{
	const struct parse_facts *facts = &file->source.facts;
	bool inside;

	if (file->sought && (file->sought_inside || file->shared || search->host))
		return;
	open_inside(search);
	inside = search->inside_root >= 0 && !file->shared;
	if (file->sought && !inside)
		return;
	if (parser_open(search->symbolizer->parser, &file->source))
		return;
	search->silent = search->late = false;
	if (file->source.debug_fd < 0 && (!facts->has_symbols || (search->lines && !facts->has_lines)))
		bring(search, file, path, false);
	if (search->lines && file->source.alternate_fd < 0 && facts->alternate_link[0])
		bring(search, file, path, true);
	if (search->lines && facts->has_lines && file->source.package_fd < 0)
		bring_package(search, file, path);
	/* Who did not answer now may do so when the next names are asked for. */
	file->sought = !search->silent && !search->late;
	file->sought_inside = file->sought && (file->sought_inside || inside);
	file->debug_silent = search->silent;
	file->debug_late = search->late;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && !strcmp(text + length - strlen(end), end);
}

/*
 * Where the skeleton says, else beside the program. On the host that may be anywhere: it has to be called as compilers call
 * it. (-gsplit-dwarf=single: it is the object file.)
 */
static int open_split(void *data, const char *name, const char *directory)
{
	struct debug_search *search = data;
	const char *slash = strrchr(search->path, '/'), *base = strrchr(name, '/');
	char said[PATH_MAX], beside[PATH_MAX] = "";
	int fd;

	if (search->host && !ends_with(name, ".dwo") && !ends_with(name, ".o"))
		return -1;
	if ((size_t)snprintf(said, sizeof(said), "%s%s%s", name[0] == '/' ? "" : directory, name[0] == '/' ? "" : "/",
			     name) >= sizeof(said))
		said[0] = '\0';
	if (slash && (size_t)snprintf(beside, sizeof(beside), "%.*s/%s", (int)(slash - search->path), search->path,
				      base ? base + 1 : name) >= sizeof(beside))
		beside[0] = '\0';
	fd = open_below(search, own_root(search, search->file), said, beside);
	search->file->debug_inside |= fd >= 0 && !search->host;
	return fd;
}

bool debug_search_bring_splits(struct debug_search *search, struct pinned_file *file, const char *path)
{
	search->file = file;
	search->path = path;
	return parser_bring_splits(search->symbolizer->parser, &file->source, open_split, search) > 0;
}
