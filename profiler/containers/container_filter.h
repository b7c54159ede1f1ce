/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container_filter: which cgroups belong to the containers that were asked for, now and later.
 *
 * A word means containers by their exact name or id, by a prefix of one id of at least three characters, or, with '/'
 * first, a cgroup's path and everything below. A name goes before a prefix. A prefix stands for the one container that
 * it fits first, and for no other one afterwards.
 *
 * A cgroup that is made later is looked at at once, and again for some seconds: runtimes write down what it is while
 * they start it. A container that only takes on a wanted name later on (a rename) is not looked at again.
 */
#ifndef STOKER_CONTAINER_FILTER_H
#define STOKER_CONTAINER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/containers/cgroup_tree.h"
#include "profiler/containers/container.h"

struct container_filter;

struct container_filter_parts {
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	/* Called for each cgroup that is wanted, and possibly again. 0, or an error that ends the search. */
	int (*want)(void *data, uint64_t cgroup_id);
	void *data;
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int container_filter_new(const struct container_filter_parts *parts, struct container_filter **ret_filter);
void container_filter_free(struct container_filter *filter);

struct container_answer {
	size_t cgroups;	  /* wanted for this word */
	bool ambiguous;	  /* a prefix that fits several containers: none of them is wanted */
	char others[512]; /* "web-1 (0123456789ab), web-2 (…)": those that it fits, or names near to it; printable */
};

/**
 * container_filter_add() - one more word
 * A word that fits nothing yet is kept: what starts later may fit it. Returns 0, -ENOMEM, or what want() gave.
 */
int container_filter_add(struct container_filter *filter, const char *word, struct container_answer *ret_answer);

/* Looks for all words among all cgroups again. Returns 0, -ENOMEM, or what want() gave. */
int container_filter_look(struct container_filter *filter);

/* A cgroup was made or renamed; the tree knows its path. @now_ns: any clock that goes on. 0, or as above. */
int container_filter_made(struct container_filter *filter, uint64_t cgroup_id, uint64_t now_ns);

/* Asks again about cgroups that were made lately, where it is time. Cheap; for every turn of a loop. 0, or as above. */
int container_filter_again(struct container_filter *filter, uint64_t now_ns);

#endif
