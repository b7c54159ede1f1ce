/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/debug_search.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/process_files.h"

void debug_search_init(struct debug_search *search, struct symbolizer *symbolizer,
		       const struct symbolizer_process *process)
{
	*search = (struct debug_search){.symbolizer = symbolizer, .process = process, .inside_root = -1};
	search->lines = symbolizer->options.lines || symbolizer->options.inlines;
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
	if (!process_maps_check(process->identity.pid, process->identity.start_ns, process->identity.address_space,
				&pid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Only the root that files were noted with: a process may change it at any time. */
	if (root >= 0 && !fstat(root, &status) && status.st_dev == process->root.device &&
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

static int open_below(int root, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	if (root < 0 || process_files_below(root, path, &fd, &status) || !S_ISREG(status.st_mode))
		return -1;
	return take_fd(&fd);
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
	struct debug_file found;

	while (!debug_files_next(&places, &found)) {
		int err = parser_add(search->symbolizer->parser, &file->source,
				     alternate ? PARSER_ALTERNATE : PARSER_DEBUG_FILE, found.fd);

		if (!err)
			file->debug_inside |= found.inside && !search->host;
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
	fd = open_below(own_root(search, file), package);
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
	file->sought = true;
	file->sought_inside |= inside;
	if (file->source.debug_fd < 0 && (!facts->has_symbols || (search->lines && !facts->has_lines)))
		bring(search, file, path, false);
	if (search->lines && file->source.alternate_fd < 0 && facts->alternate_link[0])
		bring(search, file, path, true);
	if (search->lines && facts->has_lines && file->source.package_fd < 0)
		bring_package(search, file, path);
}

/* Where the skeleton says, else beside the program. */
static int open_split(void *data, const char *name, const char *directory)
{
	struct debug_search *search = data;
	const char *slash = strrchr(search->path, '/'), *base = strrchr(name, '/');
	int root = own_root(search, search->file), fd;
	char path[PATH_MAX];

	if (name[0] == '/')
		fd = open_below(root, name);
	else if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) < sizeof(path))
		fd = open_below(root, path);
	else
		fd = -1;
	if (fd < 0 && slash &&
	    (size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - search->path), search->path,
			     base ? base + 1 : name) < sizeof(path))
		fd = open_below(root, path);
	search->file->debug_inside |= fd >= 0 && !search->host;
	return fd;
}

bool debug_search_bring_splits(struct debug_search *search, struct pinned_file *file, const char *path)
{
	search->file = file;
	search->path = path;
	return parser_bring_splits(search->symbolizer->parser, &file->source, open_split, search) > 0;
}
