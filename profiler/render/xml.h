/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xml: text from strangers inside XML 1.0 and inside JSON that stands in XML.
 *
 * Both come out as valid UTF-8 without control characters and without anything that reorders text; invalid bytes are
 * U+FFFD, control characters '?'. No '<', '>', '&' or quote is left, so that neither markup nor "]]>" can be made.
 */
#ifndef STOKER_RENDER_XML_H
#define STOKER_RENDER_XML_H

#include <stddef.h>
#include <stdio.h>

/* Element content or a quoted attribute's value. */
void xml_text(const char *text, size_t length, FILE *out);

/* A JSON string with its quotes, of at most @bytes_max bytes of @text; "…" stands for the rest. */
void xml_json_string(const char *text, size_t length, size_t bytes_max, FILE *out);

#endif
