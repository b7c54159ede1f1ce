/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/query_options.h"

#include <string.h>

#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

const char *const query_groupings[] = {
	[PROFILE_BY_CONTAINER] = "container",
	[PROFILE_BY_POD] = "pod",
	[PROFILE_BY_PROCESS] = "process",
	[PROFILE_BY_THREAD] = "thread",
	[PROFILE_BY_NONE] = "none",
	[PROFILE_BY_CALL] = "call",
	NULL,
};

const char *const query_kinds[] = {[PROFILE_ONCPU] = "oncpu",
				   [PROFILE_OFFCPU] = "offcpu",
				   [PROFILE_WAKERS] = "wakers",
				   [PROFILE_LOCKS] = "locks",
				   NULL};

const char *const query_states[] = {
	[QUERY_ALL_STATES] = "all", [QUERY_SLEEPING] = "S",	 [QUERY_D] = "D",
	[QUERY_IO] = "io",	    [QUERY_STOPPED] = "stopped", NULL,
};

uint32_t query_state_bits(enum query_state state)
{
	static const uint32_t bits[] = {
		[QUERY_ALL_STATES] = 0,
		[QUERY_SLEEPING] = 1u << WAIT_SLEEPING,
		[QUERY_D] = 1u << WAIT_UNINTERRUPTIBLE | 1u << WAIT_IO,
		[QUERY_IO] = 1u << WAIT_IO,
		[QUERY_STOPPED] = 1u << WAIT_STOPPED,
	};

	return bits[state];
}

bool query_init(struct query *query, const struct query_settings *settings, const char *command)
{
	char shown[128], reason[128];
	int err;

	memset(query, 0, sizeof(*query));
	if (settings->kernel_only && settings->user_only) {
		log_error("%s: -K and -U leave nothing: give one of them", command);
		return false;
	}
	if (settings->state && settings->kind != PROFILE_OFFCPU && settings->kind != PROFILE_WAKERS) {
		log_error("%s: --state is of blocked time: give --kind offcpu or --kind wakers with it", command);
		return false;
	}
	query->query = (struct profile_query){
		.kind = (enum profile_kind)settings->kind,
		.states = query_state_bits((enum query_state)settings->state),
		.by = settings->by == QUERY_BY_DEFAULT ? PROFILE_BY_CONTAINER : (enum profile_grouping)settings->by,
		.containers = settings->containers.entries.count
				      ? (const char *const *)settings->containers.entries.items
				      : NULL,
		.container_count = settings->containers.entries.count,
		.kernel_only = settings->kernel_only,
		.user_only = settings->user_only,
		.reverse = settings->reverse,
	};
	if (!settings->comm)
		return true;
	err = regcomp(&query->comm, settings->comm, REG_EXTENDED | REG_NOSUB);
	if (err) {
		regerror(err, &query->comm, reason, sizeof(reason));
		log_error("%s: --comm '%s' is no regular expression: %s", command,
			  text_printable(settings->comm, shown, sizeof(shown)), reason);
		return false;
	}
	query->comm_compiled = true;
	query->query.comm = &query->comm;
	return true;
}

void query_deinit(struct query *query)
{
	if (query->comm_compiled)
		regfree(&query->comm);
}

bool query_needs_recording(const struct query_settings *settings)
{
	return settings->kind != PROFILE_ONCPU || settings->state || settings->by != QUERY_BY_DEFAULT ||
	       settings->containers.entries.count || settings->comm || settings->kernel_only || settings->user_only;
}

void query_settings_deinit(struct query_settings *settings)
{
	option_list_deinit(&settings->containers);
}
