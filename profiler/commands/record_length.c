/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/record_length.h"

#include "profiler/commands/report.h"
#include "symbolizer/base/array.h"

const char *record_length_beyond(const struct recording_writer *writer, const struct wait_settings *recorded,
				 uint64_t memory_bytes_max)
{
	const struct {
		const char *report;
		unsigned int wants;
		bool asked;
	} reports[] = {
		{"offcpu", REPORT_WANTS_OFFCPU, recorded->offcpu},
		{"syscalls", REPORT_WANTS_SYSCALLS, recorded->syscalls || recorded->syscall_counts},
		{"runqlat", REPORT_WANTS_RUNQLAT, recorded->runq},
		{"locks", REPORT_WANTS_LOCKS, recorded->locks},
		/* It holds all that the others do which show samples and series. */
		{"info", REPORT_WANTS_INFO, true},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(reports); i++)
		if (reports[i].asked && recording_writer_rows_bytes(writer, reports[i].wants) > memory_bytes_max)
			return reports[i].report;
	return NULL;
}
