/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/debug_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/process_files.h"

#define DEBUG_ROOT "/usr/lib/debug"
#define BUILD_ID_BYTES_MIN 3
#define BUILD_ID_BYTES_MAX 64

enum place_kind {
	BY_BUILD_ID,
	BY_FOLDER,	     /* DEBUG_ROOT/DIR/LINK */
	BY_FOLDER_IN_USR,    /* the same, DIR's /usr left out: merged-usr systems have both names for a file */
	BESIDE,		     /* DIR/LINK */
	BESIDE_IN_DOT_DEBUG, /* DIR/.debug/LINK */
	BY_PATH,	     /* LINK, from DIR where it is relative */
};

enum place_root {
	HOST,
	INSIDE,
	OWN, /* the root that the path belongs to */
};

struct place {
	enum place_root root;
	enum place_kind kind;
};

static const struct place debug_places[] = {
	{HOST, BY_BUILD_ID},   {HOST, BY_FOLDER},	   {HOST, BY_FOLDER_IN_USR},
	{INSIDE, BY_BUILD_ID}, {INSIDE, BY_FOLDER},	   {INSIDE, BY_FOLDER_IN_USR},
	{OWN, BESIDE},	       {OWN, BESIDE_IN_DOT_DEBUG},
};

static const struct place alternate_places[] = {
	{HOST, BY_BUILD_ID},
	{HOST, BY_PATH},
	{INSIDE, BY_BUILD_ID},
	{INSIDE, BY_PATH},
};

static bool build_id_path(const struct debug_files *search, char *path, size_t size)
{
	char digits[2 * BUILD_ID_BYTES_MAX + 1];

	if (search->build_id_bytes < BUILD_ID_BYTES_MIN || search->build_id_bytes > BUILD_ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < search->build_id_bytes; i++)
		snprintf(digits + 2 * i, 3, "%02x", search->build_id[i]);
	return (size_t)snprintf(path, size, DEBUG_ROOT "/.build-id/%.2s/%s.debug", digits, digits + 2) < size;
}

/* The folder of an absolute path, with its slash; false where the path is none. */
static bool folder_of(const char *path, char *folder, size_t size)
{
	const char *slash = strrchr(path, '/');

	return path[0] == '/' && slash && (size_t)snprintf(folder, size, "%.*s/", (int)(slash - path), path) < size;
}

/*
 * Takes "//", "/./" and "/../" out of an absolute path, by its text: a link in it may have meant another folder, which
 * is then not found. False where it climbs above the root.
 */
static bool make_plain(char *path)
{
	size_t kept = 0;

	for (const char *at = path; *at;) {
		size_t length = strcspn(at + 1, "/") + 1; /* with the slash before it */

		if (length == 3 && !strncmp(at, "/..", 3)) {
			if (!kept)
				return false;
			while (path[--kept] != '/')
				;
		} else if (length > 1 && !(length == 2 && at[1] == '.')) {
			memmove(path + kept, at, length);
			kept += length;
		}
		at += length;
	}
	path[kept] = '\0';
	return kept > 0;
}

static bool is_debug_path(const char *path)
{
	return !strncmp(path, DEBUG_ROOT "/", strlen(DEBUG_ROOT "/"));
}

/*
 * May a stranger's text lead there? Below the host's root to debug files only and, of a file of the host, to its own folder:
 * who parses it may have been taken over by then, and read what it gets.
 */
static bool may_lead_to(const struct debug_files *search, const struct place *place, const char *path)
{
	size_t folder = (size_t)(strrchr(path, '/') + 1 - path);
	char own[PATH_MAX];

	if (place->root != HOST || is_debug_path(path))
		return true;
	return search->inside_root < 0 && folder_of(search->path, own, sizeof(own)) && strlen(own) == folder &&
	       !strncmp(path, own, folder);
}

static bool link_path(const struct debug_files *search, const struct place *place, char *path, size_t size)
{
	const char *link = search->link;
	char folder[PATH_MAX] = "";
	size_t length = size;

	if (!link[0] || (place->kind != BY_PATH && (strchr(link, '/') || !strcmp(link, "..") || !strcmp(link, "."))))
		return false;
	if (!(place->kind == BY_PATH && link[0] == '/') && !folder_of(search->path, folder, sizeof(folder)))
		return false;
	switch (place->kind) {
	case BY_FOLDER:
		length = (size_t)snprintf(path, size, DEBUG_ROOT "%s%s", folder, link);
		break;
	case BY_FOLDER_IN_USR:
		if (!strncmp(folder, "/usr/", 5))
			length = (size_t)snprintf(path, size, DEBUG_ROOT "%s%s", folder + strlen("/usr"), link);
		break;
	case BESIDE:
		/* Debug files may have the name of their program; beside it, that name is the program. */
		if (!strcmp(link, strrchr(search->path, '/') + 1))
			return false;
		length = (size_t)snprintf(path, size, "%s%s", folder, link);
		break;
	case BY_PATH:
		length = (size_t)snprintf(path, size, "%s%s", folder, link);
		break;
	case BESIDE_IN_DOT_DEBUG:
		length = (size_t)snprintf(path, size, "%s.debug/%s", folder, link);
		break;
	case BY_BUILD_ID:
		break;
	}
	return length < size && make_plain(path) && may_lead_to(search, place, path);
}

static int open_place(int root, struct debug_file *file)
{
	_cleanup_close_ int path_fd = -1;
	int err = process_files_below(root, file->path, &path_fd, &file->status);

	if (err)
		return err;
	if (!S_ISREG(file->status.st_mode))
		return -EINVAL;
	file->fd = take_fd(&path_fd);
	return 0;
}

int debug_files_next(struct debug_files *search, struct debug_file *ret_file)
{
	const struct place *places = search->alternate ? alternate_places : debug_places;
	size_t count = search->alternate ? ARRAY_LENGTH(alternate_places) : ARRAY_LENGTH(debug_places);

	while (search->next < count) {
		const struct place *place = &places[search->next++];
		bool host = place->root == HOST || (place->root == OWN && search->inside_root < 0);
		int root = host ? search->host_root : search->inside_root;

		if (root < 0)
			continue;
		if (place->kind == BY_BUILD_ID ? !build_id_path(search, ret_file->path, sizeof(ret_file->path))
					       : !link_path(search, place, ret_file->path, sizeof(ret_file->path)))
			continue;
		if (open_place(root, ret_file))
			continue;
		ret_file->inside = !host;
		return 0;
	}
	return -ENOENT;
}
