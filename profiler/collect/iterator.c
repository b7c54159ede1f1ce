/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/iterator.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int iterator_open(struct bpf_program *program, FILE **ret_file)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	FILE *file;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link);
	if (fd < 0)
		return fd;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	*ret_file = file;
	return 0;
}
