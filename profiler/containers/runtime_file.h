/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime_file: JSON that a container runtime wrote. Its text is somebody else's choice: files are opened without following
 * links, must be regular, small and shallow, and whatever does not parse is as good as not there.
 */
#ifndef STOKER_RUNTIME_FILE_H
#define STOKER_RUNTIME_FILE_H

struct json_object;

/*
 * The first JSON value of a file, the caller's; NULL where there is none. What follows it is not looked at: some versions of
 * runc leave a tail.
 */
struct json_object *runtime_file_read(const char *path);
void cleanup_runtime_file(struct json_object **object);

/* A member, @object's own. @object may be NULL or no object: then "" and NULL, as where it has no such member. */
const char *runtime_file_text(struct json_object *object, const char *key);
struct json_object *runtime_file_member(struct json_object *object, const char *key);

#endif
