/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/log.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

#define ROWS_MAX 40
#define HELP_COLUMN 30

static bool takes_value(const struct option_row *row)
{
	return row->type != OPTION_FLAG && row->type != OPTION_UNSET;
}

static void print_row(const struct option_row *row)
{
	char left[80];
	int padding;

	snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		 row->letter ? ", " : "  ", row->name, takes_value(row) ? " " : "", takes_value(row) ? row->value : "");
	/* printf() pads by bytes. */
	padding = HELP_COLUMN - (int)text_columns(left);
	printf("%s%*s %s\n", left, padding > 0 ? padding : 0, "", row->help);
}

static void print_help(const struct option_usage *usage)
{
	printf("usage: stoker %s %s\n\n%s\n\n", usage->command, usage->arguments, usage->about);
	for (const struct option_row *row = usage->rows; row->name; row++)
		print_row(row);
	printf("  -h, --help                   show this\n");
}

enum exit_status options_shown(void)
{
	int err = stream_end(stdout);

	if (!err || err == -EPIPE)
		return EXIT_OK;
	log_error("cannot write: %s", strerror(-err));
	return EXIT_FAILED;
}

static int list_add(struct option_list *list, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, ",");

		if (length) {
			char **entry = array_add(&list->entries);

			if (!entry)
				return -ENOMEM;
			*entry = strndup(text, length);
			if (!*entry)
				return -ENOMEM;
		}
		text += length + (text[length] == ',');
	}
	return 0;
}

static void needs_value(const struct option_usage *usage, const struct option_row *row)
{
	log_error("%s: --%s needs a value; see 'stoker %s --help'", usage->command, row->name, usage->command);
}

/* -C "$NAME" with nothing in NAME means no container, and not every one. */
static bool set_list(const struct option_usage *usage, const struct option_row *row, const char *text,
		     struct option_list *list)
{
	size_t before = list->entries.count;

	if (list_add(list, text))
		log_error("%s: out of memory", usage->command);
	else if (list->entries.count == before)
		needs_value(usage, row);
	else
		return true;
	return false;
}

void option_list_deinit(struct option_list *list)
{
	for (size_t i = 0; i < list->entries.count; i++)
		free(list->entries.items[i]);
	array_deinit(&list->entries);
}

static bool set_text(const struct option_usage *usage, const struct option_row *row, const char *text, const char **ret)
{
	if (row->min && !text[0]) {
		needs_value(usage, row);
		return false;
	}
	*ret = text;
	return true;
}

static bool set_number(const struct option_usage *usage, const struct option_row *row, const char *text, uint64_t *ret)
{
	char shown[64];
	uint64_t number;

	if (text_to_u64(text, 10, &number) && number >= row->min && number <= row->max) {
		*ret = number;
		return true;
	}
	log_error("%s: --%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'", usage->command, row->name,
		  row->min, row->max, text_printable(text, shown, sizeof(shown)));
	return false;
}

static bool set_real(const struct option_usage *usage, const struct option_row *row, const char *text, double *ret)
{
	char shown[64], *end;
	double number = strtod(text, &end);

	if (end != text && !*end && number >= 0 && number < 1e15) {
		*ret = number;
		return true;
	}
	log_error("%s: --%s takes a number, not '%s'", usage->command, row->name,
		  text_printable(text, shown, sizeof(shown)));
	return false;
}

static bool set_choice(const struct option_usage *usage, const struct option_row *row, const char *text, int *ret)
{
	char shown[64], offered[256] = "";

	for (int i = 0; row->choices[i]; i++) {
		if (!strcmp(text, row->choices[i])) {
			*ret = i;
			return true;
		}
		text_append(offered, sizeof(offered), "%s%s", i ? ", " : "", row->choices[i]);
	}
	log_error("%s: --%s is one of %s, not '%s'", usage->command, row->name, offered,
		  text_printable(text, shown, sizeof(shown)));
	return false;
}

static bool set_value(const struct option_usage *usage, const struct option_row *row, const char *text, void *settings)
{
	void *place = (char *)settings + row->offset;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)place = true;
		return true;
	case OPTION_UNSET:
		*(bool *)place = false;
		return true;
	case OPTION_NUMBER:
		return set_number(usage, row, text, place);
	case OPTION_REAL:
		return set_real(usage, row, text, place);
	case OPTION_TEXT:
		return set_text(usage, row, text, place);
	case OPTION_LIST:
		return set_list(usage, row, text, place);
	case OPTION_CHOICE:
		return set_choice(usage, row, text, place);
	}
	return false;
}

/* getopt's two forms of the table: letters, and long options whose value is the row's number. */
static void build_getopt(const struct option_row *rows, char *letters, struct option *longs)
{
	*letters++ = ':';
	*letters++ = 'h';
	for (int i = 0; rows[i].name && i < ROWS_MAX; i++) {
		*longs++ = (struct option){rows[i].name, takes_value(&rows[i]), NULL, 256 + i};
		if (!rows[i].letter)
			continue;
		*letters++ = rows[i].letter;
		if (takes_value(&rows[i]))
			*letters++ = ':';
	}
	*longs++ = (struct option){"help", 0, NULL, 'h'};
	*longs = (struct option){0};
	*letters = '\0';
}

static const struct option_row *row_of(const struct option_row *rows, int found)
{
	if (found >= 256)
		return &rows[found - 256];
	for (; rows->name; rows++)
		if (rows->letter == found)
			return rows;
	return NULL;
}

bool options_parse(const struct option_usage *usage, int argc, char **argv, void *settings, int *ret_first,
		   enum exit_status *ret_status)
{
	struct option longs[ROWS_MAX + 2];
	char letters[2 * ROWS_MAX + 3], shown[64];
	int found;

	build_getopt(usage->rows, letters, longs);
	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_row *row = row_of(usage->rows, found);

		if (found == 'h') {
			print_help(usage);
			*ret_status = options_shown();
			return false;
		}
		if (!row) {
			text_printable(argv[optind - 1], shown, sizeof(shown));
			log_error(found == ':' ? "%s: %s needs a value; see 'stoker %s --help'"
					       : "%s: no option '%s' here; see 'stoker %s --help'",
				  usage->command, shown, usage->command);
		}
		if (!row || !set_value(usage, row, optarg, settings)) {
			*ret_status = EXIT_USAGE;
			return false;
		}
	}
	*ret_first = optind;
	return true;
}
