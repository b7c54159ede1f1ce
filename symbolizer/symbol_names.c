/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/symbol_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define HELD_BYTES_MAX (256u << 10)
#define WEIGHED_BYTES_MAX (64u << 20)
#define WEIGHED_NAME_BYTES 128 /* of which two longer ones do not differ */
#define SHORT_NAME_BYTES 256

/* Small tables, and all in borrowed memory, are copied: asking for a name then costs no system call. */
int symbol_names_init(struct symbol_names *names, const struct elf_image *image, uint64_t offset, uint64_t bytes)
{
	_cleanup_free_ char *held = NULL;
	ssize_t got;

	if (!elf_source_holds(&image->source, offset, bytes))
		bytes = 0;
	*names = (struct symbol_names){.source = image->source, .offset = offset, .bytes = bytes};
	if (!bytes || (image->source.fd >= 0 && bytes > HELD_BYTES_MAX))
		return 0;
	held = malloc((size_t)bytes);
	if (!held)
		return -ENOMEM;
	got = elf_source_read(&image->source, offset, held, (size_t)bytes);
	if (got < 0)
		return (int)got;
	*names = (struct symbol_names){.source = elf_source_memory(held, (size_t)got), .bytes = (uint64_t)got};
	names->held = take_ptr(held);
	return 0;
}

void symbol_names_deinit(struct symbol_names *names)
{
	free(names->held);
	*names = (struct symbol_names){0};
}

int symbol_names_read(const struct symbol_names *names, uint64_t number, char *name, size_t size)
{
	size_t wanted = SHORT_NAME_BYTES;
	ssize_t got;

	if (!size || number >= names->bytes)
		return -ENOENT;
	if (size > names->bytes - number)
		size = (size_t)(names->bytes - number);
	/* Most names are short: the rest is read where there is no NUL yet. */
	for (;; wanted = size) {
		if (wanted > size)
			wanted = size;
		got = elf_source_read(&names->source, names->offset + number, name, wanted);
		if (got <= 0)
			return -EIO;
		if (wanted == size || memchr(name, '\0', (size_t)got))
			break;
	}
	name[got - 1] = '\0';
	return name[0] ? 0 : -ENOENT;
}

void symbol_texts_init(struct symbol_texts *texts, const struct symbol_names *names)
{
	_cleanup_free_ char *text = NULL;
	ssize_t got;

	*texts = (struct symbol_texts){.text = names->held, .bytes = (size_t)names->bytes};
	if (names->held || !names->bytes || names->bytes > WEIGHED_BYTES_MAX)
		return;
	text = malloc((size_t)names->bytes);
	got = text ? elf_source_read(&names->source, names->offset, text, (size_t)names->bytes) : -1;
	if (got <= 0)
		return;
	texts->bytes = (size_t)got;
	texts->text = texts->owned = take_ptr(text);
}

void symbol_texts_deinit(struct symbol_texts *texts)
{
	free(texts->owned);
	*texts = (struct symbol_texts){0};
}

/* How many letters before a version or the end; -1 for a name of C++ or Rust. */
static int measure(const struct symbol_texts *texts, uint32_t number, int *underscores)
{
	const char *name = texts->text + number;
	size_t room = texts->bytes - number, length = 0;

	if (room > WEIGHED_NAME_BYTES)
		room = WEIGHED_NAME_BYTES;
	for (*underscores = 0; (size_t)*underscores < room && name[*underscores] == '_';)
		++*underscores;
	if (*underscores && (size_t)*underscores < room && (name[*underscores] == 'Z' || name[*underscores] == 'R'))
		return -1;
	while (length < room && name[length] && name[length] != '@')
		length++;
	return (int)length;
}

bool symbol_texts_prefers(const struct symbol_texts *texts, uint32_t number, uint32_t other)
{
	int underscores, other_underscores, length, other_length;

	if (!texts->text || number >= texts->bytes || other >= texts->bytes)
		return false;
	length = measure(texts, number, &underscores);
	other_length = measure(texts, other, &other_underscores);
	if (length <= 0 || other_length <= 0)
		return false;
	return underscores != other_underscores ? underscores < other_underscores : length < other_length;
}
