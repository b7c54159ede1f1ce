/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stoker: one kernel, every container, one flame graph.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

#define LARGE_BYTES (128 << 10)

static const struct command commands[] = {
	{"record", "sample every container, write a recording", command_record},
	{"fold", "folded stacks from a recording", command_fold},
	{"flame", "SVG flame graph from a recording or from folded stacks", command_flame},
	{"hotspots", "kernel hotspots that containers share", command_hotspots},
	{"offcpu", "where containers are blocked, and who wakes them", command_offcpu},
	{"runqlat", "waits for a CPU, and who runs meanwhile", command_runqlat},
	{"locks", "waits for kernel locks, and who held them", command_locks},
	{"syscalls", "system calls by container, and where their time went", command_syscalls},
	{"series", "containers over time: CPU, throttling, pressure, memory, I/O", command_series},
	{"info", "what was recorded, and its accounting", command_info},
	{"ps", "containers, their processes and namespaces", command_ps},
	{"symbolize", "names for addresses of a file, a process or the kernel", command_symbolize},
};

static enum exit_status help(void)
{
	printf("stoker: one kernel, every container, one flame graph\n\n"
	       "usage: stoker SECONDS           record, show a table, write stoker.svg and stoker.rec\n"
	       "       stoker COMMAND [OPTIONS] …\n\n");
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("\n'stoker COMMAND --help' tells more. stoker " STOKER_VERSION "\n");
	return options_shown();
}

/*
 * One that our parent has closed would be the number of the next file that is opened, and a table would be written into a
 * recording. What stands in its place can be neither read nor written, as it could not before.
 */
static bool hold_standard_streams(void)
{
	bool held = true;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && held; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			held = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd;
	return held;
}

int main(int argc, char **argv)
{
	char shown[64];
	uint64_t seconds;

	if (!hold_standard_streams())
		return EXIT_FAILED;
	/* Large tables come and go: each a mapping of its own, so that their memory goes back when they are freed. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	if (argc < 2)
		return help() == EXIT_OK ? EXIT_USAGE : EXIT_FAILED;
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help();
	if (!strcmp(argv[1], "--version")) {
		printf("stoker " STOKER_VERSION "\n");
		return options_shown();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (text_to_u64(argv[1], 10, &seconds))
		return command_oneshot(argc, argv);
	log_error("no command '%s'; 'stoker --help' lists them", text_printable(argv[1], shown, sizeof(shown)));
	return EXIT_USAGE;
}
