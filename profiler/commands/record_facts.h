/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_facts: what a recording says of itself: the host, what was asked for, and at the end what it cost.
 */
#ifndef STOKER_RECORD_FACTS_H
#define STOKER_RECORD_FACTS_H

#include "profiler/commands/record_setup.h"

/* The facts known at the start, and those known at the end. 0, -ENOMEM, or why the sampler cannot be read. */
int record_first_facts(const struct record_settings *settings, struct record_session *session);
int record_last_facts(struct record_session *session, uint64_t duration_ns);

#endif
