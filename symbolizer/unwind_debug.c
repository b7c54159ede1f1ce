/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_debug.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/debug_files.h"
#include "symbolizer/path_lookup.h"
#include "symbolizer/tenants.h"

#define PLACES_MAX 16 /* debug_files.h has fewer */

struct unwind_debug {
	struct unwind_parser *parser;
	struct tenants tenants; /* by root */
	struct unwind_root host;
	int host_fd;
};

int unwind_debug_new(struct unwind_parser *parser, struct unwind_debug **ret_debug)
{
	struct unwind_debug *debug = calloc(1, sizeof(*debug));

	if (!debug)
		return -ENOMEM;
	debug->parser = parser;
	debug->host_fd = -1;
	/* Without, nothing is looked for on the host. */
	if (unwind_files_root(getpid(), &debug->host_fd, &debug->host))
		debug->host.pid = 0;
	*ret_debug = debug;
	return 0;
}

void unwind_debug_free(struct unwind_debug *debug)
{
	if (!debug)
		return;
	tenants_deinit(&debug->tenants);
	if (debug->host_fd >= 0)
		close(debug->host_fd);
	free(debug);
}

static bool same_root(const struct unwind_root *a, const struct unwind_root *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* Its process may have ended, or gone to another root. */
static int open_root(const struct unwind_root *root)
{
	_cleanup_close_ int fd = -1;
	struct unwind_root now;

	if (!root->pid || unwind_files_root(root->pid, &fd, &now) || !same_root(root, &now))
		return -1;
	return take_fd(&fd);
}

/* The next candidate, or a negative errno. */
static int next_place(struct unwind_debug *debug, struct path_lookups *lookups, struct debug_files *places,
		      struct path_lookup_answer *answer)
{
	struct worker *worker = unwind_parser_worker(debug->parser);
	struct path_lookup lookup;
	int err = path_lookup_debug_file(worker, lookups, places, &lookup);

	if (!err)
		err = path_lookup_take(worker, lookups, &lookup, true, answer);
	if (!err)
		err = answer->error;
	places->next = answer->next;
	return err ? err : answer->fd;
}

int unwind_debug_rows(struct unwind_debug *debug, int path_fd, const struct unwind_root *root, struct unwind_rows *rows,
		      bool *ret_inside)
{
	_cleanup_close_ int root_fd = open_root(root);
	bool host = root_fd >= 0 && same_root(root, &debug->host);
	struct tenant *tenant = tenants_find(&debug->tenants, root_fd < 0 ? 0 : root->device << 32 ^ root->inode);
	struct elf_build_id build_id = rows->build_id;
	struct elf_debug_link link = rows->debug_link;
	struct path_lookup_answer answer = {0};
	char proc[32], path[PATH_MAX];
	struct debug_files places = {
		.host_root = debug->host_fd,
		.inside_root = root_fd,
		.build_id = build_id.id,
		.build_id_bytes = build_id.bytes,
		.link = link.name,
		.path = path,
	};
	ssize_t length;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", path_fd);
	/* Without its own root a path means nothing. */
	length = root_fd < 0 ? 0 : readlink(proc, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	for (int i = 0; tenant && i < PLACES_MAX; i++) {
		_cleanup_(unwind_rows_deinit) struct unwind_rows both = {0};
		_cleanup_close_ int fd = next_place(debug, &tenant->lookups, &places, &answer);

		if (fd < 0)
			break;
		if (unwind_parser_rows(debug->parser, path_fd, fd, &both) || both.functions <= rows->functions)
			continue;
		unwind_rows_deinit(rows);
		*rows = both;
		memset(&both, 0, sizeof(both));
		*ret_inside = answer.inside && !host;
		return 0;
	}
	return -ENOENT;
}
