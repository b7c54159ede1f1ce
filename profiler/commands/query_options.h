/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query_options: the options that ask a recording, the same in every command that does.
 *
 *	struct settings { struct query_settings query; … };
 *	static const struct option_row rows[] = { QUERY_OPTION_ROWS(struct settings, query), … };
 */
#ifndef STOKER_QUERY_OPTIONS_H
#define STOKER_QUERY_OPTIONS_H

#include "profiler/commands/options.h"
#include "profiler/profile/profile.h"

struct query_settings {
	int kind;  /* enum profile_kind */
	int state; /* enum query_state */
	int by;	   /* enum profile_grouping, or QUERY_BY_DEFAULT */
	struct option_list containers;
	const char *comm; /* NULL: any */
	bool kernel_only;
	bool user_only;
	bool reverse;
};

#define QUERY_BY_DEFAULT (-1)
#define QUERY_SETTINGS_DEFAULT         \
	{                              \
		.by = QUERY_BY_DEFAULT \
	}

extern const char *const query_groupings[]; /* in the order of enum profile_grouping */
extern const char *const query_kinds[];	    /* in the order of enum profile_kind */
extern const char *const query_states[];    /* in the order of enum query_state */

enum query_state {
	QUERY_ALL_STATES,
	QUERY_SLEEPING,
	QUERY_D, /* waiting for a disk or not */
	QUERY_IO,
	QUERY_STOPPED,
};

/* As profile_query.states. */
uint32_t query_state_bits(enum query_state state);

/* clang-format off */
#define QUERY_OPTION_ROWS(type, member)                                                                     \
	{0, "kind", OPTION_CHOICE, offsetof(type, member.kind), "WHAT",                                     \
	 "oncpu (default), offcpu, wakers (with who ended it), locks", .choices = query_kinds},                   \
	{0, "state", OPTION_CHOICE, offsetof(type, member.state), "STATE",                                  \
	 "of offcpu and wakers: S, D, io, stopped; all (default)", .choices = query_states},                \
	{0, "by", OPTION_CHOICE, offsetof(type, member.by), "WHAT",                                         \
	 "group by container (default), pod, process, thread, none, call", .choices = query_groupings},           \
	{'C', "container", OPTION_LIST, offsetof(type, member.containers), "NAME,…",                         \
	 "only these containers (names or ids)"},                                                           \
	{0, "comm", OPTION_TEXT, offsetof(type, member.comm), "REGEX", "only threads whose name matches"},  \
	{'K', "kernel-only", OPTION_FLAG, offsetof(type, member.kernel_only), NULL, "kernel frames only"},  \
	{'U', "user-only", OPTION_FLAG, offsetof(type, member.user_only), NULL, "user frames only"},        \
	{0, "reverse", OPTION_FLAG, offsetof(type, member.reverse), NULL, "merge from the leaf, labels first"}
/* clang-format on */

/* A query with what it points to. */
struct query {
	struct profile_query query;
	regex_t comm;
	bool comm_compiled;
};

/**
 * query_init() - from settings to a query; @settings must outlive it
 * @command: for the one line that is logged where this is false: contradicting options, or a regex that is none
 */
bool query_init(struct query *query, const struct query_settings *settings, const char *command);
void query_deinit(struct query *query);

/* Whether any option was given that only a recording can answer. */
bool query_needs_recording(const struct query_settings *settings);

void query_settings_deinit(struct query_settings *settings);

#endif
