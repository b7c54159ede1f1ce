/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json: what all JSON outputs have in common.
 *
 * What is not known is null, or not there (docs/man/stoker.1); a 0 is known to be one.
 */
#ifndef STOKER_RENDER_JSON_H
#define STOKER_RENDER_JSON_H

#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "profiler/profile/profile.h"

/* Adds text from strangers: bytes that are no UTF-8 become U+FFFD, all else stays (json-c escapes it). 0 or -ENOMEM. */
int json_add_text(struct json_object *object, const char *key, const char *text);
int json_add_number(struct json_object *object, const char *key, uint64_t number);
int json_add_real(struct json_object *object, const char *key, double number); /* to 6 digits behind the point */

/* The same at the end of an array. */
int json_append_text(struct json_object *array, const char *text);

/* As json_add_text(), and null for "": what would be there is not known. */
int json_add_text_or_null(struct json_object *object, const char *key, const char *text);

/* Adds null, for a value that is not known. */
int json_add_null(struct json_object *object, const char *key);

struct json_number {
	const char *key;
	uint64_t number;
	bool unknown; /* null */
};

int json_add_numbers(struct json_object *object, const struct json_number *numbers, size_t count);

/* A fact of the recording that is a number; null where it has none: one that was cut, or made without what it counts. */
int json_add_fact(struct json_object *object, const char *key, const struct profile *profile, const char *fact);

/* Takes @value over in any case; NULL gives -ENOMEM. */
int json_add(struct json_object *object, const char *key, struct json_object *value);
int json_append(struct json_object *array, struct json_object *value);

/* name, label, id, kind, runtime, image, pod, namespace: those that there are. NULL where memory is out. */
struct json_object *json_container(const struct profile *profile, uint32_t container);

/* A row of the accounting; NULL where memory is out. */
struct json_object *json_account(const struct recording_accounting *row);

/* "whole", "bytes_ignored" and the account of the whole recording (null where there is none). 0 or -ENOMEM. */
int json_add_account(struct json_object *object, const struct profile *profile);

/* [{"from_ns", "count"}] of the buckets that hold something; NULL where memory is out. @buckets: [RECORDING_BUCKETS] */
struct json_object *json_histogram(const uint64_t *buckets);

/* Writes and closes the line. 0, -ENOMEM, or -EIO and the like. */
int json_print(struct json_object *object, FILE *out);

static inline void cleanup_json(struct json_object **object)
{
	json_object_put(*object);
}

#define _cleanup_json_ _cleanup_(cleanup_json)

/* "container", "host unit" …; "unknown" for what this stoker does not know. */
const char *container_kind_name(uint8_t kind);

#endif
