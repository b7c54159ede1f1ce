/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/runtime_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <json-c/json.h>

#include "symbolizer/base/cleanup.h"

#define FILE_BYTES_MAX (4u << 20)
#define JSON_DEPTH_MAX 32

void cleanup_runtime_file(struct json_object **object)
{
	json_object_put(*object);
}

static void cleanup_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static int read_file(const char *path, char **ret_text, size_t *ret_length)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat status;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status))
		return -ENOENT;
	if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > FILE_BYTES_MAX)
		return -EINVAL;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	got = pread(fd, text, (size_t)status.st_size, 0);
	if (got <= 0)
		return -EIO;
	text[got] = '\0';
	*ret_text = take_ptr(text);
	*ret_length = (size_t)got;
	return 0;
}

struct json_object *runtime_file_read(const char *path)
{
	_cleanup_(cleanup_tokener) struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	_cleanup_free_ char *text = NULL;
	size_t length;

	if (!tokener || read_file(path, &text, &length))
		return NULL;
	return json_tokener_parse_ex(tokener, text, (int)length);
}

const char *runtime_file_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!object || !json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

struct json_object *runtime_file_member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!object || !json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value))
		return NULL;
	return value;
}
