/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/helper_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "symbolizer/base/array.h"

void helper_process_init(int socket, const char *name)
{
	static const int terminal_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	sigset_t none;

	/* The caller decides when this ends: Ctrl-C is for it alone, and its last questions are still to come. */
	for (size_t i = 0; i < ARRAY_LENGTH(terminal_signals); i++)
		signal(terminal_signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	if (dup2(socket, HELPER_SOCKET) < 0 || close_range(HELPER_SOCKET + 1, ~0u, 0))
		_exit(1);
}
