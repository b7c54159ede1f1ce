/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const prefix[] = {"stoker: ", "stoker: warning: ", "stoker: debug: "};
	char line[2048];
	va_list args;

	if (level == LOG_DEBUG && !getenv("STOKER_DEBUG"))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "%s%s%s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", prefix[level], line);
}
