/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/container_filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/text.h"

#define ID_PREFIX_MIN 3
#define SHORT_ID 12
#define YOUNG_MAX 1024
#define OTHERS_MAX 5
#define NEAR_BYTES_MAX 63

/* runc and Docker say whose a cgroup is a moment after they made it, on a busy machine later. */
static const uint64_t ask_again_ns[] = {20000000,  50000000,  100000000,  200000000,
					300000000, 500000000, 1000000000, 3000000000};

struct wanted_word {
	char *text;
	char *id; /* of the container that it stands for as a prefix; NULL: none yet */
};

struct young_cgroup {
	uint64_t id, next_ns;
	size_t tries;
};

struct container_filter {
	struct container_filter_parts parts;
	ARRAY(struct wanted_word) words;
	ARRAY(struct young_cgroup) young;
};

enum fit {
	FITS_NOT,
	FITS_PREFIX,
	FITS_WHOLE,
};

int container_filter_new(const struct container_filter_parts *parts, struct container_filter **ret_filter)
{
	struct container_filter *filter = calloc(1, sizeof(*filter));

	if (!filter)
		return -ENOMEM;
	filter->parts = *parts;
	*ret_filter = filter;
	return 0;
}

void container_filter_free(struct container_filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < filter->words.count; i++) {
		free(filter->words.items[i].text);
		free(filter->words.items[i].id);
	}
	array_deinit(&filter->words);
	array_deinit(&filter->young);
	free(filter);
}

static enum fit fit_of(const struct wanted_word *word, const struct container_info *info)
{
	size_t length = strlen(word->text);

	if (info->kind != CONTAINER_CONTAINER)
		return FITS_NOT;
	if (!strcmp(word->text, info->name) || !strcmp(word->text, info->id))
		return FITS_WHOLE;
	if (length < ID_PREFIX_MIN || strncmp(word->text, info->id, length) != 0)
		return FITS_NOT;
	return !word->id || !strcmp(word->id, info->id) ? FITS_PREFIX : FITS_NOT;
}

struct wanting {
	struct container_filter *filter;
	size_t cgroups;
};

static int want(void *data, uint64_t id, const char *path)
{
	struct wanting *wanting = data;

	wanting->cgroups++;
	return wanting->filter->parts.want(wanting->filter->parts.data, id);
}

/* A container's own cgroups below it, and the same path in other hierarchies, are it too. */
static int want_below(struct container_filter *filter, const char *path, size_t *cgroups)
{
	struct wanting wanting = {filter, 0};
	int err = cgroup_tree_below(filter->parts.tree, path, want, &wanting);

	*cgroups += wanting.cgroups;
	return err;
}

struct search {
	struct container_filter *filter;
	const struct wanted_word *word;
	bool whole;	     /* there is a container of this very name or id: prefixes do not count */
	bool any, ambiguous; /* of prefixes */
	char id[128];	     /* the first that the prefix fits */
	size_t cgroups;
};

static int survey_one(void *data, uint64_t id, const char *path)
{
	struct search *search = data;
	struct container_info info;

	if (container_resolver_describe(search->filter->parts.resolver, path, &info))
		return -ENOMEM;
	switch (fit_of(search->word, &info)) {
	case FITS_WHOLE:
		search->whole = true;
		break;
	case FITS_PREFIX:
		search->ambiguous |= search->any && strcmp(search->id, info.id) != 0;
		search->any = true;
		snprintf(search->id, sizeof(search->id), "%s", info.id);
		break;
	case FITS_NOT:
		break;
	}
	return 0;
}

static int want_one(void *data, uint64_t id, const char *path)
{
	struct search *search = data;
	struct container_info info;
	enum fit fit;

	if (container_resolver_describe(search->filter->parts.resolver, path, &info))
		return -ENOMEM;
	fit = fit_of(search->word, &info);
	if (fit == FITS_NOT || (search->whole && fit == FITS_PREFIX))
		return 0;
	return want_below(search->filter, path, &search->cgroups);
}

static int stand_for(struct wanted_word *word, const char *id)
{
	if (!word->id)
		word->id = strdup(id);
	return word->id ? 0 : -ENOMEM;
}

static int look_for(struct container_filter *filter, struct wanted_word *word, struct search *ret_search)
{
	struct search search = {.filter = filter, .word = word};
	int err;

	if (word->text[0] == '/') {
		err = want_below(filter, word->text, &search.cgroups);
	} else {
		err = cgroup_tree_each(filter->parts.tree, survey_one, &search);
		if (!err && search.any && !search.whole && !search.ambiguous)
			err = stand_for(word, search.id);
		if (!err && (search.whole || !search.ambiguous))
			err = cgroup_tree_each(filter->parts.tree, want_one, &search);
	}
	if (!err)
		*ret_search = search;
	return err;
}

int container_filter_look(struct container_filter *filter)
{
	struct search search;
	int err = 0;

	container_resolver_refresh(filter->parts.resolver);
	for (size_t i = 0; i < filter->words.count && !err; i++)
		err = look_for(filter, &filter->words.items[i], &search);
	return err;
}

/* Edits that lead from one word to the other, two letters changing places being one; of names that are not too long. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NEAR_BYTES_MAX + 1], width = strnlen(b, NEAR_BYTES_MAX);

	for (size_t j = 0; j <= width; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= strnlen(a, NEAR_BYTES_MAX); i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t least = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < least)
				least = above[j] + 1;
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < least)
				least = before[j - 2] + 1;
			row[j] = least;
		}
	}
	return rows[strnlen(a, NEAR_BYTES_MAX) % 3][width];
}

static bool is_near(const char *word, const char *name)
{
	size_t length = strlen(word);

	return strstr(name, word) || (length >= 2 && !strncmp(word, name, length - 1)) ||
	       distance(word, name) <= 1 + length / 4;
}

struct others {
	struct search *search;
	bool prefixed; /* those that the prefix fits; else those whose name is near */
	char names[OTHERS_MAX + 1][128];
	size_t count;
};

static int offer(void *data, uint64_t cgroup_id, const char *path)
{
	struct others *others = data;
	const struct wanted_word *word = others->search->word;
	char name[80], *text = others->names[others->count];
	struct container_info info;

	if (container_resolver_describe(others->search->filter->parts.resolver, path, &info))
		return -ENOMEM;
	if (info.kind != CONTAINER_CONTAINER ||
	    (others->prefixed ? fit_of(word, &info) != FITS_PREFIX : !is_near(word->text, info.name)))
		return 0;
	text_printable(info.name, name, sizeof(name));
	snprintf(text, sizeof(others->names[0]),
		 others->prefixed && strcmp(info.id, info.name) != 0 ? "%s (%.*s)" : "%s", name, SHORT_ID, info.id);
	/* One container has several cgroups. */
	for (size_t i = 0; i < others->count; i++)
		if (!strcmp(others->names[i], text))
			return 0;
	return ++others->count > OTHERS_MAX;
}

static int find_others(struct search *search, struct container_answer *answer)
{
	struct others others = {.search = search, .prefixed = answer->ambiguous};

	if (cgroup_tree_each(search->filter->parts.tree, offer, &others) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < others.count; i++)
		text_append(answer->others, sizeof(answer->others), "%s%s", i ? ", " : "",
			    i < OTHERS_MAX ? others.names[i] : "…");
	return 0;
}

int container_filter_add(struct container_filter *filter, const char *text, struct container_answer *ret_answer)
{
	struct wanted_word word = {.text = strdup(text)}, *added;
	struct container_answer answer = {0};
	struct search search;
	int err;

	if (!word.text || array_reserve(&filter->words, 1)) {
		free(word.text);
		return -ENOMEM;
	}
	added = array_add(&filter->words);
	*added = word;
	err = look_for(filter, added, &search);
	if (err)
		return err;
	answer.cgroups = search.cgroups;
	answer.ambiguous = search.ambiguous && !search.whole;
	if (!answer.cgroups && find_others(&search, &answer))
		return -ENOMEM;
	*ret_answer = answer;
	return 0;
}

/* Is one cgroup wanted by now? */
static int ask(struct container_filter *filter, uint64_t id, bool *ret_wanted)
{
	const char *path = cgroup_tree_path(filter->parts.tree, id);
	struct container_info info;
	size_t cgroups = 0;
	int err;

	if (!path)
		return 0;
	if (container_resolver_describe(filter->parts.resolver, path, &info))
		return -ENOMEM;
	for (size_t i = 0; i < filter->words.count && !cgroups; i++) {
		struct wanted_word *word = &filter->words.items[i];
		size_t length = strlen(word->text);
		enum fit fit = fit_of(word, &info);

		if (word->text[0] == '/' && !strncmp(path, word->text, length) &&
		    (!path[length] || path[length] == '/'))
			fit = FITS_WHOLE;
		if (fit == FITS_NOT)
			continue;
		err = fit == FITS_PREFIX ? stand_for(word, info.id) : 0;
		if (!err)
			err = want_below(filter, path, &cgroups);
		if (err)
			return err;
	}
	*ret_wanted = cgroups > 0;
	return 0;
}

int container_filter_made(struct container_filter *filter, uint64_t cgroup_id, uint64_t now_ns)
{
	struct young_cgroup *young;
	bool wanted = false;
	int err;

	container_resolver_refresh(filter->parts.resolver);
	err = ask(filter, cgroup_id, &wanted);
	if (err || wanted)
		return err;
	/* In a storm the oldest of the young are given up. */
	if (filter->young.count >= YOUNG_MAX)
		array_remove(&filter->young, 0);
	young = array_add(&filter->young);
	if (!young)
		return -ENOMEM;
	*young = (struct young_cgroup){.id = cgroup_id, .next_ns = now_ns + ask_again_ns[0]};
	return 0;
}

int container_filter_again(struct container_filter *filter, uint64_t now_ns)
{
	bool refreshed = false;

	for (size_t i = 0; i < filter->young.count;) {
		struct young_cgroup *young = &filter->young.items[i];
		bool wanted = false;
		int err;

		if (now_ns < young->next_ns) {
			i++;
			continue;
		}
		/* What the disk said before is what is asked about. */
		if (!refreshed)
			container_resolver_refresh(filter->parts.resolver);
		refreshed = true;
		err = ask(filter, young->id, &wanted);
		if (err)
			return err;
		if (wanted || ++young->tries >= ARRAY_LENGTH(ask_again_ns)) {
			array_remove(&filter->young, i);
			continue;
		}
		young->next_ns = now_ns + ask_again_ns[young->tries];
		i++;
	}
	return 0;
}
